"""A program: what a kernel is told of a cell, as plain data.

Values lie in *places*: arrays of rows (one a sequence), a row being blocks of `items` × lanes
numbers. A *phase* is what can run without a complete row of anything computed in it: norms'
statistics of what earlier phases left, matrix products, and the body that turns their results
into other values. Forward there are phases for a chunk of time steps at once (*hoisted*: what
depends on the input alone) and phases for one step; backward, phases for one step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sluice.codegen.body import Body

TIME, CHUNK, STEP, CONST = "time", "chunk", "step", "const"


@dataclass
class BufferSlot:
    """An array of values of one width, ``items`` of them side by side in every block.

    ``scope``: one row for every step and sequence (``time``), for those of a chunk of steps
    (``chunk``), for every sequence (``step``), or no rows (``const``). ``role`` says what it is,
    ``index`` which of its kind.
    """

    role: str
    index: int
    scope: str
    width: str
    items: int = 1


@dataclass(frozen=True)
class Product:
    """Matrix products of one operand, or (``transposed``) of deltas, back to their operand.

    Forward the result has an item for each gate; backward the operand's items are the gates'
    deltas and the result is the sum over them. ``accumulate`` adds to what the target holds.
    """

    stack: str
    gates: tuple[str, ...]
    transposed: bool
    operand: int
    width: str
    target: int
    item: int = 0
    accumulate: bool = False


@dataclass(frozen=True)
class NormStatistics:
    """Mean and 1/σ of a norm's group, into two items of ``target``; parts are (place, item)."""

    norm: str
    sources: tuple[tuple[int, int], ...]
    target: int
    item: int


@dataclass(frozen=True)
class RowMean:
    """The mean over a norm's ``units`` of an item of row sums, into a scalar of ``target``."""

    norm: str
    source: int
    item: int
    target: int
    target_item: int


@dataclass
class Phase:
    """One stretch of work; ``places`` are what the body's slots are bound to."""

    width: str
    statistics: list[NormStatistics] = field(default_factory=list)
    means: list[RowMean] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    body: Body | None = None
    buffers: tuple[int, ...] = ()


@dataclass(frozen=True)
class WeightGradient:
    """Outer products of a set of deltas and an operand, summed over many steps."""

    stack: str
    gates: tuple[str, ...]
    deltas: int
    operand: int


@dataclass(frozen=True)
class RowGradient:
    """A sum over rows: the gradient of a gate's bias, a part of a norm, or a vector."""

    parameter: str
    gate: str
    kind: str
    buffer: int
    item: int


@dataclass
class Program:
    """A cell's phases forward and back, and the places that they share.

    ``saved`` says where each named value of a step lies, ``recorded`` where the loss's derivative
    with respect to it: (place, item), time by time.
    """

    buffers: list[BufferSlot]
    parameters: list[tuple[str, str, int, int]]
    hoisted: list[Phase]
    forward: list[Phase]
    backward: list[Phase]
    deferred_products: list[Product]
    weight_gradients: list[WeightGradient]
    row_gradients: list[RowGradient]
    value_locations: dict[str, tuple[int, int]]
    gradient_locations: dict[str, tuple[int, int]]


def body_name(part: str, number: int) -> str:
    """The name of a phase's body among the compiled."""
    return f"{part}_{number}"


def collect_bodies(program: Program) -> dict[str, Body]:
    """All bodies of a program: ``hoisted_0``, ``forward_0``, ``backward_0`` and so on."""
    parts = {
        "hoisted": program.hoisted,
        "forward": program.forward,
        "backward": program.backward,
    }
    return {
        body_name(name, number): phase.body
        for name, phases in parts.items()
        for number, phase in enumerate(phases)
        if phase.body is not None
    }
