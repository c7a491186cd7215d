"""Tunes written into files: ABC, MIDI, score, sound."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sluice.errors import SluiceError
from sluice.extras import MissingExtraError
from sluice.files import StrPath, write_atomically
from sluice.tunes.errors import TuneError
from sluice.tunes.tune import Tune

_EXPORTERS: dict[str, Callable[[Tune], bytes]] = {
    "abc": lambda tune: tune.abc().encode(),
    "mid": Tune.midi,
    "svg": lambda tune: tune.svg().encode(),
    "pdf": Tune.pdf,
    "wav": Tune.wav,
    "ogg": Tune.ogg,
}
FORMATS = tuple(_EXPORTERS)
_REQUIRED_LIBRARIES = {
    "mid": ("mido",),
    "svg": ("verovio",),
    "pdf": ("verovio", "cairosvg"),
    "ogg": ("soundfile",),
}


def list_default_formats() -> tuple[list[str], list[str]]:
    """The formats written if none is named, and for each that this machine cannot write, why."""
    reasons = {name: find_format_error(name) for name in FORMATS if name != "ogg"}
    able = [name for name, reason in reasons.items() if reason is None]
    return able, [str(reason) for reason in reasons.values() if reason is not None]


def check_formats(formats: Sequence[str]) -> None:
    """Check that all formats are known and can be written here, before a tune is composed.

    Raises:
        TuneError: no format, an unknown one, or one that this machine cannot write.
        MissingExtraError: a library that a format needs is not installed.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        problem = f"There is no format {unknown[0]!r}" if unknown else "No format was given"
        raise TuneError(f"{problem}; the formats are {', '.join(FORMATS)}.")
    for reason in map(find_format_error, formats):
        if reason is not None:
            raise reason


def find_format_error(ending: str) -> SluiceError | None:
    """Why a format cannot be written on this machine, if it cannot."""
    for library in _REQUIRED_LIBRARIES.get(ending, ()):
        if importlib.util.find_spec(library) is None:
            return MissingExtraError(library, "tunes")
        try:
            importlib.import_module(library)
        except OSError:  # what the library itself stands on: cairo, libsndfile
            return TuneError(
                f"Files of {ending} need what {library} stands on, and this system lacks it "
                "(cairo: the package libcairo2 or `brew install cairo`); leave them out."
            )
    return None


def write_tunes(
    tunes: Sequence[Tune], out: StrPath, formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Write one ABC file of all tunes, and each tune's score and sound; returns their paths.

    All contents are generated before any file is written.

    Raises:
        TuneError: an unknown format.
        OSError: the folder cannot be made or written to.
        MissingExtraError: a library that a format needs is not installed.
    """
    check_formats(formats)
    out = Path(out)
    names = list(_make_file_names(tunes))
    contents: dict[Path, bytes] = {}
    if "abc" in formats:
        text = "\n".join(tune.abc(number=number) for number, tune in enumerate(tunes, 1))
        contents[out / f"{names[0]}.abc"] = text.encode()
    for name, tune in zip(names, tunes, strict=True):
        for ending in formats:
            if ending != "abc":
                contents[out / f"{name}.{ending}"] = _EXPORTERS[ending](tune)
    for path, content in contents.items():
        write_atomically(path, content)
    return list(contents)


def _make_file_names(tunes: Sequence[Tune]) -> Iterator[str]:
    """A file name from each title, numbered where two are alike."""
    seen: dict[str, int] = {}
    for tune in tunes:
        words = "".join(c if c.isalnum() else " " for c in tune.title.lower().replace("'", ""))
        name = "-".join(words.split())[:80] or "tune"
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"
