"""Lists of integers that the kernels read: a program for given sizes, and its calls.

A list begins with its kind and `VERSION`; then come sections in a fixed order, each with a tag and
the number of its integers. `csrc/sections.h` reads them and refuses what does not fit.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor

from sluice.codegen.body import (
    ADD_BLOCK,
    ADD_ROW,
    BROADCAST,
    LOAD,
    PARAMETER,
    SCALAR,
    STORE,
    Body,
)
from sluice.codegen.program import (
    BufferSlot,
    NormStatistics,
    Phase,
    Product,
    Program,
    RowGradient,
    RowMean,
    RowOperation,
    WeightGradient,
    body_name,
    collect_bodies,
)
from sluice.equations.graph import Graph
from sluice.equations.row_maps import (
    CUMULATIVE_SUM,
    MAXIMUM,
    MAXIMUM_SHARE,
    REPEAT,
    REVERSE_CUMULATIVE_SUM,
    SUM,
    SUM_TILES,
    TILE,
    split_groups,
)
from sluice.equations.specs import Sizes

VERSION = 3
PROGRAM, FORWARD_CALL, BACKWARD_CALL, VOCABULARY, SAMPLING = range(0x510001, 0x510006)
ATTENTION_FORWARD, ATTENTION_BACKWARD = range(0x510006, 0x510008)
_ACCESSES = (LOAD, PARAMETER, SCALAR, STORE, ADD_ROW, ADD_BLOCK, BROADCAST)

_ROW_OPERATIONS = (
    SUM,
    SUM_TILES,
    REPEAT,
    TILE,
    MAXIMUM,
    MAXIMUM_SHARE,
    CUMULATIVE_SUM,
    REVERSE_CUMULATIVE_SUM,
)

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
    "mapped rows",
)


class ProgramEncoder:
    """Writes one program; ``addresses`` are those of the bodies, in the order of `bodies`."""

    def __init__(
        self, graph: Graph, program: Program, sizes: Sizes, addresses: Mapping[str, int]
    ) -> None:
        self.graph, self.program, self.sizes, self.addresses = graph, program, sizes, addresses
        self._parameter_indices = {p.name: k for k, p in enumerate(graph.parameters)}
        self._matrices: list[list[int]] = []
        self._norms = {norm.name: norm for norm in graph.norms}
        self._bodies = {name: k for k, name in enumerate(collect_bodies(program))}

    def encode_bodies(self) -> list[tuple[int, list[int]]]:
        """Each body's address, and what it accesses: what its code does cannot be checked."""
        bodies = collect_bodies(self.program)
        return [(self.addresses[name], _encode_accesses(body)) for name, body in bodies.items()]

    def encode(self) -> list[int]:
        """All of it."""
        program, sizes = self.program, self.sizes
        phases = [
            self._encode_all(part, lambda phase, name=name: self._encode_phase(phase, name))
            for name, part in (
                ("hoisted", program.hoisted),
                ("forward", program.forward),
                ("backward", program.backward),
            )
        ]
        deferred = self._encode_all(program.deferred_products, self._encode_product)
        counts = [math.prod(parameter.shape(sizes)) for parameter in self.graph.parameters]
        kept = self.graph.kept_values
        outputs = [[value.name for value in kept].index(name) for name in self.graph.output]
        masks = [sizes.of(one.width) for one in self.graph.masks_and_inputs]
        return encode_sections(
            PROGRAM,
            [sizes.input],
            _encode_list(counts),
            [
                *_encode_list(sizes.of(value.width) for value in kept),
                len(self.graph.states),
                *_encode_list(outputs),
            ],
            _encode_list(masks),
            self._encode_all(program.buffers, self._encode_buffer),
            _encode_lists(self._matrices),
            *phases,
            deferred,
            self._encode_all(program.weight_gradients, self._encode_weight_gradient),
            self._encode_all(program.row_gradients, self._encode_row_gradient),
            self._encode_all(program.parameters, self._encode_parameter),
        )

    def _encode_all(self, things: Iterable[object], write: Callable[..., list[int]]) -> list[int]:
        return _encode_lists([write(thing) for thing in things])

    def _encode_buffer(self, buffer: BufferSlot) -> list[int]:
        role = "tile" if buffer.role.endswith("tile") else buffer.role
        code = _ROLES.index(role) if role in _ROLES else 0
        width = self.sizes.of(buffer.width) if buffer.width else 0
        return [_SCOPES.index(buffer.scope), code, buffer.index, width, buffer.items]

    def _encode_phase(self, phase: Phase, name: str) -> list[int]:
        part = getattr(self.program, name)
        body = self._bodies[body_name(name, part.index(phase))] if phase.body else -1
        return [
            self.sizes.of(phase.width),
            *self._encode_all(phase.statistics, self._encode_statistics),
            *self._encode_all(phase.means, self._encode_mean),
            *self._encode_all(phase.row_operations, self._encode_row_operation),
            *self._encode_all(phase.products, self._encode_product),
            body,
            *_encode_list(phase.buffers),
        ]

    def _count_norm_units(self, norm: str) -> int:
        return sum(map(self.sizes.of, self._norms[norm].widths))

    def _encode_statistics(self, s: NormStatistics) -> list[int]:
        (epsilon,) = struct.unpack("<q", struct.pack("<d", self._norms[s.norm].epsilon))
        places, items = zip(*s.sources, strict=True)
        units = self._count_norm_units(s.norm)
        return [*_encode_list(places), *_encode_list(items), s.target, s.item, units, epsilon]

    def _encode_mean(self, m: RowMean) -> list[int]:
        return [m.source, m.item, m.target, m.target_item, self._count_norm_units(m.norm)]

    def _encode_row_operation(self, o: RowOperation) -> list[int]:
        name, groups = split_groups(o.op)
        source, target = (self.program.buffers[k].width for k in (o.source, o.target))
        units, count = self.sizes.of(source), self.sizes.of(target) if target else 1
        inner = 1  # units that lie side by side in each of the groups' repetitions
        if name == SUM:
            groups = count
        elif name == REPEAT:
            groups = units
        elif name in (SUM_TILES, TILE):
            inner = min(units, count) // groups
        times = max(units, count) // (groups * inner)
        code = _ROW_OPERATIONS.index(name)
        return [code, o.source, o.item, o.target, o.target_item, groups, times, inner]

    def _encode_product(self, p: Product) -> list[int]:
        stack, sizes = self.graph.get_stack(p.stack), self.sizes
        widths = dict(stack.gates)
        rows = stack.row_ranges(sizes)
        gate, operand = sizes.of(widths[p.gates[0]]), sizes.of(stack.operand)
        bias = -1 if p.transposed else self._parameter_indices.get(f"bias_{stack.name}", -1)
        width, inner = (operand, gate) if p.transposed else (gate, operand)
        starts = _encode_list(rows[name][0] for name in p.gates)
        weight = self._parameter_indices[f"weight_{stack.name}"]
        of_bias = stack.bias_ranges(sizes) if bias >= 0 and stack.unbiased else {}
        bias_starts = [of_bias.get(name, (-1, 0))[0] for name in p.gates] if of_bias else []
        if bias_starts and max(bias_starts) < 0:
            bias, bias_starts = -1, []
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
                *_encode_list(bias_starts),
            ]
        )
        return [len(self._matrices) - 1, p.operand, p.target, p.item, int(p.accumulate)]

    def _encode_weight_gradient(self, w: WeightGradient) -> list[int]:
        stack = self.graph.get_stack(w.stack)
        rows = stack.row_ranges(self.sizes)
        starts = _encode_list(rows[gate][0] for gate in w.gates)
        columns = self.sizes.of(stack.operand) // stack.heads
        number = self._parameter_indices[f"weight_{w.stack}"]
        return [number, columns, stack.heads, rows[w.gates[0]][1], *starts, w.deltas, w.operand]

    def _encode_row_gradient(self, g: RowGradient) -> list[int]:
        width = self.sizes.of(self.program.buffers[g.buffer].width)
        start = 0
        if g.kind == "gate":
            stack = self.graph.get_stack(g.parameter.removeprefix("bias_"))
            start, width = stack.bias_ranges(self.sizes)[g.gate]
        elif g.kind == "norm":
            start = self._norm_start(g.parameter, int(g.gate))
        return [self._parameter_indices[g.parameter], start, width, g.buffer, g.item]

    def _norm_start(self, parameter: str, part: int) -> int:
        norm = self._norms[parameter.partition("_")[2]]
        return sum(map(self.sizes.of, norm.widths[:part]))

    def _encode_parameter(self, parameter: tuple[str, str, int, int]) -> list[int]:
        name, part, place, item = parameter
        if not name:  # a number for every unit
            return [-1, self.sizes.of(part) if part else 1, place, item]
        start = self._norm_start(name, int(part)) if part else 0
        return [self._parameter_indices.get(name, -1), start, place, item]


