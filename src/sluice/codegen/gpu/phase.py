"""The text of one phase: its statistics, its products and its body, on one tile."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.codegen.body import ADD_BLOCK, ADD_ROW, LOAD, PARAMETER, Access
from sluice.codegen.gpu.layout import NARROW_ROLES, Addresses, KernelShape
from sluice.codegen.gpu.meetings import get_phases
from sluice.codegen.gpu.operations import SPELLINGS
from sluice.codegen.gpu.products import ProductEmitter
from sluice.codegen.gpu.text import TextBuilder
from sluice.codegen.program import STEP, NormStatistics, Phase, Product, RowMean
from sluice.equations.graph import Elementwise, Leaf, Node, sort_topologically

_Item = tuple[int, int]


def find_partial_phases(shape: KernelShape) -> set[int]:
    """The phases whose statistics come from what every program finds in its own tile.

    All that such a norm spans is in registers when the phase before ends.
    """
    found: set[int] = set()
    for number, phase in enumerate(get_phases(shape.program, shape.part)):
        sources = [k for statistics in phase.statistics for k, _ in statistics.sources]
        is_state = any(shape.buffer(k).role in ("previous", "next") for k in sources)
        if number > 0 and sources and not is_state:
            found.add(number)
    return found


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
        self.phases = get_phases(shape.program, shape.part)
        self.products = ProductEmitter(shape, text, addresses)
        self.row_gradients = self._list_row_gradients()
        self.swept_states = self._find_swept_states()
        self.begin_step()

    def _list_row_gradients(self) -> list[_Item]:
        found: dict[_Item, None] = {}
        for phase in self.phases:
            for _, access in phase.body.outputs if phase.body else ():
                if access.kind == ADD_BLOCK:
                    found.setdefault((phase.buffers[access.slot], access.item))
        return list(found)

    def _find_swept_states(self) -> set[int]:
        """The states whose rows a norm reads from memory."""
        buffers = [
            self.shape.buffer(k)
            for number, phase in enumerate(self.phases)
            if number not in self.partial
            for statistics in phase.statistics
            for k, _ in statistics.sources
        ]
        return {b.index for b in buffers if b.role in ("previous", "next")}

    def begin_step(self) -> None:
        """Forget the last step's values."""
        self.values: dict[_Item, str] = {}
        self.scalars: dict[_Item, str] = {}
        self.flows: dict[int, str] = {}
        self.deferred: list[tuple[bool, str]] = []
        self.names = 0

    def get_flow(self, index: int) -> str:
        """The gradient of a state before the step."""
        return self.flows.get(index, "tl.zeros([BM, BN], ACC)")

    def _w(self, width: str) -> int:
        return self.shape.widths.index(width)

    def _new_name(self) -> str:
        self.names += 1
        return f"v{self.names}"

    # Norms

    def _emit_statistics(self, number: int, index: int, statistics: NormStatistics) -> None:
        line = self.text
        norm = next(n for n in self.shape.graph.norms if n.name == statistics.norm)
        units = sum(map(self.shape.width, norm.widths))
        mean, scale = f"mean{number}_{index}", f"scale{number}_{index}"
        if number in self.partial:
            self._emit_combination(number, index, statistics, mean, units)
        else:
            self._emit_sweeps(statistics, mean, units)
        line(f"{scale} = 1.0 / tl.sqrt(squares / {units} + {norm.epsilon!r})")
        for item, name in ((statistics.item, mean), (statistics.item + 1, scale)):
            self.scalars[statistics.target, item] = name
            with line.block("if TRAIN:"):
                where = self.at.scalar(statistics.target, item)
                line(f"tl.store({where}, {name}, mask=inside & (unit_tile == 0))")

    def _emit_sweeps(self, statistics: NormStatistics, mean: str, units: int) -> None:
        """Mean and sum of squared distances, from the rows as they lie in memory."""
        line = self.text

        def sweep(each: str) -> None:
            for k, item in statistics.sources:
                width = self.shape.width(self.shape.buffer(k).width)
                with line.block(f"for start in range(0, {width}, BK):"):
                    line("depth = start + tl.arange(0, BK)")
                    line(f"mask = inside[:, None] & (depth < {width})[None, :]")
                    where = self.at.value(k, item, "depth[None, :]")
                    line(f"value = tl.load({where}, mask=mask, other=0.0).to(ACC)")
                    buffer = self.shape.buffer(k)
                    if buffer.role == "previous":
                        with line.block("if RESETS:"):
                            restart = self.at.argument(f"R{buffer.index}")
                            line(
                                f"fresh = tl.load({restart} + depth, mask=depth < {width}, other=0.0)"
                            )
                            line("value = tl.where(begins[:, None], fresh[None, :], value)")
                    line(each)

        line("total = tl.zeros([BM], ACC)")
        sweep("total += tl.sum(value, 1)")
        line(f"{mean} = total / {units}")
        line("squares = tl.zeros([BM], ACC)")
        line(f"center = {mean}[:, None]")
        sweep("squares += tl.sum(tl.where(mask, (value - center) * (value - center), 0.0), 1)")

    def _slots(self, statistics: NormStatistics) -> list[int]:
        """How many tiles each source of a norm has."""
        return [self.shape.count_tiles(self.shape.buffer(k).width) for k, _ in statistics.sources]

    def _emit_combination(
        self, number: int, index: int, statistics: NormStatistics, mean: str, units: int
    ) -> None:
        """Mean and sum of squared distances from those of all tiles (Chan et al. 1979)."""
        line, slots = self.text, sum(self._slots(statistics))
        padded = 1 << (slots - 1).bit_length()
        partial = self.at.argument(f"Q{number}_{index}")
        line(f"slot = tl.arange(0, {padded})")
        line(f"mask = inside[:, None] & (slot < {slots})[None, :]")
        counts = self.at.argument(f"QN{number}_{index}")
        line(f"count = tl.load({counts} + slot, mask=slot < {slots}, other=0.0)[None, :]")
        where = f"{partial} + row * {2 * slots} + slot[None, :]"
        line(f"center = tl.load({where}, mask=mask, other=0.0)")
        line(f"square = tl.load({where} + {slots}, mask=mask, other=0.0)")
        line(f"{mean} = tl.sum(center * count, 1) / {units}")
        line(f"away = center - {mean}[:, None]")
        line("squares = tl.sum(square + count * away * away, 1)")

    def _emit_partial(self, number: int, index: int, statistics: NormStatistics) -> None:
        """Mean and sum of squared distances of this program's tile, of each source of a norm."""
        line, slots, first = self.text, self._slots(statistics), 0
        partial = self.at.argument(f"Q{number}_{index}")
        for source, tiles in zip(statistics.sources, slots, strict=True):
            width = self.shape.buffer(source[0]).width
            w = self._w(width)
            value = self._find_value(source, width)
            line(f"count = tl.maximum(tl.sum(is_unit{w}.to(ACC), 0), 1.0)")
            line(f"center = tl.sum(tl.where(m{w}, {value}, 0.0), 1) / count")
            line(f"away = tl.where(m{w}, {value} - center[:, None], 0.0)")
            where = f"{partial} + rows * {2 * sum(slots)} + {first} + unit_tile"
            mask = f"inside & (unit_tile < {tiles})"
            line(f"tl.store({where}, center, mask={mask})")
            line(f"tl.store({where} + {sum(slots)}, tl.sum(away * away, 1), mask={mask})")
            first += tiles

    def _emit_mean(self, number: int, index: int, mean: RowMean) -> None:
        line, slots = self.text, self.shape.row_slots
        norm = next(n for n in self.shape.graph.norms if n.name == mean.norm)
        units = sum(map(self.shape.width, norm.widths))
        items = self.shape.buffer(mean.source).items
        name = f"average{number}_{index}"
        padded = 1 << (slots - 1).bit_length()
        line(f"slot = tl.arange(0, {padded})")
        source = self.at.argument(f"P{mean.source}")
        where = f"{source} + (row * {items} + {mean.item}) * {slots} + slot[None, :]"
        mask = f"inside[:, None] & (slot < {slots})[None, :]"
        line(f"{name} = tl.sum(tl.load({where}, mask={mask}, other=0.0), 1) / {units}")
        self.scalars[mean.target, mean.target_item] = name

    # Bodies

    def emit_compute(self, number: int, phase: Phase) -> None:
        """All of a phase up to the stores that other programs read."""
        for index, statistics in enumerate(phase.statistics):
            self._emit_statistics(number, index, statistics)
        for index, mean in enumerate(phase.means):
            self._emit_mean(number, index, mean)
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
                self._emit_partial(following, index, statistics)

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
        w = self._w(phase.width)
        if access.kind == PARAMETER:
            name = self._new_name()
            where = self.at.value(*item, f"u{w}")
            self.text(f"{name} = tl.load({where}, mask=is_unit{w}, other=0.0)[None, :].to(ACC)")
            return name
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
