"""What is compared: cells, lags, seeds, learning rates, and what all runs share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import NamedTuple

from sluice.cells.cell import Cell
from sluice.cells.registry import get_cell
from sluice.equations.specs import PROJECTION, Sizes
from sluice.errors import SluiceError
from sluice.nn.options import resolve_sizes
from sluice.report.tasks import LagTask, list_tasks

STARTS = ("chrono", "forget", "plain")
MATCHES = ("hidden", "parameters")
SOLVED = 0.95
"""The score from which on a task counts as solved."""
VALIDATION_SEQUENCES = 256
"""Sequences, never trained on, that a run is judged by."""


class ComparisonError(SluiceError, ValueError):
    """A comparison that cannot be made; the message says what to do."""


class TrialSpec(NamedTuple):
    """One training: which cell, on which lag, from which seed, at which learning rate."""

    cell: str
    lag: int
    seed: int
    rate: float


@dataclass(frozen=True)
class ComparisonSettings:
    """What is compared, and how; see `sluice.report.compare.compare`.

    Raises:
        ComparisonError: anything out of its range, with what there is.
    """

    cells: dict[str, Cell]
    task: LagTask
    lags: tuple[int, ...]
    seeds: int
    rates: tuple[float, ...]
    hidden: int
    steps: int
    batch: int
    match: str
    start: str

    def __post_init__(self) -> None:
        for name, least in (("seeds", 1), ("hidden", 1), ("steps", 1), ("batch", 1)):
            _require(getattr(self, name) >= least, f"{name} is at least 1", getattr(self, name))
        _require(bool(self.lags), "there is at least one lag", "none")
        least = self.task.least_lag
        _require(
            min(self.lags) >= least,
            f"a lag of '{self.task.name}' is at least {least} steps",
            min(self.lags),
        )
        _require(
            bool(self.rates) and all(isfinite(rate) and rate > 0 for rate in self.rates),
            "learning rates are numbers above 0",
            list(self.rates),
        )
        _require(self.match in MATCHES, f"match is {' or '.join(MATCHES)}", self.match)
        _require(self.start in STARTS, f"start is {', '.join(STARTS[:-1])} or plain", self.start)
        self._require_memory()

    def list_trials(self) -> list[TrialSpec]:
        """All trainings: every cell at every lag from one seed, before the next seed begins."""
        return [
            TrialSpec(cell, lag, seed, rate)
            for seed in range(self.seeds)
            for lag in self.lags
            for cell in self.cells
            for rate in self.rates
        ]

    def sizes(self, cell: str) -> Sizes:
        """The sizes of a cell's layer: of equal width, or of about as many parameters."""
        graph = self.cells[cell]
        if self.match == "hidden":
            return _build_sizes(graph, self.task, self.hidden)
        target = self.target_parameters
        found = 1
        while self.count_parameters(cell, _build_sizes(graph, self.task, found)) < target:
            found += 1
        candidates = [_build_sizes(graph, self.task, size) for size in (max(1, found - 1), found)]
        return min(candidates, key=lambda sizes: abs(self.count_parameters(cell, sizes) - target))

    @property
    def target_parameters(self) -> int:
        """How many parameters the first cell has at the hidden size asked for."""
        first = next(iter(self.cells))
        return self.count_parameters(first, _build_sizes(self.cells[first], self.task, self.hidden))

    def count_parameters(self, cell: str, sizes: Sizes) -> int:
        """The parameters of a cell's layer and of the readout."""
        graph = self.cells[cell].graph
        width = sum(map(sizes.of, graph.output_widths))
        layer = sum(prod(parameter.shape(sizes)) for parameter in graph.parameters)
        return layer + (width + 1) * self.task.outputs

    def common_settings(self) -> dict[str, object]:
        """What all runs that may lie in one folder have in common, as JSON."""
        return {
            "task": self.task.name,
            "hidden": self.hidden,
            "steps": self.steps,
            "batch": self.batch,
            "parameters": self.target_parameters if self.match == "parameters" else "as they come",
            "start": self.start,
        }

    def _require_memory(self) -> None:
        steps = max(max_sequence_length(self.task, lag) for lag in self.lags)
        widest = max(len(cell.graph.outputs_by_name) for cell in self.cells.values()) * self.hidden
        needed = 4 * 3 * VALIDATION_SEQUENCES * steps * (widest + self.task.features)
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if needed > there / 2:
            raise ComparisonError(
                f"a lag of {max(self.lags)} steps takes about {needed / 2**30:,.0f} GiB to judge, "
                f"but this machine has {there / 2**30:,.0f}; ask for shorter lags or a smaller "
                "hidden size"
            )


def max_sequence_length(task: LagTask, lag: int) -> int:
    """An upper bound of the length of a task's sequences."""
    return 2 * lag + task.answers + 1


def find_task(name: str) -> LagTask:
    """A task by its name. Raises `ComparisonError` where there is none."""
    if name not in list_tasks():
        raise ComparisonError(f"task must be one of {', '.join(list_tasks())}, got {name!r}")
    return list_tasks()[name]


def load_cells(cells: Iterable[str | Cell | type[Cell]]) -> dict[str, Cell]:
    """Cells by their names. Raises `ComparisonError` for unknown ones, none, or one name twice."""
    found: dict[str, Cell] = {}
    for one in cells:
        try:
            cell = (
                get_cell(one) if isinstance(one, str) else one() if isinstance(one, type) else one
            )
            name = cell.graph.name
        except ValueError as error:
            raise ComparisonError(str(error)) from None
        if name in found:
            raise ComparisonError(f"the cell {name} is given twice; name each once")
        found[name] = cell
    if not found:
        raise ComparisonError("cells must name at least one cell, got none")
    return found


def sort_lags(lags: Sequence[int]) -> tuple[int, ...]:
    """Lags, the shortest first, each once."""
    return tuple(sorted(set(lags)))


def _build_sizes(cell: Cell, task: LagTask, hidden: int) -> Sizes:
    projection = max(1, hidden // 2) if PROJECTION in cell.graph.width_names else 0
    return Sizes(task.features, hidden, projection, resolve_sizes(cell, None))


def _require(holds: bool, message: str, value: object) -> None:
    if not holds:
        raise ComparisonError(f"{message}, got {value}")
