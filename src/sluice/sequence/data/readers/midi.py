"""MIDI files as note tokens, read with symusic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sluice.extras import MissingExtraError
from sluice.files import StrPath, StrPaths, to_paths
from sluice.option_names import name_option
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.readers.file_kinds import read_head
from sluice.sequence.data.readers.midi_events import describe_missing_notes, find_endless_notes
from sluice.sequence.data.report import LoadReport, SkippedItem, make_read_error, pluralize
from sluice.sequence.data.splits import split_from_names
from sluice.sequence.data.tokens import Tokens
from sluice.sequence.errors import DataError
from sluice.sequence.vocabulary import Vocabulary

MAGIC = b"MThd"
MAX_STEPS = 64
"""The longest wait or note, in steps, of a single token."""
_MAX_REST = 4096
"""Quarter notes of the longest rest: half an hour. A few damaged bytes can say millions."""


def read_midi(files: StrPaths, *, grid: int = 4) -> Tokens:
    """Each file as a sequence of note tokens, without drums.

    Time is in steps, `grid` per quarter note. `wait:n` advances n steps; `pitch:p` and `length:n`
    are a note of MIDI number p and n steps that starts now. n is at most 64 (longer waits take
    several tokens). Notes that start together are ordered from low to high.

    Args:
        files: MIDI files.
        grid: steps per quarter note.

    Raises:
        MissingExtraError: symusic is not installed.
        DataError: a grid below 1, or no file in which notes could be read.
    """
    try:
        import symusic  # noqa: F401
    except ImportError:
        raise MissingExtraError("symusic", "data") from None
    files = to_paths(files)
    if grid < 1:
        raise DataError(
            f"{name_option('grid')} must be at least 1 step per quarter note, got {grid}."
        )
    read: dict[Path, list[str]] = {}
    notes, refused = list[str](), []
    for path in files:
        try:
            content = read_midi_bytes(path)
            read[path] = list(_tokenize(path, content, grid))
        except DataError as error:
            refused.append(SkippedItem.from_file_error(path, error))
            continue
        if endless := len(find_endless_notes(content)):
            notes.append(f"{path.name}: {pluralize(endless, 'note')} without an end left out.")
    if not read:
        raise DataError(f"No notes could be read; the first file: {refused[0]}.")
    vocabulary = Vocabulary.of(read.values())
    ids = RaggedArray.of(map(vocabulary.encode, read.values()), np.min_scalar_type(len(vocabulary)))
    named = files[0].name if len(files) == 1 else pluralize(len(read), "file")
    understood = (
        f"{named}: MIDI, {pluralize(len(read), 'sequence')}, {len(ids.flat):,} note tokens, "
        f"{len(vocabulary.tokens)} different; {grid} steps per quarter note."
    )
    report = LoadReport(understood, tuple(notes), tuple(refused))
    return Tokens(
        vocabulary,
        ids,
        names=tuple(map(str, read)),
        predefined_split=split_from_names(list(read)),
        load_report=report,
    )


def read_midi_bytes(path: StrPath) -> bytes:
    """A whole MIDI file.

    Raises:
        DataError: it cannot be read, or is no MIDI file.
    """
    if read_head(path, 4) != MAGIC:
        raise DataError(f"{path} is not a MIDI file: it does not start with MThd.")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise make_read_error(path, error) from None


def parse_midi(path: StrPath, content: bytes, grid: int | None = None) -> Any:
    """symusic's `Score` of a MIDI file, in its own ticks or in `grid` steps per quarter note.

    Raises:
        DataError: a damaged file.
    """
    from symusic import Score

    try:
        score: Any = Score.from_midi(content)
        return score if grid is None else score.resample(grid, 1)
    except RuntimeError as error:
        raise DataError(f"{path} is a damaged MIDI file ({error}).") from None


def _tokenize(path: Path, content: bytes, grid: int) -> Iterator[str]:
    score = parse_midi(path, content, grid)
    notes = sorted(
        (note.time, note.pitch, note.duration)
        for track in score.tracks
        if not track.is_drum
        for note in track.notes
    )
    if not notes:
        raise DataError(f"{path} is a MIDI file {describe_missing_notes(content)}.")
    now = 0
    longest = _MAX_REST * grid
    for time, pitch, length in notes:
        if not 0 <= time - now <= longest:
            raise DataError(
                f"{path} is a damaged MIDI file: a note is {time - now:,} steps after the one "
                f"before it, more than {longest:,}."
            )
        while wait := min(time - now, MAX_STEPS):
            yield f"wait:{wait}"
            now += wait
        yield f"pitch:{pitch}"
        yield f"length:{min(max(length, 1), MAX_STEPS)}"
