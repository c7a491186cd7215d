"""Reports on loading: what was read, what was skipped and where, and the progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from sluice.files import StrPath
from sluice.sequence.errors import DataError

_SHOWN = 20


@dataclass(frozen=True)
class SkippedItem:
    """A file, row or sequence that was skipped: where, and why.

    `line` counts from 1; it is None for a whole file.
    """

    source: str
    line: int | None
    reason: str

    @classmethod
    def from_file_error(cls, path: StrPath, error: Exception) -> SkippedItem:
        """A whole file, with the error's message as the reason."""
        reason = str(error).removeprefix(f"{path} ").removesuffix(".")
        return cls(str(path), None, reason)

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place}: {self.reason}"


@dataclass(frozen=True)
class LoadReport:
    """What was read (a sentence), further notes, and everything that was skipped."""

    summary: str = ""
    notes: tuple[str, ...] = ()
    skipped_items: tuple[SkippedItem, ...] = ()

    def to_text(self) -> str:
        """The report as lines of text, with the first twenty skipped items."""
        lines = [self.summary, *self.notes]
        if self.skipped_items:
            lines.append(f"{len(self.skipped_items)} skipped:")
            lines += [f"  {item}" for item in self.skipped_items[:_SHOWN]]
        if len(self.skipped_items) > _SHOWN:
            lines.append(f"  and {len(self.skipped_items) - _SHOWN} more")
        return "\n".join(lines)


class LoadProgress(NamedTuple):
    """Progress of loading: the stage, the bytes read, and the bytes in all."""

    stage: str
    bytes_done: int
    total_bytes: int


OnReading = Callable[[LoadProgress], None]


def ignore_progress(progress: LoadProgress) -> None:
    """Do nothing: the default callback."""


@contextmanager
def show_load_progress(console: Console | None = None) -> Iterator[OnReading]:
    """A progress bar on the terminal, for `load_data(path, on_reading=...)`; removed when done.

    >>> import io
    >>> with show_load_progress(Console(file=io.StringIO())) as show:
    ...     show(LoadProgress("encoding", 3, 4))
    """
    console = console or Console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("reading", total=None)
        yield lambda reading: bar.update(
            task, description=reading.stage, completed=reading.bytes_done, total=reading.total_bytes
        )


def make_read_error(path: StrPath, error: OSError) -> DataError:
    """The error for a file that cannot be opened or read."""
    return DataError(f"Cannot read {path}: {error.strerror or error}; check the path.")


def pluralize(number: int, noun: str) -> str:
    """A number and its noun.

    >>> pluralize(1, "sequence"), pluralize(1200, "step"), pluralize(2, "series")
    ('1 sequence', '1,200 steps', '2 series')
    """
    return f"{number:,} {noun if number == 1 or noun.endswith('s') else noun + 's'}"
