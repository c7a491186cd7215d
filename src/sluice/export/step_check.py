"""What runs one step at a time in another language, beside what it was written from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy

import torch
from torch import Tensor

from sluice.export.comparison import find_tolerance, measure_difference
from sluice.export.layer_graph import round_rows
from sluice.nn.stack import RecurrentStack
from sluice.run.dispatch import REFERENCE
from sluice.sequence.models import LanguageModel

STEPS = (12, 1, 7)
"""The lengths of the sequences that are compared."""


def check_steps(
    module: RecurrentStack | LanguageModel,
    inputs: Mapping[str, int],
    run: Callable[[list[Tensor]], list[Tensor]],
    *,
    int8: bool,
) -> float:
    """The greatest difference between a program and ``module`` in float64.

    Args:
        module: What the program was written from.
        inputs: The widths of the cell's inputs beside x, by name.
        run: Runs the program on sequences, each from its start: on ids, int32 ``(time, 1)``, or on
            all inputs side by side, float32 ``(time, width)``; gives what the steps of each give.
        int8: Whether the program's matrices are rounded.

    Raises:
        ExportError: the difference is more than rounding explains.
    """
    own, worst = deepcopy(module).cpu().eval(), 0.0
    layer = own if isinstance(own, RecurrentStack) else own.layers
    layer.backend = REFERENCE
    if int8:
        with torch.no_grad():
            for tensor in (*own.parameters(), *own.buffers()):
                tensor.copy_(round_rows(tensor))
    exact = deepcopy(own).double()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        given = [_draw_inputs(own, inputs, steps) for steps in STEPS]
        found = run([_join(list(one.values())) for one in given])
        for number, (steps, one, ours) in enumerate(zip(STEPS, given, found, strict=True)):
            expected, rounded = ({"output": _call(model, one)} for model in (exact, own))
            tolerance = find_tolerance(rounded, expected, torch.float32)
            case = f"check {number + 1} ({steps} steps)"
            shaped = {"output": ours.view(steps, -1)}
            worst = max(worst, measure_difference(shaped, expected, tolerance, case))
    return worst


def _draw_inputs(
    module: RecurrentStack | LanguageModel, inputs: Mapping[str, int], steps: int
) -> dict[str, Tensor]:
    if isinstance(module, LanguageModel):
        return {"tokens": torch.randint(module.config.vocabulary_size, (steps, 1))}
    found = {"input": torch.randn(steps, 1, module.input_size)}
    return found | {name: torch.rand(steps, 1, width) for name, width in inputs.items()}


def _join(inputs: list[Tensor]) -> Tensor:
    """Ids as they are, or all inputs of a step side by side: ``(time, width)``."""
    rows = [one.flatten(1) for one in inputs]
    return torch.cat(rows, 1) if rows[0].is_floating_point() else rows[0].int()


def _call(module: RecurrentStack | LanguageModel, given: dict[str, Tensor]) -> Tensor:
    """The outputs of all steps, ``(time, width)``."""
    dtype = next(module.parameters()).dtype
    first, *beside = (one.to(dtype) if one.is_floating_point() else one for one in given.values())
    named = dict(zip(list(given)[1:], beside, strict=True))
    time_major = not (isinstance(module, RecurrentStack) and module.batch_first)
    if not time_major:
        first, named = first.transpose(0, 1), {n: t.transpose(0, 1) for n, t in named.items()}
    y: Tensor = module(first, **named)[0]
    return y.reshape(len(next(iter(given.values()))), -1)
