"""Piano rolls in JSON: pieces as lists of time steps, each a list of pitches.

The format is that of the JSB chorales (Boulanger-Lewandowski et al. 2012): `{"train": [piece, ...],
"valid": ..., "test": ...}` or a list of pieces; a piece is `[[60, 64, 67], [], ...]`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from sluice.files import StrPaths, to_paths
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.readers.file_kinds import require_regular_file
from sluice.sequence.data.report import LoadReport, SkippedItem, make_read_error, pluralize
from sluice.sequence.data.series import Series
from sluice.sequence.data.splits import parse_part
from sluice.sequence.errors import DataError

LOWEST, HIGHEST = 21, 108
"""The 88 keys of a piano, as MIDI numbers."""
REST = -1


def read_piano_rolls(files: StrPaths) -> Series:
    """Piano rolls as multi-hot steps: (steps, 88), 1 for each key that sounds.

    A split in the file is kept. A piece with anything but pitches is skipped; the reason names
    the piece and step.

    Raises:
        DataError: not one file, not JSON, or not in this format.
    """
    files = to_paths(files)
    if len(files) != 1:
        raise DataError(f"Piano rolls must be in one JSON file, got {len(files)} files.")
    (path,) = files
    pieces = _load_pieces(path)
    rolls, refused, names = [], [], []
    given: dict[str, list[int]] = {}
    for name, (part, piece) in pieces.items():
        try:
            rolls.append(_build_roll(piece))
        except _PianoRollError as error:
            refused.append(SkippedItem(str(path), None, f"{name}: {error}"))
            continue
        names.append(name)
        given.setdefault(part, []).append(len(rolls) - 1)
    given.pop("", None)
    if not rolls:
        first = f" The first: {refused[0]}." if refused else ""
        raise DataError(f"{path} has no piece that could be read.{first}")
    values = RaggedArray.of(rolls, np.float32)
    parts = ", ".join(f"{len(places)} {part}" for part, places in given.items())
    understood = (
        f"{path.name}: piano rolls, {pluralize(len(rolls), 'piece')}"
        f"{f' ({parts})' if parts else ''}, {pluralize(len(values.flat), 'step')} "
        f"of {HIGHEST - LOWEST + 1} keys."
    )
    return Series(
        tuple(str(pitch) for pitch in range(LOWEST, HIGHEST + 1)),
        values,
        multi_hot=True,
        names=tuple(names),
        predefined_split=given,
        load_report=LoadReport(understood, skipped_items=tuple(refused)),
    )


def _load_pieces(path: Path) -> dict[str, tuple[str, object]]:
    """Each piece by its name, with its part of the split."""
    form = 'lists of pieces, each a list of steps, each a list of pitches: {"train": [[[60, 64]]]}'
    require_regular_file(path)
    try:
        held = json.loads(path.read_bytes())
    except OSError as error:
        raise make_read_error(path, error) from None
    except RecursionError:
        raise DataError(f"{path} is JSON of too many levels; piano rolls are {form}.") from None
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); piano rolls are {form}.") from None
    parts = held if isinstance(held, dict) else {"": held}
    if not all(isinstance(name, str) and isinstance(part, list) for name, part in parts.items()):
        raise DataError(f"{path} is JSON but holds no piano rolls, which are {form}.")
    named = {
        f"{name} {place}".strip(): (parse_part(name), piece)
        for name, part in parts.items()
        for place, piece in enumerate(part)
    }
    if not any(isinstance(piece, list) for _, piece in named.values()):
        raise DataError(f"{path} is JSON but holds no piano rolls, which are {form}.")
    return named


class _PianoRollError(DataError):
    """The reason why a piece is not a piano roll."""


def _build_roll(piece: object) -> Array:
    """(steps, 88), 1 for each key that sounds."""
    if not isinstance(piece, list) or not piece:
        raise _PianoRollError("expected a list of steps that is not empty")
    roll = np.zeros((len(piece), HIGHEST - LOWEST + 1), np.float32)
    for place, step in enumerate(piece):
        if not isinstance(step, list):
            raise _PianoRollError(f"step {place} is not a list of pitches")
        for pitch in step:
            if type(pitch) is not int or not (pitch == REST or LOWEST <= pitch <= HIGHEST):
                raise _PianoRollError(
                    f"step {place} has {pitch!r}, expected a pitch from {LOWEST} to {HIGHEST}"
                )
        roll[place, [pitch - LOWEST for pitch in step if pitch != REST]] = 1
    return roll
