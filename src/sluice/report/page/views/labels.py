"""Labels of a sequence or of its steps, and how their probabilities change over time."""

from __future__ import annotations

from torch import Tensor

from sluice.report.page.forward import ForwardRecord
from sluice.report.page.pack import pack_tensor
from sluice.report.page.view_inputs import LabelsView, SeriesView
from sluice.report.page.views.series import pack_columns

_MOST_LABELS = 12
"""Drawn at most, unless more are true: those whose probability is highest anywhere."""


def pack_labels(
    view: LabelsView, forward: ForwardRecord, sequence: int
) -> dict[str, object] | None:
    """Probabilities ``(rows, labels)``, the step of each row, and the true labels.

    With one label a sequence the probabilities are those had the sequence ended at that step.
    """
    chances, steps = forward.label_chances, forward.label_steps
    if chances is None or steps is None:
        return None
    start, stop = forward.window
    true = _list_true(forward.true_classes, start, stop)
    kept = _select_labels(chances, true)
    series = view.read if isinstance(view.read, SeriesView) else None
    return {
        "kind": "labels",
        "perStep": view.per_step,
        "names": [view.labels[k] for k in kept],
        "count": len(view.labels),
        "steps": steps.tolist(),
        "chances": pack_tensor(chances[:, kept]),
        "true": [None if k is None else kept.index(k) for k in true],
        "time": series.time_name if series else "",
        "columns": pack_columns(series.columns, series.values[sequence][start:stop])
        if series
        else [],
    }


def _list_true(classes: Tensor | None, start: int, stop: int) -> list[int | None]:
    """The true label of each shown step, or the only one; None where it is unknown."""
    if classes is None:
        return [None]
    known = classes[start:stop] if classes.dim() else classes.reshape(1)
    return [None if k < 0 else int(k) for k in known.tolist()]


def _select_labels(chances: Tensor, true: list[int | None]) -> list[int]:
    """The true labels and the most probable ones, in the order of the model's outputs."""
    present = [k for k in dict.fromkeys(true) if k is not None]
    likely = chances.amax(0).argsort(descending=True, stable=True).tolist()
    return sorted(list(dict.fromkeys(present + likely))[: max(_MOST_LABELS, len(present))])
