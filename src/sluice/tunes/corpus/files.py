"""The files of tunes in folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sluice.files import StrPath
from sluice.tunes.errors import NoTunesError

SUFFIXES = (".abc", ".txt", ".text", ".json", ".csv", ".tsv", "")
"""Of the files that are opened, in lower case; folk-rnn's have none."""


class SkippedFile(NamedTuple):
    """A file or folder that was left out, and why."""

    path: str
    reason: str

    @property
    def place(self) -> str:
        """The path."""
        return self.path

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class FoundFiles(NamedTuple):
    """Files to read, and what was left out."""

    files: list[Path]
    skipped: list[SkippedFile]


def find_files(folder: StrPath) -> FoundFiles:
    """The files of tunes in and below a folder, sorted, each once, also by links.

    Hidden files and folders are passed over. Files with other suffixes than `SUFFIXES` are counted
    among the skipped, one entry for all of them.

    Raises:
        NoTunesError: there is no file with one of the suffixes.
    """
    folder, skipped = Path(folder), list[SkippedFile]()
    files: list[Path] = []
    others: Counter[str] = Counter()
    for path in _walk(folder, skipped):
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            others[suffix] += 1
        elif not path.is_file():
            skipped.append(SkippedFile(str(path), "no file that can be opened"))
        else:
            files.append(path)
    if not files:
        raise NoTunesError(
            f"The folder {folder} holds no .abc file, nor one of text, JSON or CSV; give a folder "
            "or file of tunes."
        )
    if others:
        kinds = ", ".join(sorted(others))
        number = others.total()
        noun = "a file" if number == 1 else f"{number} files"
        reason = f"{noun} of another kind ({kinds}), not opened"
        skipped.append(SkippedFile(str(folder), reason))
    return FoundFiles(files, skipped)


def _walk(folder: Path, skipped: list[SkippedFile]) -> Iterator[Path]:
    """All but hidden files; folders that links repeat are entered once."""

    def skip(error: OSError) -> None:
        reason = f"cannot be opened ({error.strerror or error})"
        skipped.append(SkippedFile(str(error.filename or folder), reason))

    seen = {os.path.realpath(folder)}
    for here, folders, names in os.walk(folder, onerror=skip, followlinks=True):
        real = {name: os.path.realpath(Path(here, name)) for name in _select_visible(folders)}
        folders[:] = [name for name in sorted(real) if real[name] not in seen]
        seen.update(real.values())
        yield from (Path(here, name) for name in _select_visible(names))


def _select_visible(names: Sequence[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("."))
