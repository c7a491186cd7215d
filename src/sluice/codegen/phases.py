"""The third pass of scheduling: phases from levels, products, statistics and planned bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.codegen.body import Access, Body
from sluice.codegen.buffers import Item
from sluice.codegen.program import NormStatistics, Phase, Product, RowMean, RowOperation
from sluice.codegen.section import MapGroup, NormGroup, ProductGroup, Section
from sluice.codegen.stores import BodyPlan, PhaseKey
from sluice.equations.specs import CONSTANT


@dataclass(frozen=True)
class SectionBuffers:
    """Where a section's products, norms and row maps read, and where products' results lie."""

    operands: Mapping[ProductGroup, int]
    tiles: Mapping[ProductGroup, int]
    norm_parts: Mapping[NormGroup, tuple[Item, ...]]
    map_sources: Mapping[MapGroup, Item]


def build_phases(
    section: Section, buffers: SectionBuffers, plans: Mapping[PhaseKey, BodyPlan]
) -> list[Phase]:
    """The phases, from the lowest level up."""
    levels = [level for level, _ in plans]
    levels += [section.level(norm.leaves[0]) for norm in section.norms]
    levels += map(section.group_level, section.groups)
    levels += map(section.level, section.maps)
    found: list[Phase] = []
    for level in range(max(levels, default=0) + 1):
        found += _build_level(section, buffers, plans, level)
    return found


def _build_level(
    section: Section,
    buffers: SectionBuffers,
    plans: Mapping[PhaseKey, BodyPlan],
    level: int,
) -> list[Phase]:
    """The phases of one level: one for each width, what needs complete rows in the first."""
    groups = [group for group in section.groups if section.group_level(group) == level]
    widths = {group.width for group in groups} | {w for at, w in plans if at == level}
    phases = []
    for width in sorted(widths, key=lambda width: (width != CONSTANT, width)):
        own = [group for group in groups if group.width == width]
        phases.append(_build_phase(section, buffers, width, own, plans.get((level, width))))
    statistics, means = _build_statistics(section, buffers, level), _build_means(section, level)
    maps = [found for leaf, found in section.maps.items() if section.level(leaf) == level]
    if maps and not phases:
        phases = [Phase(maps[0].leaf.width)]
    if (statistics or means) and not phases:
        phases = [Phase(section.buffers.buffers[statistics[0].sources[0][0]].width)]
    if phases:
        phases[0].statistics, phases[0].means = statistics, means
        phases[0].row_operations = [
            RowOperation(one.op, *buffers.map_sources[one], one.target, one.item) for one in maps
        ]
    return phases


def _build_statistics(
    section: Section, buffers: SectionBuffers, level: int
) -> list[NormStatistics]:
    return [
        NormStatistics(norm.norm, buffers.norm_parts[norm], norm.target, norm.item)
        for norm in section.norms
        if section.level(norm.leaves[0]) == level
    ]


def _build_means(section: Section, level: int) -> list[RowMean]:
    return [
        RowMean(mean.norm, mean.source, mean.item, mean.target, mean.target_item)
        for mean in section.means
        if section.level(mean.leaf) == level
    ]


def _build_phase(
    section: Section,
    buffers: SectionBuffers,
    width: str,
    groups: list[ProductGroup],
    plan: BodyPlan | None,
) -> Phase:
    """One phase; products whose results are only spilled go straight to where they are spilled."""
    if plan is not None and groups and _only_spills(section, groups, plan):
        targets = [section.allocate_spill(group.results[0]) for group in groups]
        plan = None
    else:
        targets = [(buffers.tiles[group], 0) for group in groups]
    products = [
        _build_product(group, buffers.operands[group], target)
        for group, target in zip(groups, targets, strict=True)
    ]
    body, slots = (None, ()) if plan is None else _build_body(plan)
    return Phase(width, products=products, body=body, buffers=slots)


def _only_spills(section: Section, groups: list[ProductGroup], plan: BodyPlan) -> bool:
    """Whether a body only copies all results of its phase's products to where they are spilled."""
    results = {leaf for group in groups for leaf in group.results}
    nodes = [request.node for request in plan.stores]
    if any(section.spilled_results(group) is None for group in groups):
        return False
    if set(nodes) != results or len(nodes) != len(results):
        return False
    # An operand of later products is a copy elsewhere.
    return all((r.buffer, r.item) == section.allocate_spill(r.node) for r in plan.stores)


def _build_product(group: ProductGroup, operand: int, target: Item) -> Product:
    return Product(group.stack, group.gates, group.transposed, operand, group.width, *target)


def _build_body(plan: BodyPlan) -> tuple[Body, tuple[int, ...]]:
    """The body, and the buffers of its slots, numbered in the order of use."""
    slots: dict[int, int] = {}

    def access(buffer: int, item: int, kind: str, optional: bool = False) -> Access:
        return Access(kind, slots.setdefault(buffer, len(slots)), item, optional)

    inputs = tuple((node, access(*location)) for node, location in plan.inputs)
    outputs = tuple((r.node, access(r.buffer, r.item, r.kind, r.optional)) for r in plan.stores)
    return Body(inputs, outputs, len(slots)), tuple(slots)
