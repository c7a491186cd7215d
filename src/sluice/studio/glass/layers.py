"""One layer of a recorded pass: its units, its values in bytes, and how its cell is wired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sluice.cells.cell import Cell
from sluice.cells.dropout import RecurrentDropout
from sluice.equations.graph import Elementwise, Graph, Leaf
from sluice.render.latex import format_equations
from sluice.studio.glass.memory import (
    KeptMemory,
    find_kept_memory,
    find_known_values,
    is_carried_over,
)
from sluice.studio.glass.packing import RANGE, quantise
from sluice.studio.glass.units import ChosenUnits, Numbers, choose_units

GATE, STATE, VALUE = "gate", "state", "value"


@dataclass(frozen=True)
class PackedLayer:
    """What the file says of a layer: its part of the header, and its arrays by name."""

    header: dict[str, object]
    arrays: dict[str, NDArray[Any]]


def find_shown_cell(cell: Cell) -> Cell:
    """The cell that computes when nothing is trained: without dropout."""
    return find_shown_cell(cell.inner) if isinstance(cell, RecurrentDropout) else cell


def pack_layer(
    label: str,
    cell: Cell,
    recorded: Mapping[str, Tensor],
    features: Mapping[str, Numbers],
    vectors: Mapping[str, Tensor],
    *,
    has_learned_start: bool,
) -> PackedLayer:
    """Pack the named values of a layer.

    Args:
        label: the layer's name, as ``l0``.
        cell: the cell that it runs.
        recorded: every named value, (time, width).
        features: of the music, (time - 1, features), of each token that a step reads; the first
            step reads none.
        vectors: the learned vectors of the cell, by name.
        has_learned_start: whether the states before the first step are learned.
    """
    graph = find_shown_cell(cell).graph
    width = _find_width(graph, recorded)
    shown = {n: v.expand(-1, width) for n, v in recorded.items() if v.shape[1] in (1, width)}
    starts = {} if has_learned_start else {state.name: state.initial for state in graph.states}
    known = find_known_values(graph, shown, starts, vectors)
    kept = find_kept_memory(graph, known)
    memories = [state.name for state in graph.states if state.name in shown]
    state = kept.state if kept is not None else [*memories, *shown][0]
    units = choose_units(_to_numbers(shown[state])[1:], features)
    symbols = format_equations(graph).notation
    arrays: dict[str, NDArray[Any]] = {}
    values = []
    for name, value in shown.items():
        array = f"{label}.{name}"
        arrays[array], arrays[array + RANGE] = quantise(_to_numbers(value)[:, units.numbers])
        node = graph.outputs_by_name[name]
        values.append(
            {
                "name": name,
                "symbol": symbols.value(name).plain,
                "role": _find_role(graph, name, known[node]),
                "node": graph.nodes.index(node),
                "array": array,
            }
        )
    header: dict[str, object] = {
        "label": label,
        "cell": graph.name,
        "width": width,
        "units": _describe_units(units),
        "values": values,
        "left_out": sorted(set(recorded) - set(shown)),
        "states": [_describe_state(graph, leaf, starts) for leaf in graph.state_leaves],
        "nodes": _describe_nodes(graph),
        "memory": state,
        "is_carried_over": is_carried_over(graph),
        "vectors": _describe_vectors(graph, vectors, units.numbers, width),
    }
    if kept is not None:
        header["kept"] = _describe_kept(label, kept)
        if not kept.gate:
            name = f"{label}.kept.shares"
            shares = _to_numbers(kept.share)[:, units.numbers]
            arrays[name], arrays[name + RANGE] = quantise(shares)
        arrays[f"{label}.kept"] = kept.share.mean(dim=1).float().numpy()
    return PackedLayer(header, arrays)


def _find_width(graph: Graph, recorded: Mapping[str, Tensor]) -> int:
    """How many units a layer is shown to have: as many as most of its values, above 1."""
    widths = Counter(v.shape[1] for v in recorded.values() if v.shape[1] > 1)
    if not widths:
        return 1
    most = max(widths.values())
    first = recorded[graph.states[0].name].shape[1]
    return first if widths[first] == most else max(w for w, n in widths.items() if n == most)


def _find_role(graph: Graph, name: str, value: Tensor) -> str:
    """Whether a value is a state, a gate or anything else.

    A gate is what a sigmoid gives, or another function's result that lies from 0 to 1.
    """
    if any(state.name == name for state in graph.states):
        return STATE
    node = graph.outputs_by_name[name]
    is_sigmoid = isinstance(node, Elementwise) and node.op == "sigmoid"
    is_possible = isinstance(node, Elementwise) and node.op in ("exp", "subtract", "divide")
    is_share = is_possible and bool(((value >= 0) & (value <= 1)).all())
    return GATE if is_sigmoid or is_share else VALUE


def _describe_units(units: ChosenUnits) -> dict[str, object]:
    return {
        "numbers": units.numbers,
        "reasons": units.reasons,
        "correlations": units.correlations,
    }


def _describe_state(graph: Graph, leaf: Leaf, starts: Mapping[str, float]) -> dict[str, object]:
    """A state's node after a step, and the one as the step finds it, if anything reads that."""
    before = graph.nodes.index(leaf) if leaf in graph.nodes else None
    after = graph.nodes.index(graph.outputs_by_name[leaf.name])
    return {"name": leaf.name, "before": before, "after": after, "start": starts.get(leaf.name)}


def _describe_nodes(graph: Graph) -> dict[int, list[object]]:
    """Elementwise operations by the node that they yield, with their operands; and numbers."""
    places = {node: number for number, node in enumerate(graph.nodes)}
    found: dict[int, list[object]] = {}
    masks: dict[str, Any] = {mask.name: mask for mask in graph.masks}
    for number, node in enumerate(graph.nodes):
        if isinstance(node, Elementwise):
            found[number] = [node.op, *(places[operand] for operand in node.operands)]
        elif isinstance(node, Leaf) and node.kind == "constant":
            found[number] = ["number", float(node.name)]
        elif isinstance(node, Leaf) and node.kind == "mask":
            fixed = getattr(masks[node.name], "eval_value", None)
            if fixed is not None:
                found[number] = ["number", fixed]
    return found


def _describe_vectors(
    graph: Graph, vectors: Mapping[str, Tensor], units: Sequence[int], width: int
) -> dict[int, list[float]]:
    """The learned numbers of each unit by the vector's node; one for all where there is one."""
    found = {}
    for number, node in enumerate(graph.nodes):
        if isinstance(node, Leaf) and node.kind == "vector" and node.name in vectors:
            vector = vectors[node.name].detach().float()
            if vector.shape == (width,):
                found[number] = vector[[*units]].tolist()
            elif vector.shape == (1,):
                found[number] = vector.tolist()
    return found


def _describe_kept(label: str, kept: KeptMemory) -> dict[str, object]:
    """What multiplies the memory, and where the mean over all units is; for a share that is no
    named value also where that of each unit is."""
    shares = {} if kept.gate else {"shares": f"{label}.kept.shares"}
    return {
        **shares,
        "state": kept.state,
        "gate": kept.gate,
        "is_complement": kept.is_complement,
        "array": f"{label}.kept",
    }


def _to_numbers(value: Tensor) -> Numbers:
    found: Numbers = value.detach().to(torch.float64).numpy().astype(np.float64)
    return found
