"""The form of a tune: what may be typed, and the options that it stands for."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from sluice.studio.composing.options import MAX_SEED, ComposingOptions
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _

MAX_COUNT = 4
_FRESH_SEEDS = 1_000_000

DEFAULTS: dict[str, Any] = {
    "model": "",
    "dance": "",
    "key": "",
    "meter": "",
    "mode": "",
    "temperature": "0.9",
    "seed": "",
    "keep_seed": False,
    "start": "",
    "form": True,
    "chords": False,
    "count": "1",
    "title": "",
}
"""The values of an untouched form, by the names of its fields."""
MORE_FIELDS = ("start", "form", "chords", "count", "title")
"""Those that are folded away while they are as usual."""


def draw_seed() -> int:
    """A seed that is easily read aloud."""
    return secrets.randbelow(_FRESH_SEEDS)


def read_values(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a form as they were typed; those that are missing are as in `DEFAULTS`.

    A form that was sent has `sent=1`: a box that is missing then is one that was not ticked.
    """
    values = dict(DEFAULTS)
    for name, usual in DEFAULTS.items():
        if isinstance(usual, bool):
            if name in sent or "sent" in sent:
                values[name] = str(sent.get(name, "")).lower() in ("1", "on", "true", "yes")
        elif isinstance(sent.get(name), str):
            values[name] = sent[name]
    return values


def show_options(options: Mapping[str, Any], keep_seed: bool = False) -> dict[str, Any]:
    """The values of a form that stand for these options."""
    values = dict(DEFAULTS)
    for name in values:
        value = options.get(name)
        if value is not None:
            values[name] = value if isinstance(value, bool) else str(value)
    return {**values, "keep_seed": keep_seed}


def read_options(values: Mapping[str, Any], previous_seed: str = "") -> list[ComposingOptions]:
    """The options of each tune that a form asks for, with seeds one above the other.

    Args:
        previous_seed: that stood in the form when it was shown; another one was typed, so that it
            counts even where the box beside it is not ticked.

    Raises:
        StudioError: a value that cannot be, with the name of its field.
    """
    text = values["count"].strip()
    count = int(text) if re.fullmatch("[1-9]", text) else 0
    if not 1 <= count <= MAX_COUNT:
        raise StudioError(
            _("The number of tunes must be from 1 to {most}, got {given!r}.").format(
                most=MAX_COUNT, given=text[:40]
            ),
            "count",
        )
    typed = values["seed"].strip()
    is_kept = values["keep_seed"] or typed != previous_seed.strip()
    wishes = {name: values[name] for name in DEFAULTS if name not in ("keep_seed", "count")}
    if re.fullmatch(r"\s*\d*,\d+\s*", wishes["temperature"]):  # as most of Europe writes 0.5
        wishes["temperature"] = wishes["temperature"].replace(",", ".")
    first = ComposingOptions.parse({**wishes, "seed": (is_kept and typed) or str(draw_seed())})
    if first.seed + count - 1 > MAX_SEED:
        raise StudioError(
            _("The seed must leave room for {count} tunes; take a smaller one.").format(
                count=count
            ),
            "seed",
        )
    others = range(first.seed + 1, first.seed + count)
    return [first, *(ComposingOptions.parse({**wishes, "seed": seed}) for seed in others)]


def read_bars(text: str) -> list[int]:
    """The numbers of bars as they are typed, such as `3–4, 7`.

    Raises:
        StudioError: something else.

    >>> read_bars("3-5, 7")
    [3, 4, 5, 7]
    """
    found: set[int] = set()
    for part in re.split(r"[,;\s]+", re.sub(r"\s*[-–—]\s*", "-", text.strip())):
        match = re.fullmatch(r"([1-9]\d{0,2})(?:-([1-9]\d{0,2}))?", part)
        if match is None:
            raise StudioError(
                _("Bars are numbers such as 3–4 or 2, 5, got {given!r}.").format(given=text[:40])
                if text.strip()
                else _("Select some bars in the score, or type their numbers."),
                "bars",
            )
        first, last = int(match[1]), int(match[2] or match[1])
        found.update(range(min(first, last), max(first, last) + 1))
    return sorted(found)
