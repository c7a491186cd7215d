"""First values of parameters: torch's own distribution, and what is known to help memory."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sluice.cells.cell import Cell
from sluice.equations.specs import Sizes


def init_parameters(cell: Cell, sizes: Sizes, parameters: Mapping[str, Tensor]) -> None:
    """Draw one layer's parameters, named as the graph names them, in torch's order.

    Each is uniform in ±1/√hidden, as in `torch.nn.LSTM`, or constant where the cell says so. What
    is a part of the definition is as that says. Raises ValueError where its shape is wrong.
    """
    bound, fixed = 1.0 / math.sqrt(sizes.hidden), cell.compute_constants(sizes)
    for parameter in cell.graph.parameters:
        if parameter.name in parameters:
            tensor = parameters[parameter.name]
            if not parameter.learned:
                known = fixed.get(parameter.name)  # None for a cell of a text, until loaded
                tensor.fill_(math.nan) if known is None else tensor.copy_(known)
            elif parameter.initial is None:
                nn.init.uniform_(tensor, -bound, bound)
            else:
                nn.init.constant_(tensor, parameter.initial)


def init_forget_bias(
    cell: Cell, sizes: Sizes, parameters: Mapping[str, Tensor], value: float
) -> None:
    """Set the bias of the forget gate (Jozefowicz et al. 2015).

    Raises ValueError where the cell has no such gate, or no biases.
    """
    biases = _gate_biases(cell, sizes, parameters, cell.forget_gate_name, "forget_bias")
    _set_sum(biases, torch.full_like(biases[0], value))


def init_chrono(cell: Cell, sizes: Sizes, parameters: Mapping[str, Tensor], longest: float) -> None:
    """Chrono initialisation for memories of up to ``longest`` steps (Tallec & Ollivier 2018,
    equation 16): the bias of the forget gate is ln u with u uniform in [1, longest − 1], and
    that of the input gate, where there is one, its negative.

    Raises ValueError where the cell has no forget gate, no biases, or ``longest`` is under 2.
    """
    if not longest >= 2:
        raise ValueError(f"chrono= must be the longest memory in steps, at least 2, got {longest}")
    kept = _gate_biases(cell, sizes, parameters, cell.forget_gate_name, "chrono")
    drawn = torch.empty_like(kept[0]).uniform_(1.0, longest - 1.0).log_()
    _set_sum(kept, drawn)
    if cell.input_gate_name:
        _set_sum(_gate_biases(cell, sizes, parameters, cell.input_gate_name, "chrono"), -drawn)


def _set_sum(biases: list[Tensor], value: Tensor) -> None:
    for extra in biases[1:]:
        extra.zero_()
    biases[0].copy_(value)


def _gate_biases(
    cell: Cell, sizes: Sizes, parameters: Mapping[str, Tensor], gate: str | None, option: str
) -> list[Tensor]:
    """The rows of the biases that add up in ``gate``."""
    if gate is None:
        raise ValueError(
            f"{option}= needs the name of the gate that keeps the state; set "
            f"forget_gate_name in {cell.name}"
        )
    found = []
    for stack in cell.graph.stacks:
        rows = stack.bias_ranges(sizes)
        if gate in rows and f"bias_{stack.name}" in parameters:
            found.append(parameters[f"bias_{stack.name}"].detach().narrow(0, *rows[gate]))
    if not found:
        raise ValueError(f"{option}= sets a bias of gate '{gate}', but {cell.name} has none here")
    return found
