"""More of the data for the page: at which thresholds each unit is active there."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.insight.measures.regression import flatten_steps, standardise
from sluice.report.page.axes import list_steps
from sluice.report.page.forward import ForwardRecord, StateDataset
from sluice.report.page.inputs import ReportInputs
from sluice.report.page.pack import pack_levels

THRESHOLDS = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
"""In standard deviations above a unit's mean: those that the page's slider has."""
USUAL = THRESHOLDS.index(1.0)
SPAN = 8


def pack_survey(
    inputs: ReportInputs, forward: ForwardRecord, dataset: StateDataset, sequence: int
) -> dict[str, object]:
    """The sequences read, what is read in them, and where the shown one is cut into spans."""
    numbers = dataset.sequence_ids
    axes = []
    for axis in forward.windows:
        lengths = dataset.axis_lengths.get(axis, torch.zeros(len(numbers), dtype=torch.int64))
        tokens = [
            list_steps(inputs, number, axis)[:steps]
            for number, steps in zip(numbers, lengths.tolist(), strict=True)
        ]
        axes.append({"name": axis, "lengths": lengths.tolist(), "tokens": tokens})
    return {
        "thresholds": THRESHOLDS,
        "usual": USUAL,
        "names": [inputs.names[k] if inputs.names else f"sequence {k}" for k in numbers],
        "sequence": numbers.index(sequence) if sequence in numbers else None,
        "axes": axes,
        "edges": [
            span_edges(
                inputs.spans[sequence] if inputs.spans is not None and not k else None, *window
            )
            for k, window in enumerate(forward.windows.values())
        ],
    }


def span_edges(marks: object, start: int, stop: int) -> list[int]:
    """The first steps of the spans within the shown steps; 0 is ``start``."""
    if isinstance(marks, list | tuple):
        return sorted({0, *(mark - start for mark in marks if start < mark < stop)})
    return list(range(0, stop - start, SPAN))


def pack_reached(shown: Tensor, surveyed: Tensor, lengths: Tensor) -> dict[str, object]:
    """How many of `THRESHOLDS` each unit reaches, at the shown steps and in the survey.

    Args:
        shown: The state's units at the shown steps, ``(time, units)``.
        surveyed: The same of all sequences read, ``(time, batch, units)``; means and standard
            deviations are taken over it.
        lengths: The steps of each, ``(batch,)``.
    """
    rows, means, deviations = standardise(flatten_steps(surveyed, lengths))
    return {
        "shown": pack_levels(_count_reached((shown.double() - means) / deviations)),
        "survey": pack_levels(_count_reached(rows)),
    }


def _count_reached(values: Tensor) -> Tensor:
    thresholds = torch.tensor(THRESHOLDS, dtype=values.dtype, device=values.device)
    return torch.bucketize(values.detach().contiguous(), thresholds, right=True)
