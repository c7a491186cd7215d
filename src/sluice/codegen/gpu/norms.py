"""The text of norms inside the recurrence: statistics over the units that programs share."""

from __future__ import annotations

from collections.abc import Callable

from sluice.codegen.buffers import Item
from sluice.codegen.gpu.layout import Addresses, KernelShape
from sluice.codegen.gpu.text import TextBuilder
from sluice.codegen.program import NormStatistics, RowMean

ValueFinder = Callable[[Item, str], str]
"""The variable of a value of this program's tile, from its buffer and item, and its width."""


def find_partial_phases(shape: KernelShape) -> set[int]:
    """The phases whose statistics come from what every program finds in its own tile.

    All that such a norm spans is in registers when the phase before ends.
    """
    found: set[int] = set()
    for number, phase in enumerate(shape.phases):
        sources = [k for statistics in phase.statistics for k, _ in statistics.sources]
        is_state = any(shape.buffer(k).role in ("previous", "next") for k in sources)
        if number > 0 and sources and not is_state:
            found.add(number)
    return found


def find_swept_states(shape: KernelShape, partial: set[int]) -> set[int]:
    """The states whose rows a norm reads from memory."""
    buffers = [
        shape.buffer(k)
        for number, phase in enumerate(shape.phases)
        if number not in partial
        for statistics in phase.statistics
        for k, _ in statistics.sources
    ]
    return {b.index for b in buffers if b.role in ("previous", "next")}


def list_groups(shape: KernelShape, statistics: NormStatistics) -> list[list[Item]]:
    """The sources of a norm by width: a program counts those of one width as one."""
    by_width: dict[str, list[Item]] = {}
    for source in statistics.sources:
        by_width.setdefault(shape.buffer(source[0]).width, []).append(source)
    return list(by_width.values())


def list_partial_counts(shape: KernelShape, statistics: NormStatistics) -> list[int]:
    """How many units each of a norm's partial statistics is of."""
    counts: list[int] = []
    for group in list_groups(shape, statistics):
        width = shape.buffer(group[0][0]).width
        counts += [len(group) * n for n in shape.count_units_of_tiles(width)]
    return counts


class NormEmitter:
    """Emits statistics: from rows in memory, or combined from those of every program's tile."""

    def __init__(
        self, shape: KernelShape, text: TextBuilder, addresses: Addresses, partial: set[int]
    ) -> None:
        self.shape, self.text, self.at, self.partial = shape, text, addresses, partial

    def emit_statistics(
        self, number: int, index: int, statistics: NormStatistics
    ) -> dict[Item, str]:
        """Mean and 1/σ of a norm's group; the variables that hold them."""
        line, found = self.text, dict[Item, str]()
        norm = self.shape.graph.get_norm(statistics.norm)
        units = sum(map(self.shape.width, norm.widths))
        mean, scale = f"mean{number}_{index}", f"scale{number}_{index}"
        if number in self.partial:
            self._emit_combination(number, index, statistics, mean, units)
        else:
            self._emit_sweeps(statistics, mean, units)
        line(f"{scale} = 1.0 / tl.sqrt(squares / {units} + {norm.epsilon!r})")
        for item, name in ((statistics.item, mean), (statistics.item + 1, scale)):
            found[statistics.target, item] = name
            with line.block("if TRAIN:"):
                where = self.at.scalar(statistics.target, item)
                line(f"tl.store({where}, {name}, mask=inside & (unit_tile == 0))")
        return found

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
                            where = f"{restart} + depth, mask=depth < {width}"
                            line(f"fresh = tl.load({where}, other=0.0)")
                            line("value = tl.where(begins[:, None], fresh[None, :], value)")
                    line(each)

        line("total = tl.zeros([BM], ACC)")
        sweep("total += tl.sum(value, 1)")
        line(f"{mean} = total / {units}")
        line("squares = tl.zeros([BM], ACC)")
        line(f"center = {mean}[:, None]")
        sweep("squares += tl.sum(tl.where(mask, (value - center) * (value - center), 0.0), 1)")

    def _emit_combination(
        self, number: int, index: int, statistics: NormStatistics, mean: str, units: int
    ) -> None:
        """Mean and sum of squared distances from those of all tiles (Chan et al. 1979)."""
        line, slots = self.text, len(list_partial_counts(self.shape, statistics))
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

    def emit_partial(
        self, number: int, index: int, statistics: NormStatistics, find_value: ValueFinder
    ) -> None:
        """Mean and sum of squared distances of all that a norm spans in this program's tile."""
        line, first = self.text, 0
        slots = len(list_partial_counts(self.shape, statistics))
        partial = self.at.argument(f"Q{number}_{index}")
        for group in list_groups(self.shape, statistics):
            width = self.shape.buffer(group[0][0]).width
            w, tiles = self.shape.widths.index(width), self.shape.count_tiles(width)
            values = [find_value(source, width) for source in group]
            line(f"count = {len(group)} * tl.maximum(tl.sum(is_unit{w}.to(ACC), 0), 1.0)")
            line(f"center = tl.sum(tl.where(m{w}, {' + '.join(values)}, 0.0), 1) / count")
            line("square = tl.zeros([BM, BN], ACC)")
            for value in values:
                line(f"away = tl.where(m{w}, {value} - center[:, None], 0.0)")
                line("square += away * away")
            where = f"{partial} + rows * {2 * slots} + {first} + unit_tile"
            mask = f"inside & (unit_tile < {tiles})"
            line(f"tl.store({where}, center, mask={mask})")
            line(f"tl.store({where} + {slots}, tl.sum(square, 1), mask={mask})")
            first += tiles

    def emit_mean(self, number: int, index: int, mean: RowMean) -> dict[Item, str]:
        """The mean over the units of a sum over rows; the variable that holds it."""
        line, slots = self.text, self.shape.row_slots
        norm = self.shape.graph.get_norm(mean.norm)
        units = sum(map(self.shape.width, norm.widths))
        items = self.shape.buffer(mean.source).items
        name = f"average{number}_{index}"
        padded = 1 << (slots - 1).bit_length()
        line(f"slot = tl.arange(0, {padded})")
        source = self.at.argument(f"P{mean.source}")
        where = f"{source} + (row * {items} + {mean.item}) * {slots} + slot[None, :]"
        mask = f"inside[:, None] & (slot < {slots})[None, :]"
        line(f"{name} = tl.sum(tl.load({where}, mask={mask}, other=0.0), 1) / {units}")
        return {(mean.target, mean.target_item): name}
