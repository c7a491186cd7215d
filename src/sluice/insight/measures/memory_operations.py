"""What a gated cell does to its memory, step by step: store, keep, delete, load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from sluice.equations.graph import Elementwise, Graph, Leaf, Node, RowNorm, sort_topologically
from sluice.equations.op_table import apply
from sluice.equations.ops import Value
from sluice.errors import SluiceError
from sluice.insight.measures.gradients import list_added
from sluice.insight.recording.recorded import RecordedLayer, RecordedModule
from sluice.insight.recording.recorder import Tape, select_layer

_SQUASHED = ("sigmoid", "hard_sigmoid")


class MemoryOperationsError(SluiceError, ValueError):
    """A cell whose equations have no gates around a memory, or thresholds that are none."""


class MemoryGates(NamedTuple):
    """Which values of a cell's equations are the gates of its memory, as `find_memory_gates`."""

    memory: str
    """The state that is gated: ``"c"`` of an LSTM, ``"h"`` of a GRU."""
    forget: Node | None
    """What multiplies it in its own update; None where that is 1."""
    input: Node
    """What multiplies what is added to it."""
    candidate: Node
    """What is added to it, before the gate."""
    output: Node | None
    """What multiplies the new state where it is shown; None where it is always shown."""


class MemoryOperations(NamedTuple):
    """What `classify_memory_operations` gives, bool, ``(time, batch, hidden)`` each."""

    store: Tensor
    """The input gate is open, and more than negligible is written."""
    keep: Tensor
    """The forget gate is open and the input gate shut, or what is written negligible."""
    delete: Tensor
    """The forget gate is shut: the old value is gone; with `store` it is overwritten."""
    load: Tensor | None
    """The output gate is open: the value is shown. None for a cell that always shows it."""
    memory: str
    """The state that is meant, ``"c"`` of an LSTM, ``"h"`` of a GRU."""


def classify_memory_operations(
    recorded: Tape | RecordedModule | RecordedLayer,
    shut: float = 0.1,
    open: float = 0.9,
    negligible: float = 0.0,
    lengths: Tensor | None = None,
) -> MemoryOperations:
    r"""Each unit's memory operations at each step, read from its gates.

    For an update c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t and a state h_t = o_t ⊙ tanh(c_t) that shows it:

    - *store* where i is open,
    - *keep* where f is open and i is shut: c stays what it was, over any number of steps,
    - *delete* where f is shut,
    - *load* where o is open.

    The gates are found in the cell's equations. One value can have two of the roles: the update
    gate z of a GRU is its forget gate, and 1 − z its input gate. A gate between the thresholds is
    neither open nor shut, so a step can have none of the operations.

    A network need not shut its input gate to write nothing: a candidate g near 0 does as well, and
    trained ones use both. With ``negligible`` what is written, \|i ⊙ g\|, counts beside the gate.

    Source: the roles of the gates, Hochreiter & Schmidhuber 1997 and Gers, Schmidhuber & Cummins
    2000; the thresholds, Karpathy, Johnson & Fei-Fei 2015, as in `sluice.insight.saturation`.

    Args:
        recorded: A layer of a tape, ``tape["encoder"]``, ``tape.layer(1)``.
        shut: Below it a gate is shut.
        open: Above it a gate is open.
        negligible: Where the input gate times the candidate is at most this, in the unit of the
            state, nothing is stored, however open the gate; with an open forget gate the value is
            then kept. 0: the input gate alone decides.
        lengths: How many steps of each sequence count, ``(batch,)``; behind them there is no
            operation. None for all.

    Raises:
        MemoryOperationsError: the cell's equations have no gates between 0 and 1 around a state, or
            they do not follow from what was recorded; ``shut`` is not below ``open``, or
            ``negligible`` is negative.
        RuntimeError, ValueError: nothing was recorded, or several layers were.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(1, 2)
        >>> with torch.no_grad(), sluice.record(layer) as tape:
        ...     _ = layer.weight_hh_l0.zero_(), layer.bias_hh_l0.zero_()
        ...     gates = [-9.0, 9, 9, -9, 0, 0, 9, -9]  # i, f, g, o, of two units each
        ...     _ = layer.bias_ih_l0.copy_(torch.tensor(gates))
        ...     y, _ = layer(torch.zeros(3, 1, 1))
        >>> found = sluice.insight.classify_memory_operations(tape)
        >>> found.keep[0, 0].tolist(), found.delete[0, 0].tolist(), found.load[0, 0].tolist()
        ([True, False], [False, True], [True, False])
    """
    if not 0 <= shut < open <= 1 or not negligible >= 0:
        raise MemoryOperationsError(
            "the thresholds must satisfy 0 <= shut < open <= 1 and negligible >= 0, got "
            f"{shut}, {open} and {negligible}"
        )
    place = select_layer(recorded)
    graph = place._recording.graph
    gates = find_memory_gates(graph)
    written = _evaluate(graph, gates.input, place)
    nothing = torch.zeros_like(written, dtype=torch.bool)
    if negligible:
        nothing = (written * _evaluate(graph, gates.candidate, place)).abs() <= negligible
    kept = torch.ones_like(written)
    if gates.forget is not None:
        kept = _evaluate(graph, gates.forget, place)
    valid = torch.ones_like(written, dtype=torch.bool)
    if lengths is not None:
        steps = torch.arange(len(written), device=written.device)
        valid &= (steps[:, None] < lengths.to(written.device)).unsqueeze(-1)
    load = None
    if gates.output is not None:
        load = (_evaluate(graph, gates.output, place) > open) & valid
    return MemoryOperations(
        (written > open) & ~nothing & valid,
        (kept > open) & ((written < shut) | nothing) & valid,
        (kept < shut) & valid,
        load,
        gates.memory,
    )


