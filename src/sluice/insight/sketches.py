"""Sketches of a recorded step: a unit's wires with the values that they carried."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sluice.equations.graph import Elementwise, Graph, Leaf, Node
from sluice.equations.instrument import instrument_graph
from sluice.equations.op_table import apply
from sluice.equations.ops import Value
from sluice.files import StrPath
from sluice.insight.recording.recorded import RecordedLayer, RecordedModule
from sluice.insight.recording.recorder import Tape, select_layer
from sluice.insight.recording.storage import load_recording
from sluice.render.sketch import draw_sketch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Units = int | Sequence[int] | None
"""One unit, several whose mean is shown, or None for the mean of all."""


def sketch_recorded(
    tape: Tape | RecordedModule | RecordedLayer,
    module: str | None = None,
    *,
    step: int,
    sequence: int = 0,
    unit: Units = None,
    layer: int = 0,
    reverse: bool = False,
    theme: str = "light",
) -> Figure:
    """A layer's unit at one step: its wires coloured by what they carried.

    What the step does elementwise with recorded values is computed from them, so that unnamed wires
    have their colours too. The states that the step found are those of the step before, of a layer
    that reads from the end those of the step after, t + 1; at the first step that it ran they are
    not on the tape, nor is a restart, unless it was recorded with ``maps=True``.

    Args:
        tape: A recording, or a part of it: ``tape["encoder"]``, ``tape["encoder"].layer(1)``.
        module: The module's name in the model; None where there is one, or a part was given.
        step: Which step, counted from 0; negative from the end.
        sequence: Which sequence of the batch.
        unit: Which unit; several, whose mean is shown; None for the mean over all.
        layer: Which layer of the module, counted from 0.
        reverse: Whether to take its reverse direction.
        theme: ``"light"`` or ``"dark"``.

    Returns:
        The figure; `sluice.render.sketch.draw_sketch` says how to read it.

    Raises:
        IndexError: there is no such step, sequence, unit, layer or direction.
        KeyError, ValueError: the model has no such module, or several; a value is not finite; an
            unknown theme.
        RuntimeError: nothing was recorded.
        MissingExtra: matplotlib is not installed.

    Example:
        >>> import torch, sluice
        >>> model = sluice.nn.LSTM(3, 8)
        >>> with sluice.record(model) as tape:
        ...     _ = model(torch.randn(5, 2, 3))
        >>> figure = sluice.insight.sketch_recorded(tape, step=4, unit=3)
        >>> written = [text.get_text() for text in figure.axes[0].texts]
        >>> "LSTM l0, step 4, sequence 0, unit 3" in written
        True
    """
    place = select_layer(tape, module, layer, reverse)
    recording = place._recording
    found = _SketchSelection(step, sequence, unit, recording.every, place.is_reverse)
    title = f"{recording.graph.name} {place._label}"
    return _draw(recording.graph, dict(place), found, title, theme)


def sketch_saved_recording(
    graph: Graph,
    path: StrPath,
    label: str | None = None,
    *,
    step: int,
    sequence: int = 0,
    unit: Units = None,
    reverse: bool = False,
    theme: str = "light",
) -> Figure:
    """As `sketch_recorded`, from a recording in a file or a folder.

    Args:
        graph: The equations of the cell that was recorded.
        path: What `Tape.save` or ``record(to=...)`` wrote, of every step.
        label: Which of its layers and directions, ``"encoder.l0_reverse"``; None for the only one.
        step, sequence, unit, theme: As of `sketch_recorded`.
        reverse: Whether the layer was made with ``reverse=True``, which the file does not say; a
            label that ends in ``_reverse`` says so itself.

    Raises:
        FileNotFoundError, ValueError: as `load_recording`; the recording holds several layers, not
            this one, or one of another cell.
        IndexError, MissingExtra: as `sketch_recorded`.
    """
    places: dict[str, dict[str, Tensor]] = {}
    for name, tensor in load_recording(path).items():
        split = re.fullmatch(r"((?:.+\.)?l\d+(?:_reverse)?)\.(.+)", name)
        if split and not split[2].startswith("gradient."):
            places.setdefault(split[1], {})[split[2]] = tensor
    if label is None and len(places) == 1:
        (label,) = places
    if label is None or label not in places:
        asked = "say which layer" if label is None else f"there is no layer '{label}'"
        raise ValueError(f"{asked} of {path}; it holds {', '.join(places) or 'none'}")
    values, known = places[label], instrument_graph(graph, True, True).outputs_by_name
    other = [name for name in values if name not in known]
    if other or not any(name in graph.outputs_by_name for name in values):
        raise ValueError(
            f"{label} of {path} does not run {graph.name}: it has {', '.join(values)}, and the "
            f"cell {', '.join(graph.outputs_by_name)}"
        )
    found = _SketchSelection(step, sequence, unit, 1, reverse or label.endswith("_reverse"))
    return _draw(graph, values, found, f"{graph.name} {label}", theme)


@dataclass(frozen=True)
class _SketchSelection:
    """Which numbers of a recording to show."""

    step: int
    sequence: int
    unit: Units
    every: int
    reverse: bool

    @property
    def units(self) -> list[int] | None:
        if isinstance(self.unit, int):
            return [self.unit]
        return list(self.unit) if self.unit else None

    @property
    def description(self) -> str:
        units = self.units
        names = ", ".join(map(str, units or ()))
        text = f"unit {names}" if units else "mean of all units"
        if units is not None and len(units) > 1:
            text = f"mean of units {names}"
        return f"step {self.step}, sequence {self.sequence}, {text}"

    def find_rows(self, steps: int) -> tuple[int, int | None]:
        """The row of the step, and that of the step before in its direction, if it was kept."""
        row, left = divmod(self.step, self.every) if self.step >= 0 else (steps + self.step, 0)
        if left or not 0 <= row < steps:
            kept = f"every {self.every}th step, " if self.every > 1 else ""
            last = (steps - 1) * self.every
            raise IndexError(f"step must be a recorded one ({kept}0 to {last}), got {self.step}")
        before = row + 1 if self.reverse else row - 1
        return row, before if self.every == 1 and 0 <= before < steps else None

    def reduce_units(self, value: Tensor) -> float | None:
        """The number to show of a value, ``(units,)``; None where it has no such unit."""
        if self.units is None:
            return float(value.mean())
        own = [unit for unit in self.units if -len(value) <= unit < len(value)]
        return float(value[own].mean()) if len(own) == len(self.units) else None


def _draw(
    graph: Graph, values: Mapping[str, Tensor], selection: _SketchSelection, title: str, theme: str
) -> Figure:
    steps, sequences = next(iter(values.values())).shape[:2]
    row, before = selection.find_rows(steps)
    if not -sequences <= selection.sequence < sequences:
        raise IndexError(f"sequence must be from 0 to {sequences - 1}, got {selection.sequence}")
    here = {name: tensor[row, selection.sequence].double() for name, tensor in values.items()}
    past = {}
    if before is not None:
        past = {
            name: tensor[before, selection.sequence].double() for name, tensor in values.items()
        }
    shown: dict[str | Node, float] = {}
    for node, value in _compute_node_values(graph, here, past).items():
        number = selection.reduce_units(value)
        if number is not None:
            shown[node] = number
    if not shown:
        widest = max(tensor.shape[2] for tensor in values.values())
        raise IndexError(f"unit must be from 0 to {widest - 1}, got {selection.unit}")
    return draw_sketch(
        graph,
        theme,
        values=shown,
        title=f"{title}, {selection.description}",
        reverse=selection.reverse,
    )


def _compute_node_values(
    graph: Graph, here: Mapping[str, Tensor], past: Mapping[str, Tensor]
) -> dict[Node, Tensor]:
    """The values of all nodes that are recorded, or follow elementwise from what is."""
    named = instrument_graph(graph, True, True).outputs_by_name
    known: dict[Node, Value] = {named[name]: value for name, value in here.items()}
    for leaf in graph.state_leaves:
        if leaf not in known and leaf.name in past:
            known[leaf] = past[leaf.name]
    for node in graph.nodes:
        if isinstance(node, Leaf) and node.kind == "constant":
            known[node] = float(node.name)
        elif isinstance(node, Elementwise) and node not in known:
            operands = [known[operand] for operand in node.operands if operand in known]
            if len(operands) == len(node.operands):
                known[node] = apply(node.op, *operands)
    return {
        node: value
        for node, value in known.items()
        if isinstance(value, Tensor) and value.dtype != torch.bool and _is_visible(node)
    }


def _is_visible(node: Node) -> bool:
    """Whether a node's value is one number a unit on a wire of a sketch; the input's is not."""
    return not (isinstance(node, Leaf) and node.kind != "state")
