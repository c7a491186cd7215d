"""What a visitor asks a model for."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sluice.studio.composing.stored_tune import restore_tune, store_tune
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.tunes.tune import Tune

KINDS = ("compose", "continue", "fill", "vary")
MAX_SEED = (1 << 63) - 1
"""What a database's integer holds."""
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.01, 10.0
_DRAWN_SEEDS = 1_000_000_000
"""A seed that nobody gave is below this, short enough to be typed."""
_MAX_WORD, _MAX_TITLE, _MAX_START = 40, 120, 4000
_MAX_BARS, _MAX_BAR_NUMBER = 256, 10_000
_TRUE, _FALSE = ("true", "on", "1", "yes"), ("false", "off", "0", "no", "")


@dataclass(frozen=True)
class ComposingOptions:
    """What a tune shall be like, and of what seed: together with the model, all that it depends on.

    Attributes:
        kind: `compose`, or what is done with `source`: `continue`, `fill` or `vary`.
        model: its fingerprint; the first model of the process if empty.
        seed: of the random numbers, from 0 to 2^63 - 1.
        temperature: below 1 safer, above 1 more varied.
        dance, meter, key, mode: as for `Composer.compose`; None leaves them to the model.
        start: the first notes in ABC, with fields and `*`.
        form: whether the tune has sections of eight bars, in which bars recur.
        chords: whether chord symbols stand above the notes.
        title: the tune's name; a made-up one if None.
        source: the tune to continue, fill or vary, as `store_tune` gives it.
        bars: the numbers of the bars that are marked in it, from 1 as they are written, pickups
            counted: those that are filled or varied; it is continued behind the last of them.
        strength: without `bars`, the share of the bars that vary.

    >>> options = ComposingOptions.parse({"seed": "7", "dance": "jig", "chords": "on"})
    >>> options.seed, options.dance, options.chords
    (7, 'jig', True)
    >>> ComposingOptions.parse(options.to_mapping()) == options
    True
    """

    kind: str = "compose"
    model: str = ""
    seed: int = 0
    temperature: float = 0.9
    dance: str | None = None
    meter: str | None = None
    key: str | None = None
    mode: str | None = None
    start: str | None = None
    form: bool = True
    chords: bool = False
    title: str | None = None
    source: Mapping[str, Any] | None = None
    bars: tuple[int, ...] = ()
    strength: float = 0.3

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> ComposingOptions:
        """Read what a form or JSON gives; without a seed one is drawn.

        Numbers may be in digits, flags `on` or `true`, `bars` numbers with commas between them.

        Raises:
            StudioError: a value that is not understood, or a name that is unknown; with its field.
        """
        reader = _OptionReader(given)
        seed = reader.read_integer("seed", 0, MAX_SEED)
        kind = reader.read_word("kind") or "compose"
        if kind not in KINDS:
            raise StudioError(
                _("What to do must be one of {known}, got {given!r}.").format(
                    known=", ".join(KINDS), given=kind
                ),
                "kind",
            )
        found = cls(
            kind=kind,
            model=reader.read_word("model", 64) or "",
            seed=secrets.randbelow(_DRAWN_SEEDS) if seed is None else seed,
            temperature=reader.read_number("temperature", MIN_TEMPERATURE, MAX_TEMPERATURE, 0.9),
            dance=reader.read_word("dance"),
            meter=reader.read_word("meter"),
            key=reader.read_word("key"),
            mode=reader.read_word("mode"),
            start=reader.read_text("start", _MAX_START),
            form=reader.read_flag("form", True),
            chords=reader.read_flag("chords", False),
            title=reader.read_word("title", _MAX_TITLE),
            source=reader.read_source("source"),
            bars=reader.read_bars("bars"),
            strength=reader.read_number("strength", 0.01, 1.0, 0.3),
        )
        if found.source is None and kind != "compose":
            raise StudioError(_("There is no tune to work on; choose one."), "source")
        if kind == "compose" and (found.source is not None or found.bars):
            raise StudioError(
                _("A new tune is composed without another one; choose what to do with it."),
                "bars" if found.source is None else "source",
            )
        return found

    @property
    def source_tune(self) -> Tune:
        """The tune to continue, fill or vary.

        Raises:
            StudioError: there is none.
        """
        if self.source is None:
            raise StudioError(_("There is no tune to work on; choose one."), "source")
        return restore_tune(self.source)

    def to_mapping(self) -> dict[str, Any]:
        """As JSON takes it; `parse` reads it back."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return found | {"bars": [*self.bars], "source": self.source and dict(self.source)}


_NAMES = frozenset(one.name for one in fields(ComposingOptions))


class _OptionReader:
    """Takes the values of a mapping one by one."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        unknown = [name for name in given if name not in _NAMES]
        if unknown:
            raise StudioError(
                _("There is no option {name!r}.").format(name=str(unknown[0])[:_MAX_WORD]),
                str(unknown[0])[:_MAX_WORD],
            )
        self._given = given

    def read_text(self, name: str, longest: int) -> str | None:
        """Text of some lines, or nothing."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._refuse(name, _("must be text"), value)
        text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
        if len(text) > longest:
            raise StudioError(
                _("{name} must have at most {count} characters, got {got}.").format(
                    name=_name_field(name), count=longest, got=len(text)
                ),
                name,
            )
        if any(_is_unprintable(letter) for letter in text):
            raise self._refuse(name, _("must have no control characters"), text)
        return text or None

    def read_word(self, name: str, longest: int = _MAX_WORD) -> str | None:
        """Text of one line, or nothing."""
        text = self.read_text(name, longest)
        return None if text is None else " ".join(text.split())

    def read_flag(self, name: str, default: bool) -> bool:
        value = self._given.get(name, default)
        if isinstance(value, bool):
            return value
        text = value.lower() if isinstance(value, str) else None
        if text not in (*_TRUE, *_FALSE):
            raise self._refuse(name, _("must be on or off"), value)
        return text in _TRUE

    def read_integer(self, name: str, least: int, most: int) -> int | None:
        value = self._given.get(name)
        if isinstance(value, str):
            value = value.strip()
            if not value:
                return None
            is_number = value.isascii() and value.isdigit() and len(value) < 40
            value = int(value) if is_number else value
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            expected = _("must be a whole number from {least} to {most}")
            raise self._refuse(name, expected.format(least=least, most=most), value)
        return value

    def read_number(self, name: str, least: float, most: float, default: float) -> float:
        value = self._given.get(name)
        if value is None or value == "":
            return default
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not least <= number <= most:
            expected = _("must be a number from {least} to {most}")
            raise self._refuse(name, expected.format(least=least, most=most), value)
        return number

    def read_bars(self, name: str) -> tuple[int, ...]:
        value = self._given.get(name) or ()
        parts = value.replace(",", " ").split() if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            raise self._refuse(name, _("must be the numbers of bars"), value)
        if len(parts) > _MAX_BARS:
            raise StudioError(
                _("At most {most} bars may be marked, got {got}.").format(
                    most=_MAX_BARS, got=len(parts)
                ),
                name,
            )
        reader = (_OptionReader({name: part}) for part in parts)
        numbers = [one.read_integer(name, 1, _MAX_BAR_NUMBER) for one in reader]
        if None in numbers:
            raise self._refuse(name, _("must be the numbers of bars"), value)
        return tuple(sorted({number for number in numbers if number is not None}))

    def read_source(self, name: str) -> dict[str, Any] | None:
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self._refuse(name, _("must be a stored tune"), value)
        return store_tune(restore_tune(value))

    def _refuse(self, name: str, expected: str, value: object) -> StudioError:
        return StudioError(
            _("{name} {expected}, got {value:.60}.").format(
                name=_name_field(name), expected=expected, value=repr(value)
            ),
            name,
        )


def _name_field(name: str) -> str:
    return {
        "seed": _("The seed"),
        "temperature": _("The temperature"),
        "dance": _("The dance"),
        "meter": _("The meter"),
        "key": _("The key"),
        "mode": _("The mode"),
        "start": _("The start"),
        "title": _("The title"),
        "bars": _("The bars"),
        "strength": _("The strength"),
    }.get(name, name)


def _is_unprintable(letter: str) -> bool:
    """Whether it is a control character, but for line breaks and tabs, or half a character."""
    return (letter < " " and letter not in "\n\t") or "\x7f" <= letter <= "\x9f" or (
        "\ud800" <= letter <= "\udfff"
    )  # fmt: skip