def find_memory_gates(graph: Graph) -> MemoryGates:
    """The gates of a memory in a cell's equations.

    A state is a memory if its update is a sum of gate ⊙ (the state before), or the state itself,
    and gate ⊙ (something else). A gate is a value between 0 and 1 by its operation: a logistic
    function, 1 − a gate, or a product of gates.

    Raises:
        MemoryOperationsError: there is no such state.

    Example:
        >>> from sluice.cells import GRU, LSTM
        >>> gates = find_memory_gates(LSTM().graph)
        >>> gates.memory, [name for name, node in LSTM().graph.outputs if node is gates.output]
        ('c', ['output'])
        >>> find_memory_gates(GRU().graph).output is None
        True
    """
    for state in reversed(graph.states):
        leaf, updated = Leaf("state", state.name, state.width), graph.outputs_by_name[state.name]
        terms = list_added(updated)
        forgets = [gate for term in terms for gate in _split_old(term, leaf)]
        inputs = [
            pair
            for term in terms
            if term is not leaf and not _split_old(term, leaf)
            for pair in _split_gated(term)
        ]
        own = {state.width} == {gate.width for gate in (*forgets, *dict(inputs))}
        if (forgets or leaf in terms) and len(inputs) == 1 and own:
            forget = None if leaf in terms else forgets[0]
            return MemoryGates(state.name, forget, *inputs[0], _find_output(graph, updated))
    raise MemoryOperationsError(
        f"the equations of {graph.name} have no gates around a memory: no state of it is updated "
        "as c = f * c + i * g with gates f and i between 0 and 1; use a cell that has them, such "
        "as LSTM or GRU"
    )


def _find_output(graph: Graph, updated: Node) -> Node | None:
    """The gate that multiplies the updated state, or what is made of it without a learned map."""
    made = {updated}
    for node in graph.nodes:
        is_unitwise = isinstance(node, Elementwise | RowNorm)
        if is_unitwise and any(operand in made for operand in node.operands):
            for gate, other in _split_gated(node):
                if other in made:
                    return gate
            made.add(node)
    return None


def _split_old(term: Node, leaf: Node) -> list[Node]:
    return [gate for gate, other in _split_gated(term) if other is leaf]


def _split_gated(node: Node) -> Iterator[tuple[Node, Node]]:
    """The ways to read a value as gate ⊙ other; none where it is no product with a gate."""
    if isinstance(node, Elementwise) and node.op == "multiply":
        for gate, other in (node.operands, node.operands[::-1]):
            if _is_gate(gate):
                yield gate, other


def _is_gate(node: Node) -> bool:
    if not isinstance(node, Elementwise):
        return False
    if node.op == "subtract":
        one, gate = node.operands
        is_one = isinstance(one, Leaf) and one.kind == "constant" and float(one.name) == 1
        return is_one and _is_gate(gate)
    if node.op == "multiply":
        return all(map(_is_gate, node.operands))
    return node.op in _SQUASHED


def _evaluate(graph: Graph, gate: Node, values: Mapping[str, Tensor]) -> Tensor:
    """A gate's values, from those that are recorded."""
    known: dict[Node, Value] = {
        node: values[name] for name, node in graph.outputs if name in values
    }

    def get_operands(node: Node) -> tuple[Node, ...]:
        return () if node in known else node.operands

    for node in sort_topologically([gate], get_operands=get_operands):
        if node in known:
            continue
        if isinstance(node, Leaf) and node.kind == "constant":
            known[node] = float(node.name)
        elif isinstance(node, Elementwise) and all(one in known for one in node.operands):
            known[node] = apply(node.op, *(known[one] for one in node.operands))
    found = known.get(gate)
    if not isinstance(found, Tensor):
        raise MemoryOperationsError(
            f"a gate or candidate of {graph.name} was not recorded: it is no named value and does "
            "not follow from those; return it from step under a name, and record without names="
        )
    return found
