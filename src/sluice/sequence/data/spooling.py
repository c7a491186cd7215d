"""Standard input and gzip'd files as plain files, for as long as they are read."""

from __future__ import annotations

import gzip
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from sluice.files import StrPath
from sluice.sequence.data.report import LoadReport, make_read_error
from sluice.sequence.errors import DataError

STANDARD_INPUT = "-"
"""The path that stands for standard input."""
_STDIN_NAME = "standard input"
_PIECE = 1 << 20


class Spool:
    """Plain files in place of what is not one, and their names in messages."""

    def __init__(self, folder: StrPath) -> None:
        self._folder, self._shown = folder, dict[str, str]()

    def add(self, path: StrPath) -> Path:
        """The file itself, or a plain copy.

        Raises:
            DataError: it cannot be read, or is not gzip.
        """
        path = Path(path)
        if str(path) == STANDARD_INPUT:
            return self._copy(sys.stdin.buffer, _STDIN_NAME, _STDIN_NAME)
        if path.suffix.lower() != ".gz":
            return path
        try:
            with gzip.open(path) as file:
                return self._copy(cast("BinaryIO", file), path.stem, str(path))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path} is not a whole gzip file ({error}).") from None
        except OSError as error:
            raise make_read_error(path, error) from None

    def _copy(self, source: BinaryIO, name: str, shown: str) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        copy = folder / name
        with copy.open("wb") as file:
            shutil.copyfileobj(source, file, _PIECE)
        self._shown[str(copy)] = shown
        return copy

    @property
    def has_copies(self) -> bool:
        """Whether anything was copied."""
        return bool(self._shown)

    def rename(self, text: str) -> str:
        """A message in which copies have the names of what they are copies of."""
        for copy, shown in self._shown.items():
            text = text.replace(copy, shown)
        return text

    def rename_report(self, report: LoadReport) -> LoadReport:
        """The report with the names of what was copied."""
        items = [replace(one, source=self.rename(one.source)) for one in report.skipped_items]
        return replace(report, skipped_items=tuple(items))


@contextmanager
def open_spool() -> Iterator[Spool]:
    """A spool whose copies are removed at the end of the ``with`` block, and named in errors."""
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        spool = Spool(Path(folder))
        try:
            yield spool
        except DataError as error:
            raise DataError(spool.rename(str(error))) from None


def strip_gzip(files: Iterable[StrPath]) -> list[Path]:
    """The names that files have once they are unpacked.

    >>> [path.name for path in strip_gzip(["a.csv.gz", "b.csv"])]
    ['a.csv', 'b.csv']
    """
    paths = map(Path, files)
    return [path.with_suffix("") if path.suffix.lower() == ".gz" else path for path in paths]
