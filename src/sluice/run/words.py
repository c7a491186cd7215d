"""Lists of integers that the kernels read: a program for given sizes, and its calls.

A list begins with its kind and `VERSION`; then come sections in a fixed order, each with a tag and
the number of its words. `csrc/sections.h` reads them and refuses what does not fit.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor

from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.render.body import ADD_BLOCK, ADD_ROW, LOAD, PARAMETER, SCALAR, STORE, Body
from sluice.render.program import (
    Phase,
    Place,
    Product,
    Program,
    RowGradient,
    RowMean,
    Statistics,
    WeightGradient,
    bodies,
    body_name,
)

VERSION = 1
PROGRAM, FORWARD_CALL, BACKWARD_CALL, VOCABULARY, SAMPLING = range(0x510001, 0x510006)
_ACCESSES = (LOAD, PARAMETER, SCALAR, STORE, ADD_ROW, ADD_BLOCK)

_SCOPES = ("time", "chunk", "step", "const")
_ROLES = (
    "scratch",
    "input",
    "previous",
    "next",
    "tape",
    "mask",
    "parameters",
    "statistics",
    "hoisted statistics",
    "flow",
    "flow out",
    "upstream",
    "deltas",
    "learned operand",
    "row gradients",
    "row sums",
    "row means",
    "input gradient",
    "tile",
    "recorded",
)


class Words:
    """Writes one program; ``addresses`` are those of the bodies, in the order of `bodies`."""

    def __init__(
        self, graph: Graph, program: Program, sizes: Sizes, addresses: Mapping[str, int]
    ) -> None:
        self.graph, self.program, self.sizes, self.addresses = graph, program, sizes, addresses
        self._numbers = {p.name: k for k, p in enumerate(graph.parameters)}
        self._matrices: list[list[int]] = []
        self._norms = {norm.name: norm for norm in graph.norms}
        self._bodies = {name: k for k, name in enumerate(bodies(program))}

    def bodies(self) -> list[tuple[int, list[int]]]:
        """Each body's address, and what it accesses: what its code does cannot be checked."""
        found = bodies(self.program)
        return [(self.addresses[name], _accesses(body)) for name, body in found.items()]

    def write(self) -> list[int]:
        """All of it."""
        program, sizes = self.program, self.sizes
        phases = [
            self._many(part, lambda phase, name=name: self._phase(phase, name))
            for name, part in (
                ("hoisted", program.hoisted),
                ("forward", program.forward),
                ("backward", program.backward),
            )
        ]
        deferred = self._many(program.deferred, self._product)
        counts = [math.prod(parameter.shape(sizes)) for parameter in self.graph.parameters]
        states = [sizes.of(state.width) for state in self.graph.states]
        masks = [sizes.of(mask.width) for mask in self.graph.masks]
        return sections(
            PROGRAM,
            [sizes.input],
            _list(counts),
            _list(states),
            _list(masks),
            self._many(program.places, self._place),
            _joined(self._matrices),
            *phases,
            deferred,
            self._many(program.weights, self._weight),
            self._many(program.rows, self._row),
            self._many(program.parameters, self._unit),
        )

    def _many(self, things: Iterable[object], write: Callable[..., list[int]]) -> list[int]:
        return _joined([write(thing) for thing in things])

    def _place(self, place: Place) -> list[int]:
        role = "tile" if place.role.endswith("tile") else place.role
        code = _ROLES.index(role) if role in _ROLES else 0
        width = self.sizes.of(place.width) if place.width else 0
        return [_SCOPES.index(place.scope), code, place.index, width, place.items]

    def _phase(self, phase: Phase, name: str) -> list[int]:
        part = getattr(self.program, name)
        body = self._bodies[body_name(name, part.index(phase))] if phase.body else -1
        return [
            self.sizes.of(phase.width),
            *self._many(phase.statistics, self._statistics),
            *self._many(phase.means, self._mean),
            *self._many(phase.products, self._product),
            body,
            *_list(phase.places),
        ]

    def _units(self, norm: str) -> int:
        return sum(map(self.sizes.of, self._norms[norm].widths))

    def _statistics(self, s: Statistics) -> list[int]:
        (epsilon,) = struct.unpack("<q", struct.pack("<d", self._norms[s.norm].epsilon))
        places, items = zip(*s.parts, strict=True)
        units = self._units(s.norm)
        return [*_list(places), *_list(items), s.target, s.item, units, epsilon]

    def _mean(self, m: RowMean) -> list[int]:
        return [m.source, m.item, m.target, m.target_item, self._units(m.norm)]

    def _product(self, p: Product) -> list[int]:
        stack, sizes = self.graph.stack(p.stack), self.sizes
        widths = dict(stack.gates)
        rows = stack.rows(sizes)
        gate, operand = sizes.of(widths[p.gates[0]]), sizes.of(stack.operand)
        bias = -1 if p.transposed else self._numbers.get(f"bias_{stack.name}", -1)
        width, inner = (operand, gate) if p.transposed else (gate, operand)
        starts = _list(rows[name][0] for name in p.gates)
        weight = self._numbers[f"weight_{stack.name}"]
        self._matrices.append(
            [
                int(p.transposed),
                weight,
                bias,
                width,
                inner,
                stack.heads,
                operand // stack.heads,
                *starts,
            ]
        )
        return [len(self._matrices) - 1, p.operand, p.target, p.item, int(p.accumulate)]

    def _weight(self, w: WeightGradient) -> list[int]:
        stack = self.graph.stack(w.stack)
        rows = stack.rows(self.sizes)
        starts = _list(rows[gate][0] for gate in w.gates)
        columns = self.sizes.of(stack.operand) // stack.heads
        number = self._numbers[f"weight_{w.stack}"]
        return [number, columns, stack.heads, rows[w.gates[0]][1], *starts, w.deltas, w.operand]

    def _row(self, g: RowGradient) -> list[int]:
        width = self.sizes.of(self.program.places[g.place].width)
        start = 0
        if g.kind == "gate":
            start, width = self.graph.stack(g.parameter.removeprefix("bias_")).rows(self.sizes)[
                g.gate
            ]
        elif g.kind == "norm":
            start = self._norm_start(g.parameter, int(g.gate))
        return [self._numbers[g.parameter], start, width, g.place, g.item]

    def _norm_start(self, parameter: str, part: int) -> int:
        norm = self._norms[parameter.partition("_")[2]]
        return sum(map(self.sizes.of, norm.widths[:part]))

    def _unit(self, unit: tuple[str, str, int, int]) -> list[int]:
        name, part, place, item = unit
        start = self._norm_start(name, int(part)) if part else 0
        return [self._numbers.get(name, -1), start, place, item]


def sections(kind: int, *contents: list[int]) -> list[int]:
    """A list of this kind; its sections are numbered from 1 on."""
    words = [kind, VERSION]
    for tag, content in enumerate(contents, 1):
        words += [tag, len(content), *content]
    return words


def arrays(*tensors: Tensor | None) -> list[int]:
    """The address and the size in bytes of each; 0, 0 for None. They must be contiguous."""
    words: list[int] = []
    for t in tensors:
        words += (0, 0) if t is None else (t.data_ptr(), t.nbytes)
    return words


def _accesses(body: Body) -> list[int]:
    accesses = [access for _, access in (*body.inputs, *body.outputs)]
    return [
        word
        for a in accesses
        for word in (_ACCESSES.index(a.kind), a.slot, a.item, int(a.optional))
    ]


def _list(words: Iterable[int]) -> list[int]:
    found = list(words)
    return [len(found), *found]


def _joined(lists: list[list[int]]) -> list[int]:
    return [len(lists), *(word for words in lists for word in words)]
