"""The text of one phase: its statistics, its products and its body, on one tile."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.codegen.body import ADD_BLOCK, ADD_ROW, LOAD, PARAMETER, Access
from sluice.codegen.gpu.layout import NARROW_ROLES, Addresses, KernelShape
from sluice.codegen.gpu.norms import NormEmitter, find_swept_states
from sluice.codegen.gpu.operations import SPELLINGS
from sluice.codegen.gpu.products import ProductEmitter
from sluice.codegen.gpu.text import TextBuilder
from sluice.codegen.program import STEP, Phase, Product
from sluice.equations.graph import Elementwise, Leaf, Node, sort_topologically

_Item = tuple[int, int]


class PhaseEmitter:
    """Emits phases; knows which values are in registers."""

    def __init__(
        self,
        shape: KernelShape,
        text: TextBuilder,
        addresses: Addresses,
        wide: set[int],
        partial: set[int],
        early: Mapping[_Item, str],
    ) -> None:
        self.shape, self.text, self.at = shape, text, addresses
        self.wide, self.partial, self.early = wide, partial, early
        self.phases = shape.phases
        self.products = ProductEmitter(shape, text, addresses)
        self.norms = NormEmitter(shape, text, addresses, partial)
        self.row_gradients = self._list_row_gradients()
        self.swept_states = find_swept_states(shape, partial)
        self.constants: set[_Item] = set()
        self.begin_step()

    def _list_row_gradients(self) -> list[_Item]:
        found: dict[_Item, None] = {}
        for phase in self.phases:
            for _, access in phase.body.outputs if phase.body else ():
                if access.kind == ADD_BLOCK:
                    found.setdefault((phase.buffers[access.slot], access.item))
        return list(found)

    def begin_step(self) -> None:
        """Forget the last step's values."""
        self.values: dict[_Item, str] = {}
        self.scalars: dict[_Item, str] = {}
        self.flows: dict[int, str] = {}
        self.deferred: list[tuple[bool, str]] = []
        self.names = 0

    def emit_constants(self) -> None:
        """Load what is the same for all steps and rows: biases and per-unit parameters."""
        for number, phase in enumerate(self.phases):
            self.products.emit_biases(number, phase)
            for _, access in phase.body.inputs if phase.body else ():
                item = (phase.buffers[access.slot], access.item)
                if access.kind == PARAMETER and item not in self.constants:
                    self.constants.add(item)
                    w = self._w(phase.width)
                    where = self.at.value(*item, f"u{w}")
                    loaded = f"tl.load({where}, mask=is_unit{w}, other=0.0)[None, :].to(ACC)"
                    self.text(f"parameter{item[0]}_{item[1]} = {loaded}")

    def get_flow(self, index: int) -> str:
        """The gradient of a state before the step."""
        return self.flows.get(index, "tl.zeros([BM, BN], ACC)")

    def _w(self, width: str) -> int:
        return self.shape.widths.index(width)

    def _new_name(self) -> str:
        self.names += 1
        return f"v{self.names}"

    # Bodies

    def emit_compute(self, number: int, phase: Phase) -> None:
        """All of a phase up to the stores that other programs read."""
        for index, statistics in enumerate(phase.statistics):
            self.scalars |= self.norms.emit_statistics(number, index, statistics)
        for index, mean in enumerate(phase.means):
            self.scalars |= self.norms.emit_mean(number, index, mean)
        results: dict[_Item, str] = {}
        for index, product in enumerate(phase.products):
            names = self.products.emit(number, index, product, phase.width)
            items = [(product.target, product.item + n) for n in range(len(names))]
            if phase.body is None:
                self._finish_product(product, items, names)
            results |= dict(zip(items, names, strict=True))
        if phase.body is not None:
            self._emit_body(number, phase, results)
        following = number + 1
        if following in self.partial:
            for index, statistics in enumerate(self.phases[following].statistics):
                self.norms.emit_partial(following, index, statistics, self._find_value)

    def _finish_product(self, product: Product, items: list[_Item], names: list[str]) -> None:
        """A product without a body: added to a gradient that flows, or stored."""
        buffer = self.shape.buffer(product.target)
        for item, name in zip(items, names, strict=True):
            if buffer.role == "flow out":
                before = self.flows.get(buffer.index)
                total = f"({before} + {name})" if product.accumulate and before else name
                self.text(f"out{buffer.index} = {total}")
                self.flows[buffer.index] = f"out{buffer.index}"
            else:
                self._store(item, name, optional=False)

    def _emit_body(self, number: int, phase: Phase, results: dict[_Item, str]) -> None:
        body = phase.body
        assert body is not None
        line, names = self.text, dict[Node, str]()
        for node, access in body.inputs:
            names[node] = self._input(phase, access, results)
        wanted = [node for node, _ in body.outputs]
        for node in sort_topologically(wanted, known=[node for node, _ in body.inputs]):
            names[node] = self._new_name()
            if isinstance(node, Leaf):
                line(f"{names[node]} = tl.full([BM, BN], {float(node.name)!r}, ACC)")
            else:
                assert isinstance(node, Elementwise)
                spelled = SPELLINGS[node.op].format(*(names[a] for a in node.arguments))
                line(f"{names[node]} = {spelled}")
        for node, access in body.outputs:
            self._emit_output(number, phase, access, names[node])

    def _input(self, phase: Phase, access: Access, results: Mapping[_Item, str]) -> str:
        """The variable that holds an input of a body."""
        item = (phase.buffers[access.slot], access.item)
        if item in results:
            return results[item]
        if access.kind == PARAMETER:
            return f"parameter{item[0]}_{item[1]}"
        if access.kind == LOAD:
            return self._find_value(item, phase.width)
        return f"{self.scalars.get(item) or self.early[item]}[:, None]"

    def _find_value(self, item: _Item, width: str) -> str:
        """The variable of a value of this program's tile."""
        buffer = self.shape.buffer(item[0])
        if item in self.values:
            return self.values[item]
        if buffer.role == "previous" and self.shape.part == "forward":
            return f"own{buffer.index}"
        if buffer.role == "flow":
            return f"flow{buffer.index}"
        if item in self.early:
            return self.early[item]
        w, name = self._w(width), self._new_name()
        where = self.at.value(*item, f"u{w}[None, :]")
        self.text(f"{name} = tl.load({where}, mask=m{w}, other=0.0).to(ACC)")
        return name

    def _emit_output(self, number: int, phase: Phase, access: Access, value: str) -> None:
        line, w = self.text, self._w(phase.width)
        item = (phase.buffers[access.slot], access.item)
        k, buffer = item[0], self.shape.buffer(item[0])
        full = f"{value} + tl.zeros([BM, BN], ACC)"
        if access.kind == ADD_BLOCK:
            line(f"sum{k}_{item[1]} += tl.where(alive & m{w}, {full}, 0.0)")
        elif access.kind == ADD_ROW:
            slots = self.shape.row_slots
            before = sum(self.shape.count_tiles(p.width) for p in self.phases[:number])
            tiles = self.shape.count_tiles(phase.width)
            name = self.at.argument(f"P{k}")
            where = f"{name} + (rows * {buffer.items} + {item[1]}) * {slots} + {before} + unit_tile"
            total = f"tl.sum(tl.where(alive & m{w}, {full}, 0.0), 1)"
            line(f"tl.store({where}, {total}, mask=inside & (unit_tile < {tiles}))")
        elif buffer.role == "flow out":
            line(f"out{buffer.index} = {full}")
            self.flows[buffer.index] = f"out{buffer.index}"
        elif buffer.role == "next":
            self._emit_state(item, f"({full})", w)
        else:
            self._store(item, value, access.optional)

    def _emit_state(self, item: _Item, value: str, w: int) -> None:
        """A state after the step: kept, told to the others, and stored for the way back."""
        index, line = self.shape.buffer(item[0]).index, self.text
        line(f"new{index} = (tl.where(alive, {value}, own{index}) if LENGTHS else {value})")
        line(f"new{index} = (tl.where(is_met, new{index}, float('nan')) if MEET else new{index})")
        self.values[item] = f"new{index}"
        is_wide = item[0] in self.wide
        if self.shape.is_narrow and is_wide:
            where = self.at.state(index, f"u{w}[None, :]", "(t + 1 - PREVIOUS)", name="X")
            line(f"tl.store({where}, new{index}.to(DOT), mask=m{w})")
        where = self.at.state(index, f"u{w}[None, :]", "(t + 1 - PREVIOUS)")
        stored = f"tl.store({where}, new{index}, mask=m{w})"
        if is_wide and (index in self.swept_states or not self.shape.is_narrow):
            line(stored)
        else:
            self.deferred.append((False, stored))
        if index == 0:
            width = self.shape.width(self.shape.graph.states[0].width)
            where = f"{self.at.argument('Y')} + t * (B * {width}) + row * {width} + u{w}[None, :]"
            shown = "(tl.where(alive, new0, 0.0) if LENGTHS else new0)"
            self.deferred.append((False, f"tl.store({where}, {shown}.to(OUT), mask=m{w})"))

    def _store(self, item: _Item, value: str, optional: bool) -> None:
        """Keep a value for later phases; in memory too, where others or later passes read it."""
        k, buffer = item[0], self.shape.buffer(item[0])
        self.values[item] = value
        is_wide = k in self.wide
        if buffer.scope == STEP and not is_wide:
            return
        w = self._w(buffer.width)
        full = f"{value} + tl.zeros([BM, BN], ACC)"
        if self.shape.part == "backward":
            full = f"(tl.where(alive, {full}, 0.0) if LENGTHS else {full})"
        target = "DOT" if buffer.role in NARROW_ROLES else "ACC"
        where = self.at.value(*item, f"u{w}[None, :]")
        stored = f"tl.store({where}, ({full}).to({target}), mask=m{w})"
        if is_wide:
            self.text(stored)
        else:
            self.deferred.append((optional, stored))

    def emit_deferred_stores(self) -> None:
        """The stores that no other program waits for."""
        for optional, stored in self.deferred:
            if optional:
                with self.text.block("if TRAIN:"):
                    self.text(stored)
            else:
                self.text(stored)
        self.deferred = []
