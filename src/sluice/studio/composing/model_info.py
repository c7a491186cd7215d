"""What visitors are told of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sluice.studio.errors import StudioError

_MAX_CARD = 100_000


class UnknownModelError(StudioError):
    """A process does not hold the model of this fingerprint; another one may."""


@dataclass(frozen=True)
class ModelInfo:
    """A model that composes.

    Attributes:
        fingerprint: of the model and the way in which it composes (`Composer.fingerprint`).
        name: the first heading of its card, else of its file.
        card: its description in Markdown, or nothing.
        dances, meters, modes: those that it offers.
        keys: tonics, those that players use first.
        defaults: of temperature, form, chords and strength.
    """

    fingerprint: str
    name: str
    card: str
    dances: tuple[str, ...]
    meters: tuple[str, ...]
    modes: tuple[str, ...]
    keys: tuple[str, ...]
    defaults: Mapping[str, Any]

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> ModelInfo:
        """Read what `dataclasses.asdict` wrote and JSON carried.

        Raises:
            KeyError, TypeError: it is no such thing.
        """
        values = {one.name: given[one.name] for one in fields(cls)}
        lists = ("dances", "meters", "modes", "keys")
        return cls(**values | {name: tuple(map(str, values[name])) for name in lists})


def read_card(path: Path) -> tuple[str, str]:
    """The name of a model, and its card: the file of its name with the ending `.md`, else the
    `README.md` of its folder."""
    for card in (path.with_suffix(".md"), path.with_name("README.md")):
        try:
            text = card.read_text(encoding="utf-8", errors="replace")[:_MAX_CARD]
        except OSError:
            continue
        title = next((line for line in text.splitlines() if line.startswith("# ")), "")
        return title.removeprefix("# ").strip() or path.stem, text
    return path.stem, ""
