"""The text of matrix products: a tile of rows times a tile of weights, sums in registers."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.codegen.gpu.layout import Addresses, KernelShape
from sluice.codegen.gpu.text import TextBuilder
from sluice.codegen.program import Phase, Product


@dataclass(frozen=True)
class _Terms:
    """How a product's terms are cut: ``splits`` parts of ``span`` terms, each in ``chunks``."""

    count: int
    splits: int
    span: int
    depth: int

    @property
    def chunks(self) -> int:
        return -(-self.span // self.depth)


@dataclass(frozen=True)
class _Part:
    """One sum of a product: which item it reads, the weights' first row, and its result."""

    item: int
    start: int
    result: int


class ProductEmitter:
    """Emits products, and the loads of weights that stay for all steps."""

    def __init__(self, shape: KernelShape, text: TextBuilder, addresses: Addresses) -> None:
        self.shape, self.text, self.at = shape, text, addresses

    def emit_weights(self, number: int, phase: Phase) -> None:
        """Load the tiles of all weights of a phase, for all steps."""
        for index, product in enumerate(phase.products):
            terms, w = self._cut(product), self.shape.widths.index(phase.width)
            for chunk in range(terms.chunks):
                self._emit_terms(terms, str(chunk * terms.depth))
                for n, part in enumerate(self._list_parts(product)):
                    self.text(f"w{number}_{index}_{n}_{chunk} = {self._weight(product, part, w)}")

    def emit_biases(self, number: int, phase: Phase) -> None:
        """Load the biases of a phase's products, for all steps."""
        w = self.shape.widths.index(phase.width)
        for index, product in enumerate(phase.products):
            if self._has_bias(product):
                stack = self.shape.stack(product.stack)
                rows, name = stack.row_ranges(self.shape.sizes), self.at.argument(f"B_{stack.name}")
                for n, gate in enumerate(product.gates):
                    where = f"{name} + {rows[gate][0]} + u{w}"
                    loaded = f"tl.load({where}, mask=is_unit{w}, other=0.0)"
                    self.text(f"bias{number}_{index}_{n} = {loaded}[None, :].to(ACC)")

    def _has_bias(self, product: Product) -> bool:
        stack = self.shape.stack(product.stack)
        return self.shape.has_bias and stack.bias and not product.transposed

    def emit(self, number: int, index: int, product: Product, width: str) -> list[str]:
        """The variables of a product's results: one for each gate, or one sum."""
        line, terms, w = self.text, self._cut(product), self.shape.widths.index(width)
        parts = self._list_parts(product)
        names = [f"acc{number}_{index}_{n}" for n in range(1 + max(p.result for p in parts))]
        tile = "[BM, BN]" if terms.splits == 1 else f"[{terms.splits}, BM, BN]"
        for name in names:
            line(f"{name} = tl.zeros({tile}, ACC)")
        if self.shape.is_resident:
            self._emit_resident(number, index, product, terms, names, w)
        else:
            with line.block(f"for start in tl.range(0, {terms.span}, {terms.depth}):"):
                self._emit_terms(terms, "start")
                for n, part in enumerate(parts):
                    if n == 0 or part.item != parts[n - 1].item:
                        line(f"a = {self._operand(product, part.item, w)}")
                    line(f"weight = {self._weight(product, part, w)}")
                    self._emit_dot(names[part.result], "a", "weight")
        if terms.splits > 1:
            for name in names:
                self._emit_sum_of_splits(name, terms.splits)
        if self._has_bias(product):
            for n, name in enumerate(names):
                line(f"{name} += bias{number}_{index}_{n}")
        return names

    def _emit_resident(
        self, number: int, index: int, product: Product, terms: _Terms, names: list[str], w: int
    ) -> None:
        """Loads first, many at a time, so that they wait for memory together."""
        line, parts = self.text, self._list_parts(product)
        loads = [(chunk, n, part) for chunk in range(terms.chunks) for n, part in enumerate(parts)]
        chunk_bytes = self.shape.tile.rows * terms.splits * terms.depth * self.shape.element_bytes
        size = max(1, self.shape.tile.ahead // chunk_bytes)
        operands: dict[tuple[int, int], str] = {}
        for first in range(0, len(loads), size * max(1, len(names))):
            group = loads[first : first + size * max(1, len(names))]
            for chunk, _, part in group:
                if (chunk, part.item) not in operands:
                    operands[chunk, part.item] = name = f"a{chunk}_{part.item}"
                    self._emit_terms(terms, str(chunk * terms.depth))
                    line(f"{name} = {self._operand(product, part.item, w)}")
            for chunk, n, part in group:
                weight = f"w{number}_{index}_{n}_{chunk}"
                self._emit_dot(names[part.result], operands[chunk, part.item], weight)

    def _emit_sum_of_splits(self, name: str, splits: int) -> None:
        """Add the parts in pairs. `tl.sum` would move single numbers between warps."""
        line = self.text
        line(f"{name} = tl.permute({name}, (1, 2, 0))")
        while splits > 1:
            if splits > 2:
                line(f"{name} = tl.reshape({name}, [BM, BN, {splits // 2}, 2])")
            line(f"left, right = tl.split({name})")
            line(f"{name} = left + right")
            splits //= 2

    def _emit_dot(self, name: str, a: str, weight: str) -> None:
        self.text(
            f"{name} = tl.dot({a}, {weight}, {name}, input_precision=PRECISION, out_dtype=ACC)"
        )

    def _list_parts(self, product: Product) -> list[_Part]:
        stack = self.shape.stack(product.stack)
        rows = stack.row_ranges(self.shape.sizes)
        starts = [rows[gate][0] for gate in product.gates]
        if not product.transposed:
            return [_Part(0, start, n) for n, start in enumerate(starts)]
        if self._is_joined(product):
            return [_Part(0, starts[0], 0)]
        return [_Part(n, start, 0) for n, start in enumerate(starts)]

    def _is_joined(self, product: Product) -> bool:
        """Whether the deltas of all gates lie side by side, as the weights' rows do: one sum."""
        stack = self.shape.stack(product.stack)
        is_dense = stack.heads == 1 and stack.are_adjacent(product.gates, self.shape.sizes)
        return product.transposed and is_dense

    def _count_terms(self, product: Product) -> int:
        terms = self.shape.count_terms(product)
        return terms * (len(product.gates) if self._is_joined(product) else 1)

    def _cut(self, product: Product) -> _Terms:
        """Parts of equal length for the splits; a chunk is a power of two, at least 16."""
        count, tile = self._count_terms(product), self.shape.tile
        splits = min(tile.splits, 1 << max(0, (count // 16).bit_length() - 1))
        span = -(-count // (16 * splits)) * 16
        depth = min(tile.depth, 1 << (span - 1).bit_length())
        while depth > 16 and -(-span // depth) * depth > span + span // 8:
            depth //= 2  # rather more chunks than a last one that is mostly empty
        return _Terms(count, splits, -(-span // depth) * depth, depth)

    def _emit_terms(self, terms: _Terms, start: str) -> None:
        """Number a chunk's terms: ``depth``, ``(terms,)`` or ``(splits, terms)``."""
        line = f"{start} + tl.arange(0, {terms.depth})"
        if terms.splits > 1:
            line = f"(tl.arange(0, {terms.splits}) * {terms.span})[:, None] + ({line})[None, :]"
        self.text(f"depth = {line}")

    def _head(self, product: Product, w: int) -> str:
        stack = self.shape.stack(product.stack)
        if stack.heads == 1:
            return "0"
        width = self.shape.width(self.shape.widths[w]) // stack.heads
        return f"(first{w} // {width})"

    def _weight(self, product: Product, part: _Part, w: int) -> str:
        """A tile of weights, terms × units."""
        stack, terms = self.shape.stack(product.stack), self._cut(product)
        columns = self.shape.width(stack.operand) // stack.heads
        weight, head = self.at.argument(f"W_{stack.name}"), self._head(product, w)
        is_split = terms.splits > 1
        term = "depth[:, :, None]" if is_split else "depth[:, None]"
        unit = "[None, None, :]" if is_split else "[None, :]"
        first = f"{part.start} + " + (f"{head} * {terms.count} + " if stack.heads > 1 else "")
        if product.transposed:
            local = f"u{w}" if stack.heads == 1 else f"(u{w} - {head} * {columns})"
            where = f"({first}{term}) * {columns} + {local}{unit}"
        else:
            where = f"({part.start} + u{w}){unit} * {columns} + {term}"
        mask = f"is_unit{w}{unit} & ({term} < {terms.count})"
        return f"tl.load({weight} + {where}, mask={mask}, other=0.0).to(DOT).to(MUL)"

    def _operand(self, product: Product, item: int, w: int) -> str:
        """A tile of the operand, rows × terms."""
        terms, stack = self._cut(product), self.shape.stack(product.stack)
        is_split = terms.splits > 1
        term = "depth[:, None, :]" if is_split else "depth[None, :]"
        row = "rows[None, :, None]" if is_split else "row"
        if stack.heads > 1:
            columns = f"({self._head(product, w)} * {terms.count} + {term})"
        else:
            columns = term
        mask = f"({row} < B) & ({term} < {terms.count})"
        buffer = self.shape.buffer(product.operand)
        if buffer.role != "previous":
            where = self.at.value(product.operand, item, columns, row=row)
            return f"tl.load({where}, mask={mask}, other=0.0).to(DOT).to(MUL)"
        tape = "X" if self.shape.is_narrow else "S"
        where = self.at.state(buffer.index, columns, "(t + PREVIOUS)", row, tape)
        loaded = f"tl.load({where}, mask={mask}, other=0.0)"
        restart = self.at.argument(f"R{buffer.index}")
        fresh = f"tl.load({restart} + {columns}, mask={term} < {terms.count}, other=0.0).to(DOT)"
        begins = "begins[None, :, None]" if is_split else "begins[:, None]"
        restarted = f"tl.where({begins}, {fresh}, {loaded})"
        return f"({restarted} if RESETS else {loaded}).to(DOT).to(MUL)"
