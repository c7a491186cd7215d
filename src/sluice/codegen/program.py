"""A program: a cell as the kernels run it, as plain data.

Values lie in *buffers*: arrays with a row for each sequence, a row being blocks of ``items`` ×
lanes numbers. A *phase* is a stretch of work that needs no complete row of anything computed in
it: norms' statistics and row maps of earlier phases' values, matrix products, and a body that
computes all that is elementwise in their results. The forward pass has phases for a chunk of time
steps at once (*hoisted*: what depends on the input alone) and phases for one step; the backward
pass has phases for one step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sluice.codegen.body import Body

TIME, CHUNK, STEP, CONST = "time", "chunk", "step", "const"


@dataclass
class BufferSlot:
    """An array of values of one width, ``items`` of them side by side in every block.

    ``scope``: one row for every step and sequence (``time``), for those of a chunk of steps
    (``chunk``), for every sequence (``step``), or no rows (``const``). ``role`` says what it
    holds, ``index`` tells buffers of one role apart.
    """

    role: str
    index: int
    scope: str
    width: str
    items: int = 1


@dataclass(frozen=True)
class Product:
    """Matrix products of one operand with several gates, or (``transposed``) their adjoint.

    Forward the result has an item for each gate; backward the operand's items are the gates'
    deltas and the result is the sum over them. ``accumulate`` adds to the target.
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
    """Mean and 1/σ of a norm's group, into two items of ``target``; sources are (buffer, item)."""

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


@dataclass(frozen=True)
class RowOperation:
    """The row map ``op`` of an item of complete rows, into a buffer of rows or of scalars."""

    op: str
    source: int
    item: int
    target: int
    target_item: int


@dataclass
class Phase:
    """One phase; ``buffers`` are the indices of those that the body's slots are bound to."""

    width: str
    statistics: list[NormStatistics] = field(default_factory=list)
    means: list[RowMean] = field(default_factory=list)
    row_operations: list[RowOperation] = field(default_factory=list)
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
    """A cell's forward and backward phases, and the buffers that they share.

    ``value_locations`` says where each named value of all steps lies, ``gradient_locations`` where
    the derivatives of the loss with respect to it lie: (buffer, item). ``input_gradient_locations``
    says so for the inputs beside x.
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
    input_gradient_locations: dict[str, tuple[int, int]]


def body_name(part: str, number: int) -> str:
    """The name of a phase's compiled body."""
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
