"""Bodies in LLVM IR."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.codegen.body import (
    ADD_BLOCK,
    ADD_ROW,
    BROADCAST,
    LOAD,
    PARAMETER,
    SCALAR,
    STORE,
    Access,
    Body,
)
from sluice.codegen.vector_builder import VectorIRBuilder
from sluice.codegen.vector_math import FUNCTION_NAMES, emit_definitions
from sluice.equations.graph import Elementwise, Leaf, Node, sort_topologically

_MOST_INLINED_CALLS = 128
"""A body with more calls of functions keeps them as calls: LLVM would take seconds over it."""
_ARITHMETIC = {"add": "fadd", "subtract": "fsub", "multiply": "fmul"}


def emit_module(
    functions: Mapping[str, Body],
    bits: int,
    wide: bool = True,
    avx512: bool = False,
    estimates: bool = True,
) -> str:
    """IR of all ``functions``; ``wide`` asks for registers of 64 bytes, ``avx512`` for instructions
    that only AVX-512 has.

    ``estimates``: the processor's estimate of a reciprocal has at least 12 bits, as x86's has, so
    that one Newton step is enough. ARM's has 8: there, quotients are divisions.
    """
    parts = [emit_function(name, body, bits) for name, body in functions.items()]
    size = 512 if wide else 256
    reciprocals = '"reciprocal-estimates"="vec-divf:1" ' if estimates else ""
    attributes = (
        f'attributes #0 = {{ "prefer-vector-width"="{size}" "min-legal-vector-width"="{size}" '
        f"{reciprocals}}}"
    )
    parts += [emit_definitions(_find_functions(functions), bits, avx512), attributes]
    return "\n".join(parts)


def _find_functions(bodies: Mapping[str, Body]) -> set[str]:
    """The functions that some body calls."""
    nodes = {
        node
        for body in bodies.values()
        for node in sort_topologically(
            [n for n, _ in body.outputs], known=[n for n, _ in body.inputs]
        )
    }
    return {n.op for n in nodes if isinstance(n, Elementwise) and n.op in FUNCTION_NAMES}


def emit_function(name: str, body: Body, bits: int) -> str:
    """IR of ``void name(i64 rows, i64 blocks, ptr slots)``."""
    return _FunctionEmitter(body, bits).emit(name)


class _FunctionEmitter:
    """Emits one body: a loop over blocks around a loop over rows."""

    def __init__(self, body: Body, bits: int) -> None:
        self.body, self.bits = body, bits
        self.builder = VectorIRBuilder(bits, [])
        self.values: dict[Node, str] = {}
        self.sums = [(n, a) for n, a in body.outputs if a.kind == ADD_BLOCK]

    def emit(self, name: str) -> str:
        w = self.builder
        head = f"define void @{name}(i64 %rows, i64 %blocks, ptr noalias %slots) #0 {{"
        w.lines += [head, "entry:"]
        for slot in range(self.body.slots):
            self._emit_prologue(slot)
        w.lines += [
            "  %any = icmp sgt i64 %rows, 0",
            "  %some = icmp sgt i64 %blocks, 0",
            "  %work = and i1 %any, %some",
            "  br i1 %work, label %block, label %end",
            "block:",
            "  %b = phi i64 [ 0, %entry ], [ %b.next, %block.end ]",
        ]
        for slot in range(self.body.slots):
            w.lines += [
                f"  %off{slot} = mul i64 %b, %block{slot}",
                f"  %at{slot} = getelementptr {w.scalar}, ptr %base{slot}, i64 %off{slot}",
            ]
        for node, access in self.body.inputs:
            if access.kind == PARAMETER:
                self.values[node] = self._emit_load(f"%at{access.slot}", access.item)
        w.lines += [
            "  br label %row",
            "row:",
            "  %r = phi i64 [ 0, %block ], [ %r.next, %row.end ]",
        ]
        for number in range(len(self.sums)):
            w.lines.append(
                f"  %sum{number} = phi {w.vector} [ zeroinitializer, %block ], "
                f"[ %sum{number}.next, %row.end ]"
            )
        self._emit_row()
        self._emit_loop_ends()
        return "\n".join(w.lines)

    def _emit_prologue(self, slot: int) -> None:
        w = self.builder
        for number, (field, kind) in enumerate((("base", "ptr"), ("row", "i64"), ("block", "i64"))):
            w.lines += [
                f"  %{field}{slot}.at = getelementptr i64, ptr %slots, i64 {3 * slot + number}",
                f"  %{field}{slot} = load {kind}, ptr %{field}{slot}.at, align 8",
            ]
        if any(a.slot == slot and a.optional for _, a in self.body.outputs):
            w.lines.append(f"  %there{slot} = icmp ne ptr %base{slot}, null")

    def _emit_pointer(self, base: str, offset: int) -> str:
        return self.builder.emit(f"getelementptr {self.builder.scalar}, ptr {base}, i64 {offset}")

    def _emit_load(self, base: str, item: int) -> str:
        w = self.builder
        pointer = self._emit_pointer(base, item * w.lanes)
        return w.emit(f"load {w.vector}, ptr {pointer}, align {self.bits // 8}")

    def _emit_store(self, value: str, base: str, item: int) -> None:
        w = self.builder
        pointer = self._emit_pointer(base, item * w.lanes)
        w.lines.append(f"  store {w.vector} {value}, ptr {pointer}, align {self.bits // 8}")

    def _emit_row(self) -> None:
        w = self.builder
        for slot in range(self.body.slots):
            w.lines += [
                f"  %roff{slot} = mul i64 %r, %row{slot}",
                f"  %here{slot} = getelementptr {w.scalar}, ptr %at{slot}, i64 %roff{slot}",
            ]
        for node, access in self.body.inputs:
            if access.kind == LOAD:
                self.values[node] = self._emit_load(f"%here{access.slot}", access.item)
            elif access.kind in (SCALAR, BROADCAST):
                self.values[node] = self._emit_scalar(access)
        known = [node for node, _ in self.body.inputs]
        nodes = sort_topologically([n for n, _ in self.body.outputs], known=known)
        calls = sum(isinstance(node, Elementwise) and node.op in FUNCTION_NAMES for node in nodes)
        self._inlining = "noinline" if calls > _MOST_INLINED_CALLS else ""
        for node in nodes:
            self.values[node] = self._emit_node(node)
        for node, access in self.body.outputs:
            if access.kind == STORE and not access.optional:
                self._emit_store(self.values[node], f"%here{access.slot}", access.item)
            elif access.kind == ADD_ROW:
                self._emit_row_sum(node, access)
        optional = [(n, a) for n, a in self.body.outputs if a.optional]
        for slot in sorted({a.slot for _, a in optional}):
            w.lines += [
                f"  br i1 %there{slot}, label %keep{slot}, label %kept{slot}",
                f"keep{slot}:",
            ]
            for node, access in optional:
                if access.slot == slot:
                    self._emit_store(self.values[node], f"%here{slot}", access.item)
            w.lines += [f"  br label %kept{slot}", f"kept{slot}:"]

    def _emit_scalar(self, access: Access) -> str:
        """One number of a row, in every lane; its slot's blocks have no stride."""
        w = self.builder
        start = w.emit(f"getelementptr {w.scalar}, ptr %base{access.slot}, i64 %roff{access.slot}")
        item = access.item if access.kind == SCALAR else access.item * w.lanes
        pointer = self._emit_pointer(start, item)
        value = w.emit(f"load {w.scalar}, ptr {pointer}, align {self.bits // 8}")
        first = w.emit(f"insertelement {w.vector} poison, {w.scalar} {value}, i64 0")
        zeros = f"<{w.lanes} x i32> zeroinitializer"
        return w.emit(f"shufflevector {w.vector} {first}, {w.vector} poison, {zeros}")

    def _emit_row_sum(self, node: Node, access: Access) -> None:
        """Add to a row's sums; their slot's blocks may have no stride."""
        base = f"%here{access.slot}"
        total = self.builder.float_op("fadd", self._emit_load(base, access.item), self.values[node])
        self._emit_store(total, base, access.item)

    def _emit_node(self, node: Node) -> str:
        w = self.builder
        if isinstance(node, Leaf):
            assert node.kind == "constant", f"{node.kind} {node.name} is no input of the body"
            return w.constant(float(node.name))
        assert isinstance(node, Elementwise)
        a = [self.values[argument] for argument in node.arguments]
        return self._emit_operation(node.op, a)

    def _emit_operation(self, op: str, a: list[str]) -> str:
        w = self.builder
        if op in _ARITHMETIC:
            return w.float_op(f"{_ARITHMETIC[op]} contract", *a)
        if op == "divide":
            return w.float_op("fdiv", *a)
        if op in FUNCTION_NAMES:
            return w.call(f"sluice.{op}", *a, attribute=self._inlining)
        if op in ("sqrt", "absolute"):
            return w.intrinsic({"sqrt": "sqrt", "absolute": "fabs"}[op], *a)
        if op == "negative":
            return w.negate(*a)
        if op == "relu":
            return w.select(w.compare("ole", a[0], w.constant(0.0)), w.constant(0.0), a[0])
        if op in ("maximum", "minimum"):
            # Unordered: where the first is NaN it is the result; where the second is, as well.
            kind = "ugt" if op == "maximum" else "ult"
            chosen = w.select(w.compare(kind, a[0], a[1]), a[0], a[1])
            return w.select(w.compare("uno", a[1], a[1]), a[1], chosen)
        if op in ("greater", "greater_equal"):
            return w.compare({"greater": "ogt", "greater_equal": "oge"}[op], *a)
        if op == "sign":
            zero = w.constant(0.0)
            size = w.select(w.compare("one", a[0], zero), w.constant(1.0), zero)
            return w.intrinsic("copysign", size, a[0])
        if op in ("clamp", "hard_tanh"):
            return self._emit_operation("minimum", [self._emit_operation("maximum", a[:2]), a[2]])
        if op == "where":
            return w.select(*a)
        assert op == "detach", op
        return a[0]

    def _emit_loop_ends(self) -> None:
        w = self.builder
        w.lines += ["  br label %row.end", "row.end:"]
        for number, (node, _) in enumerate(self.sums):
            w.lines.append(
                f"  %sum{number}.next = fadd {w.vector} %sum{number}, {self.values[node]}"
            )
        w.lines += [
            "  %r.next = add i64 %r, 1",
            "  %more = icmp slt i64 %r.next, %rows",
            "  br i1 %more, label %row, label %block.end",
            "block.end:",
        ]
        for number, (_, access) in enumerate(self.sums):
            base = f"%at{access.slot}"
            total = w.float_op("fadd", self._emit_load(base, access.item), f"%sum{number}.next")
            self._emit_store(total, base, access.item)
        w.lines += [
            "  %b.next = add i64 %b, 1",
            "  %further = icmp slt i64 %b.next, %blocks",
            "  br i1 %further, label %block, label %end",
            "end:",
            "  ret void",
            "}",
        ]
