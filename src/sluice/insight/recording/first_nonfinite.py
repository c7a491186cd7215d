"""The first NaN or infinity of a recorded pass: its layer, value, step and sequence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.equations.graph import sort_topologically
from sluice.insight.recording.recorded import RecordedLayer, RecordedModule
from sluice.insight.recording.recorder import Tape
from sluice.nn.rnn_cells import SingleStepCell


@dataclass(frozen=True)
class NonFiniteValue:
    """A value that is not finite; ``str()`` of it is one sentence.

    Attributes:
        module: The module's name in the model, ``""`` for the model itself.
        layer: Its layer and direction, as ``"l0"`` or ``"l1_reverse"``.
        name: The named value, as ``"forget"``.
        step: Which time step, counted from 0.
        sequence: Which sequence of the batch, counted from 0.
        unit: Which unit, counted from 0.
        kind: ``"NaN"`` or ``"infinity"``.
        nonfinite_parameters: The parameters of the layer that are not finite themselves.
    """

    module: str
    layer: str
    name: str
    step: int
    sequence: int
    unit: int
    kind: str
    nonfinite_parameters: tuple[str, ...]

    def __str__(self) -> str:
        where = f"'{self.module}' {self.layer}" if self.module else self.layer
        cause = (
            f"; {', '.join(self.nonfinite_parameters)} of that layer already hold one"
            if self.nonfinite_parameters
            else ""
        )
        return (
            f"{self.kind} first appears in {where}, value '{self.name}', step {self.step}, "
            f"sequence {self.sequence}, unit {self.unit}{cause}"
        )


def find_first_nonfinite(tape: Tape) -> NonFiniteValue | None:
    """Where NaN or infinity first appears in a recorded forward pass.

    *First* is in the order of computing: the modules as the model lists them, the lowest layer of
    each, the earliest step in the layer's direction, and within a step the value that the
    equations compute first.

    Args:
        tape: A tape that has recorded a forward pass.

    Returns:
        A `NonFiniteValue`, or None where all is finite.

    Raises:
        RuntimeError: a module has recorded nothing.

    Example:
        >>> import torch, sluice
        >>> layer, x = sluice.nn.LSTM(3, 4), torch.zeros(5, 2, 3)
        >>> x[2, 1] = float("nan")
        >>> with sluice.record(layer) as tape:
        ...     y, _ = layer(x)
        >>> print(sluice.insight.find_first_nonfinite(tape))
        NaN first appears in l0, value 'input', step 2, sequence 1, unit 0
    """
    if not isinstance(tape, Tape):
        raise TypeError(f"give a tape, as sluice.record returns it, got {type(tape).__name__}")
    for name in tape:
        module = tape[name]
        for place, recorded in module.layers.items():
            found = _find_first(recorded, module)
            if found is not None:
                return NonFiniteValue(
                    name, place, *found, _find_nonfinite_parameters(module, place)
                )
    return None


def _find_first(
    recorded: RecordedLayer, module: RecordedModule
) -> tuple[str, int, int, int, str] | None:
    best: tuple[int, str, Tensor] | None = None
    reverse = recorded.is_reverse
    for name in (name for name in _sort_value_names(module) if name in recorded):
        wrong = (~recorded[name].isfinite()).nonzero()
        if len(wrong):
            row = wrong[wrong[:, 0] == (wrong[:, 0].max() if reverse else wrong[0, 0])][0]
            early = -int(row[0]) if reverse else int(row[0])
            if best is None or early < best[0]:
                best = (early, name, row)
    if best is None:
        return None
    _, name, row = best
    step, sequence, unit = row.tolist()
    kind = "NaN" if bool(recorded[name][step, sequence, unit].isnan()) else "infinity"
    return name, step * recorded.every, sequence, unit, kind


def _sort_value_names(module: RecordedModule) -> list[str]:
    """The names of a cell's values: each after those that it is computed from."""
    graph = module._module.cell.graph
    nodes = set(graph.outputs_by_name.values())
    return sorted(
        graph.outputs_by_name,
        key=lambda n: len(nodes.intersection(sort_topologically([graph.outputs_by_name[n]]))),
    )


def _find_nonfinite_parameters(module: RecordedModule, layer: str) -> tuple[str, ...]:
    suffix = "" if isinstance(module._module, SingleStepCell) else f"_{layer}"
    with torch.no_grad():
        return tuple(
            name
            for name, parameter in module._module.named_parameters()
            if name.endswith(suffix) and not bool(parameter.isfinite().all())
        )
