"""Files and folders of music in parts as rolls, with a report of what was left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sluice.chorales.errors import ChoraleError
from sluice.chorales.readers.contents import Omissions, ScoreContents
from sluice.chorales.readers.midi import read_midi_score
from sluice.chorales.readers.musicxml import read_musicxml
from sluice.chorales.roll import PITCHES, Roll, make_roll
from sluice.files import StrPath, StrPaths, to_paths
from sluice.sequence.data.formats import list_files
from sluice.sequence.data.readers.piano_rolls import LOWEST, read_piano_rolls
from sluice.sequence.data.report import LoadReport, SkippedItem, pluralize
from sluice.sequence.errors import DataError

_READERS = {
    **dict.fromkeys((".xml", ".musicxml", ".mxl"), read_musicxml),
    **dict.fromkeys((".mid", ".midi"), read_midi_score),
}
SUFFIXES = (*_READERS, ".json")
"""Of the files that are read."""


@dataclass(frozen=True)
class RollCollection:
    """Pieces read from files.

    Attributes:
        rolls: the pieces.
        predefined_split: the indices of "train", "validation" and "test", if a file gives them.
        load_report: what was read and what was skipped.
    """

    rolls: tuple[Roll, ...]
    predefined_split: Mapping[str, Sequence[int]] = field(default_factory=dict)
    load_report: LoadReport = field(default_factory=LoadReport)


def read_roll(
    path: StrPath, *, grid: int = 4, on_remark: Callable[[str], None] = lambda remark: None
) -> Roll:
    """The piece in a file of MusicXML or MIDI.

    Args:
        path: a file whose name ends in .musicxml, .xml, .mxl, .mid or .midi.
        grid: steps in a quarter note, to which notes are moved.
        on_remark: called with each remark on what is left out or moved, and where.

    Raises:
        DataError: another file, a damaged one, or one without notes.
        ChoraleError: bars that do not fit the grid.
        MissingExtraError: symusic, for MIDI, is not installed.
    """
    path = Path(path)
    contents = _read_contents(path)
    roll = _to_roll(path, contents, grid)
    for remark in [*_describe(contents, grid), *contents.repeats.to_remarks("played once")]:
        on_remark(remark)
    return roll


def read_rolls(paths: StrPaths, *, grid: int = 4) -> RollCollection:
    """The pieces in files and folders of MusicXML, MIDI, or piano rolls in JSON.

    Piano rolls say which notes sound at every step, not which are struck, and not where bars are:
    `grid` of them is 1, and bars have four steps from the first on. They cannot be mixed with
    other files.

    Args:
        paths: files, and folders whose files of other kinds are passed over.
        grid: steps in a quarter note, to which the notes of scores are moved.

    Raises:
        DataError: no piece that could be read, or piano rolls beside other files.
        MissingExtraError: symusic, for MIDI, is not installed.
    """
    if grid < 1:
        raise DataError(f"grid must be at least 1 step per quarter note, got {grid}.")
    files = [one for path in to_paths(paths) for one in _list_music(path)]
    if [one for one in files if one.suffix.lower() == ".json"]:
        if len(files) > 1:
            raise DataError(
                "Piano rolls in JSON do not say which notes are struck, so that they cannot be "
                "mixed with other files; give the JSON file alone."
            )
        return _read_json(files[0])
    rolls, refused, notes = [], [], dict[str, int]()
    repeating = 0
    for path in files:
        try:
            contents = _read_contents(path)
            rolls.append(_to_roll(path, contents, grid))
        except (DataError, ChoraleError) as error:
            refused.append(SkippedItem.from_file_error(path, error))
            continue
        repeating += len(contents.repeats) > 0
        for remark in _describe(contents, grid):
            notes[f"{path.name}: {remark}"] = 1
    if not rolls:
        first = f" The first: {refused[0]}." if refused else ""
        raise DataError(f"No piece could be read.{first}")
    if repeating:
        notes[f"Repeats are played once; {pluralize(repeating, 'piece')} with some."] = 1
    summary = f"{pluralize(len(rolls), 'piece')} of {pluralize(sum(map(len, rolls)), 'step')}"
    summary += f", {pluralize(grid, 'step')} in a quarter note."
    return RollCollection(tuple(rolls), {}, LoadReport(summary, tuple(notes), tuple(refused)))


def _list_music(path: Path) -> list[Path]:
    files = list_files(path)
    if not path.is_dir():
        return files
    music = [one for one in files if one.suffix.lower() in SUFFIXES]
    if not music:
        raise DataError(f"{path} holds no music; the files read end in {', '.join(SUFFIXES)}.")
    return music


def _read_contents(path: Path) -> ScoreContents:
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise DataError(
            f"{path} is of no kind that is read; the files read end in {', '.join(_READERS)}."
        )
    return read(path)


def _to_roll(path: Path, contents: ScoreContents, grid: int) -> Roll:
    return make_roll(
        contents.notes,
        contents.bars,
        grid=grid,
        fermatas=contents.fermatas,
        name=path.stem,
        tempo=contents.tempo,
    )


def _describe(contents: ScoreContents, grid: int) -> list[str]:
    """What of a score is not in its roll as it is written."""
    moved = Omissions()
    for note in sorted(contents.notes):
        if (note.start * grid).denominator > 1 or (note.end * grid).denominator > 1:
            moved.add("note", f"at quarter note {float(note.start):.4g}")
    return [*contents.remarks, *moved.to_remarks("moved to the grid")]


def _read_json(path: Path) -> RollCollection:
    series = read_piano_rolls([path])
    rolls = []
    for name, values in zip(series.names, series.values, strict=True):
        states = np.zeros((len(values), PITCHES), np.uint8)
        states[:, LOWEST : LOWEST + values.shape[1]] = values
        steps = np.arange(len(values))
        rolls.append(
            Roll(
                states,
                1,
                steps % 4,
                np.full(len(values), 4),
                np.zeros(len(values), np.bool_),
                name,
                strikes=False,
                is_metered=False,
            )
        )
    return RollCollection(tuple(rolls), series.predefined_split, series.load_report)
