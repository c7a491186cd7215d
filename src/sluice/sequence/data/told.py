"""What loading tells: what was understood, what was refused and where, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from sluice.sequence.errors import DataError

_SHOWN = 20


@dataclass(frozen=True)
class Refused:
    """A file, row or sequence that was left out: where it stands, and why.

    `line` counts from 1; it is None where a whole file was left out.
    """

    source: str
    line: int | None
    reason: str

    @classmethod
    def whole(cls, path: Path, error: Exception) -> Refused:
        """A whole file, for what an error says of it."""
        said = str(error).removeprefix(f"{path} ").removesuffix(".")
        return cls(str(path), None, said)

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place}: {self.reason}"


@dataclass(frozen=True)
class Told:
    """What was understood (a sentence), what else there is to know, and all that was refused."""

    understood: str = ""
    notes: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()

    def report(self) -> str:
        """All of it as lines of text; of many refusals the first twenty and how many there are."""
        lines = [self.understood, *self.notes]
        if self.refused:
            lines.append(f"{len(self.refused)} refused:")
            lines += [f"  {refused}" for refused in self.refused[:_SHOWN]]
        if len(self.refused) > _SHOWN:
            lines.append(f"  and {len(self.refused) - _SHOWN} more")
        return "\n".join(lines)


class Reading(NamedTuple):
    """How far reading has come: what is being done, and bytes of the files done and in all."""

    doing: str
    done: int
    total: int


OnReading = Callable[[Reading], None]


def silently(reading: Reading) -> None:
    """Show nothing."""


@contextmanager
def reading_bar(console: Console | None = None) -> Iterator[OnReading]:
    """A bar on the terminal, to be given to `load` as `on_reading`; it goes away when done.

    >>> import io
    >>> with reading_bar(Console(file=io.StringIO())) as show:
    ...     show(Reading("encoding", 3, 4))
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
            task, description=reading.doing, completed=reading.done, total=reading.total
        )


def unreadable(path: Path, error: OSError) -> DataError:
    """The sentence for a file that cannot be opened or read."""
    return DataError(f"Cannot read {path}: {error.strerror or error}; check the path.")


def count(number: int, noun: str) -> str:
    """A number and its noun.

    >>> count(1, "sequence"), count(1200, "step"), count(2, "series")
    ('1 sequence', '1,200 steps', '2 series')
    """
    return f"{number:,} {noun if number == 1 or noun.endswith('s') else noun + 's'}"