def _encode_list(words: Iterable[int]) -> list[int]:
    found = list(words)
    return [len(found), *found]


def _encode_lists(lists: list[list[int]]) -> list[int]:
    return [len(lists), *(word for words in lists for word in words)]


def encode_sections(kind: int, *contents: list[int]) -> list[int]:
    """A list of this kind; its sections are numbered from 1 on."""
    integers = [kind, VERSION]
    for tag, content in enumerate(contents, 1):
        integers += [tag, len(content), *content]
    return integers


def as_memory(tensor: Tensor) -> Tensor:
    """``tensor``, or a copy whose memory holds its numbers one after the other, as kernels read it.

    Not so are strides, and a negative bit, as the imaginary part of a conjugate has it.
    """
    if tensor.is_contiguous() and not tensor.is_neg():
        return tensor
    return tensor.detach().resolve_neg().contiguous()


def encode_tensors(*tensors: Tensor | None) -> list[int]:
    """The address and the size in bytes of each; 0, 0 for None. They must be contiguous."""
    integers: list[int] = []
    for tensor in tensors:
        integers += (0, 0) if tensor is None else (tensor.data_ptr(), tensor.nbytes)
    return integers


def _encode_accesses(body: Body) -> list[int]:
    accesses = [access for _, access in (*body.inputs, *body.outputs)]
    return [
        integer
        for a in accesses
        for integer in (_ACCESSES.index(a.kind), a.slot, a.item, int(a.optional))
    ]
