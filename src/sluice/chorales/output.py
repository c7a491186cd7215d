"""Pieces in parts written into files: score, MIDI, sound."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.chorales import score, sound
from sluice.chorales.errors import ChoraleError
from sluice.chorales.parts import Parts
from sluice.files import StrPath, write_atomically
from sluice.tunes.export.synthesis import encode_ogg
from sluice.tunes.output import find_format_error


@dataclass(frozen=True)
class Presentation:
    """How a piece is shown and played.

    Attributes:
        title: what stands above the score.
        tempo: quarter notes a minute.
        instrument: a name of `sound.INSTRUMENTS`.

    Raises:
        ChoraleError: an unknown instrument, a tempo outside 20 to 400, or a title with control
            characters.
    """

    title: str = "Chorale"
    tempo: float = sound.DEFAULT_TEMPO
    instrument: str = "organ"

    def __post_init__(self) -> None:
        sound.find_instrument(self.instrument)
        slowest, fastest = sound.TEMPI
        if not slowest <= self.tempo <= fastest:
            raise ChoraleError(
                f"The tempo must be {slowest} to {fastest} quarter notes a minute, got "
                f"{self.tempo:g}."
            )
        if not self.title.isprintable():
            raise ChoraleError(f"The title must be one line of text, got {self.title!r:.60}.")


_EXPORTERS: dict[str, Callable[[Parts, Presentation], bytes]] = {
    "musicxml": lambda parts, of: score.to_musicxml(parts, of.title, of.tempo).encode(),
    "mid": lambda parts, of: sound.to_midi(parts, of.tempo, of.instrument, of.title),
    "svg": lambda parts, of: score.to_svg(parts, of.title, of.tempo).encode(),
    "pdf": lambda parts, of: score.to_pdf(parts, of.title, of.tempo),
    "wav": lambda parts, of: sound.to_wav(parts, of.tempo, of.instrument),
    "ogg": lambda parts, of: encode_ogg(sound.render(parts, of.tempo, of.instrument)),
}
FORMATS = tuple(_EXPORTERS)


def list_default_formats() -> tuple[list[str], list[str]]:
    """The formats written if none is named, and for each that this machine cannot write, why."""
    reasons = {name: find_format_error(name) for name in FORMATS if name != "ogg"}
    able = [name for name, reason in reasons.items() if reason is None]
    return able, [str(reason) for reason in reasons.values() if reason is not None]


def check_formats(formats: Sequence[str]) -> None:
    """Check that all formats are known and can be written here, before anything is composed.

    Raises:
        ChoraleError: no format, or an unknown one.
        SluiceError: one that this machine cannot write.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        problem = f"There is no format {unknown[0]!r}" if unknown else "No format was given"
        raise ChoraleError(f"{problem}; the formats are {', '.join(FORMATS)}.")
    for reason in map(find_format_error, formats):
        if reason is not None:
            raise reason


def write_pieces(
    pieces: Sequence[Parts],
    out: StrPath,
    formats: Sequence[str],
    presentations: Sequence[Presentation],
) -> list[Path]:
    """Write each piece in each format, named by its title; returns the paths.

    All files of a piece are generated before the first of them is written.

    Raises:
        ChoraleError: an unknown format, or a score that does not fit on a page.
        MissingExtraError: a library that a format needs is not installed.
        OSError: the folder cannot be made or written to.
    """
    check_formats(formats)
    named = zip(pieces, presentations, name_pieces(presentations), strict=True)
    return [
        path
        for parts, one, name in named
        for path in write_piece(parts, Path(out) / name, formats, one)
    ]


def name_pieces(presentations: Iterable[Presentation]) -> Iterator[str]:
    """A file name without its ending from each title, numbered where two are alike."""
    names: set[str] = set()
    counts = Counter[str]()
    for one in presentations:
        words = "".join(c if c.isalnum() else " " for c in one.title.lower())
        name = base = "-".join(words.split())[:80] or "chorale"
        while name in names:
            counts[base] += 1
            name = f"{base}-{counts[base] + 1}"
        names.add(name)
        yield name


def write_piece(
    parts: Parts, stem: StrPath, formats: Sequence[str], presentation: Presentation
) -> list[Path]:
    """Write one piece beside `stem`, which lacks its ending; as `write_pieces`."""
    contents = {
        Path(f"{os.fspath(stem)}.{ending}"): _EXPORTERS[ending](parts, presentation)
        for ending in formats
    }
    for path, content in contents.items():
        write_atomically(path, content)
    return list(contents)
