"""Bach's four-part chorales from the package music21, and how they are split."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sluice.chorales.readers.files import RollCollection, read_rolls
from sluice.chorales.readers.musicxml import count_parts
from sluice.chorales.roll import Roll
from sluice.extras import MissingExtraError
from sluice.files import StrPaths
from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.data.report import LoadReport, pluralize
from sluice.sequence.errors import DataError

NOTICE = (
    "Encodings from music21's corpus (music21/corpus/license.txt): distributed with the permission "
    "of the encoders; the files of Bach's chorales bear no limits of their own."
)
_OPENING = 10
"""Changes of the melody at the start by which chorales on one tune are known."""


@dataclass(frozen=True)
class ChoraleSplit:
    """Pieces for training, validation and test."""

    training: tuple[Roll, ...]
    validation: tuple[Roll, ...]
    test: tuple[Roll, ...]

    def report(self) -> str:
        """How many there are of each."""
        parts = {"training": self.training, "validation": self.validation, "test": self.test}
        counts = (f"{pluralize(len(part), 'piece')} for {name}" for name, part in parts.items())
        return f"Split by melody: {', '.join(counts)}."

    def fingerprint(self) -> str:
        """A hash of the notes, wherever their files are."""
        parts = (self.training, self.validation, self.test)
        return hash_contents(*([roll.states for roll in part] for part in parts))


def load_chorales(paths: StrPaths | None = None, *, grid: int = 4) -> RollCollection:
    """The chorales of four parts that music21 holds, or the pieces in `paths`.

    Args:
        paths: files and folders for `read_rolls` instead.
        grid: steps in a quarter note.

    Raises:
        MissingExtraError: music21, or what a format needs, is not installed.
        DataError: as `read_rolls`.
    """
    if paths is not None:
        return read_rolls(paths, grid=grid)
    found = importlib.util.find_spec("music21")
    if found is None or found.origin is None:
        raise MissingExtraError("music21", "tunes")
    folder = Path(found.origin).parent / "corpus" / "bach"
    files = [one for one in sorted(folder.glob("*.mxl")) if count_parts(one) == 4]
    if not files:
        raise DataError(f"{folder} holds no chorales; install music21 with its corpus.")
    read = read_rolls(files, grid=grid)
    report = read.load_report
    return replace(
        read,
        load_report=LoadReport(
            f"Bach's chorales of four parts in music21: {report.summary}",
            (*report.notes, NOTICE),
            report.skipped_items,
        ),
    )


def split_chorales(
    collection: RollCollection, *, validation: float = 0.1, test: float = 0.1, seed: int = 0
) -> ChoraleSplit:
    """The split that the files give, else one in which a melody stands on one side alone.

    Bach set many tunes several times, and editions repeat settings in other keys: pieces whose
    highest notes begin with the same steps belong together.

    Args:
        collection: the pieces.
        validation, test: the shares.
        seed: for which melodies are held out.

    Raises:
        DataError: too few melodies for a part.
    """
    rolls = collection.rolls
    if collection.predefined_split:
        parts: Mapping[str, Sequence[int]] = collection.predefined_split
        chosen: Sequence[Sequence[int]] = [
            parts.get(name, ()) for name in ("train", "validation", "test")
        ]
    else:
        chosen = _draw_parts([_name_melody(roll) for roll in rolls], validation, test, seed)
    if not all(chosen[:2]):
        raise DataError(
            f"{pluralize(len(rolls), 'piece')} cannot be split for training and validation: that "
            "takes two different melodies at least; give more files."
        )
    return ChoraleSplit(*(tuple(rolls[place] for place in part) for part in chosen))


def _draw_parts(
    melodies: Sequence[tuple[int, ...]], validation: float, test: float, seed: int
) -> list[list[int]]:
    names = sorted(set(melodies))
    order = np.random.default_rng(seed).permutation(len(names))
    held_out = max(1, round(validation * len(names)))
    tested = round(test * len(names))
    part_of = {}
    for place, index in enumerate(order):
        part_of[names[index]] = 1 if place < held_out else 2 if place < held_out + tested else 0
    return [
        [place for place, name in enumerate(melodies) if part_of[name] == part] for part in range(3)
    ]


def _name_melody(roll: Roll) -> tuple[int, ...]:
    """The first intervals of the highest notes that are not zero."""
    sounding = roll.states > 0
    top = roll.states.shape[1] - 1 - sounding[:, ::-1].argmax(axis=1)
    top = top[sounding.any(axis=1)]
    intervals = np.diff(top)
    return tuple(intervals[intervals != 0][:_OPENING].tolist())
