"""Times of several functions, measured in one run, and tables of them that are saved.

`measure_paired` gives quiet figures: each round gives every function a block of calls of about
`BLOCK` seconds, after a pause in which the threads of the one before (OpenMP's and onnxruntime's
spin for a while) go to sleep, and a call that does not count. `measure_in_turns` gives what a
program meets.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sluice import doctor

BLOCK, PAUSE = 0.1, 0.05
RESULTS = Path(__file__).parent / "results"


def measure_paired(
    functions: Mapping[str, Callable[[], object]], rounds: int = 5, block: float = BLOCK
) -> dict[str, float]:
    """The median over rounds of each function's seconds a call."""
    counts = {name: _fit_calls(function, block) for name, function in functions.items()}
    found: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            time.sleep(PAUSE)
            function()
            found[name].append(_seconds(function, counts[name]))
    return {name: statistics.median(times) for name, times in found.items()}


def measure_in_turns(
    functions: Mapping[str, Callable[[], object]],
    between: Callable[[], object],
    seconds: float = 1.5,
    least: int = 9,
) -> dict[str, float]:
    """The median of each function's seconds a call, called by turns with ``between`` before each.

    That is how a program calls a layer: other operators run just before, and the threads of their
    runtime have not gone to sleep yet. All get ``seconds`` together, and ``least`` calls each.
    """
    found: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(found.values()))) < least:
        for name, function in functions.items():
            between()
            found[name].append(_seconds(function, 1))
    return {name: statistics.median(times) for name, times in found.items()}


def _fit_calls(function: Callable[[], object], block: float) -> int:
    """The number of calls that take ``block`` seconds, after the first, slow ones."""
    count = 1
    while (spent := _seconds(function, count)) * count < block / 4:
        count *= 2
    return max(1, round(block / spent))


def _seconds(function: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        function()
    return (time.perf_counter() - start) / count


class Report:
    """A table that is filled row by row, printed, and saved in `bench/results/` as Markdown."""

    def __init__(self, name: str, title: str, columns: list[str], notes: list[str]) -> None:
        self.path = RESULTS / f"{name}.md"
        self.title, self.columns, self.notes = title, columns, notes
        self.rows: list[list[str]] = []
        self.console = Console(width=170)
        self.console.print(title)

    def add(self, *cells: str) -> None:
        """Add a row and print it."""
        self.rows.append(list(cells))
        self.console.print("  ".join(f"{cell:>10}" for cell in cells))

    def keep(self, merge: int = 0) -> None:
        """Print the table, and save it.

        With ``merge``, rows of the saved table stay unless one here begins with the same cells, of
        which ``merge`` count.
        """
        table = Table(title=self.title)
        for column in self.columns:
            table.add_column(column, justify="right")
        for row in self.rows:
            table.add_row(*row)
        self.console.print(table)
        self.rows = self._merge_saved(merge) if merge else self.rows
        lines = [f"# {self.title}", "", *self.notes, ""]
        lines += ["| " + " | ".join(self.columns) + " |", "|" + "---:|" * len(self.columns)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        lines += ["", f"Measured on {date.today()}:", ""]
        lines += [f"- {name}: {value}" for name, value in doctor.describe_machine().items()]
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.console.print(f"kept in {self.path}")

    def _merge_saved(self, count: int) -> list[list[str]]:
        """The saved rows with those measured now in their places, new ones at the end."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        table = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
        if not table or table[0] != self.columns:
            return self.rows
        rows = {tuple(row[:count]): row for row in table[1:]}
        rows.update({tuple(row[:count]): row for row in self.rows})
        return list(rows.values())
