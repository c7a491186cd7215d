"""The probability of each label after every step."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.report.page.inputs import ReportInputs
from sluice.report.page.view_inputs import LabelsView

_MOST_PREFIXES = 100
"""Each is a run of its own."""


def measure_label_chances(
    inputs: ReportInputs, sequence: int, window: tuple[int, int], outputs: Tensor
) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Probabilities ``(rows, labels)``, float64, and the step of each row from the first shown.

    A model with one label a sequence is run on the sequence cut off after a step: after every step
    of at most 100, else after 100 of them, evenly spaced, the last among them. None without labels.
    """
    start, stop = window
    if not isinstance(inputs.view, LabelsView):
        return None, None
    if inputs.view.per_step:
        return outputs[start:stop].detach().double().softmax(-1), torch.arange(stop - start)
    count = min(_MOST_PREFIXES, stop - start)
    steps = torch.linspace(0, stop - start - 1, count, dtype=torch.float64).round().long()
    with torch.no_grad():
        logits = [
            inputs.call(inputs.model, sequence, start + step + 1).reshape(-1)
            for step in steps.tolist()
        ]
    return torch.stack(logits).double().softmax(-1), steps
