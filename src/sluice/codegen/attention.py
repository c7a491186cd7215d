"""The elementwise part of additive attention: a query with all keys of its sequence, and back.

The score of a pair is Σ v · tanh(q + k) over the units (Bahdanau, Cho & Bengio 2015, A.1.2).
"""

from __future__ import annotations

from sluice.codegen.body import ADD_BLOCK, ADD_ROW, LOAD, PARAMETER, SCALAR, STORE, Access, Body
from sluice.equations.graph import Leaf, Node, constant, elementwise

FORWARD, BACKWARD = "attention_forward", "attention_backward"


def build_attention_bodies() -> dict[str, Body]:
    """The bodies of both directions; their rows are keys, and their slots are in the order of
    `csrc/attention.h`."""
    query, key, vector, upstream, key_gradient = (
        Leaf("input", name, "hidden")
        for name in ("query", "key", "vector", "upstream", "key gradient")
    )
    hidden = elementwise("tanh", elementwise("add", query, key))
    slope = elementwise("subtract", constant(1.0), elementwise("multiply", hidden, hidden))
    flow = elementwise("multiply", elementwise("multiply", upstream, vector), slope)
    pair: tuple[tuple[Node, Access], ...] = (
        (query, Access(PARAMETER, 0, 0)),
        (key, Access(LOAD, 1, 0)),
        (vector, Access(PARAMETER, 2, 0)),
    )
    forward = Body(pair, ((elementwise("multiply", vector, hidden), Access(ADD_ROW, 3, 0)),), 4)
    backward = Body(
        (*pair, (upstream, Access(SCALAR, 3, 0)), (key_gradient, Access(LOAD, 4, 0))),
        (
            (elementwise("add", key_gradient, flow), Access(STORE, 4, 0)),
            (flow, Access(ADD_BLOCK, 5, 0)),
            (elementwise("multiply", upstream, hidden), Access(ADD_BLOCK, 6, 0)),
        ),
        7,
    )
    return {FORWARD: forward, BACKWARD: backward}
