"""Scheduling: a section's equations sorted into phases, in three passes.

A matrix product, a norm, a mean or a row map needs complete rows of what it reads; everything else
is elementwise. So a step is cut into phases: each begins with products, statistics and row maps,
and ends with a *body*, one compiled function for all that is elementwise.

1. **Levels** (`Section.level`). A node's level is how many products, norms, means and row maps must
   be complete, one after another, before it can be computed.
2. **Stores** (`plan_bodies`). Every request is put at the level of its node. From the top level
   down it follows what each level's body reads, and so what lower levels must store as well.
3. **Phases** (`build_phases`). Each level becomes a phase, one for each width that occurs in it.

An LSTM's time step has one level with a product, ``R h`` of all four gates. ``W x`` is no part of
the step: a section of its own has computed it for a whole chunk of steps. The gates, c and h are
elementwise in the two, so there is one phase. Its body stores the new states, and the gates for
the backward pass (on the *tape*):

>>> from sluice.cells import LSTM, ResetBeforeGRU
>>> from sluice.codegen.lower import lower_graph
>>> def show(program):
...     for number, phase in enumerate(program.forward):
...         products = [f"{p.stack} {p.gates}" for p in phase.products]
...         stores = [program.buffers[phase.buffers[a.slot]].role for _, a in phase.body.outputs]
...         print(number, *products, "->", *stores)
>>> show(lower_graph(LSTM().graph, has_bias=True))
0 hh ('input', 'forget', 'candidate', 'output') -> next next tape tape tape tape

A GRU that resets before its product has two levels, since the candidate's product reads ``r * h``.
The body of level 1 also needs ``z * h`` and ``1 - z``. To compute them again would take another
sigmoid, so pass 2 makes them two more stores of level 0, *kept* for level 1:

>>> show(lower_graph(ResetBeforeGRU().graph, has_bias=True))
0 hh ('reset', 'update') -> step operand tape tape step kept step kept
1 hh ('candidate',) -> next tape
"""

from __future__ import annotations

from sluice.codegen.body import LOAD
from sluice.codegen.buffers import Item
from sluice.codegen.phases import SectionBuffers, build_phases
from sluice.codegen.program import CHUNK, STEP, Phase
from sluice.codegen.section import MAPPED, MapGroup, ProductGroup, Section, StoreRequest
from sluice.codegen.stores import plan_bodies
from sluice.equations.graph import Leaf, Node, sort_topologically
from sluice.equations.specs import CONSTANT


def schedule(section: Section) -> list[Phase]:
    """The phases of a section, in order."""
    tiles, operands = dict[ProductGroup, int](), dict[ProductGroup, int]()
    for number, group in enumerate(section.groups):
        role, count = f"{section.name} tile", len(group.results)
        tiles[group] = section.buffers.get(role, STEP, group.width, number, count)
        operands[group] = _find_operand(section, group)
    norm_parts = {
        norm: tuple(_find_norm_part(section, part) for part in norm.parts) for norm in section.norms
    }
    map_sources = _find_map_sources(section)
    plans = plan_bodies(section, tiles)
    while len(map_sources) < len(section.maps):  # a body may be the first to read a map
        map_sources = _find_map_sources(section)
        plans = plan_bodies(section, tiles)
    return build_phases(section, SectionBuffers(operands, tiles, norm_parts, map_sources), plans)


def _find_operand(section: Section, group: ProductGroup) -> int:
    """The buffer that a group's products read; the operand's own where it fills one alone."""
    if group.operand_buffer is not None:
        return group.operand_buffer
    (operand,) = group.operands
    found = section.locate_external(operand)
    if found is not None and found[2] == LOAD and _is_operand_buffer(section, found[0]):
        return found[0]
    role, number = f"{section.name} operand", len(section.buffers.buffers)
    buffer = section.buffers.get(role, section.scope, operand.width, number)
    section.store(StoreRequest(operand, buffer, 0))
    return buffer


def _is_operand_buffer(section: Section, buffer: int) -> bool:
    """Whether a buffer holds an input or a state and nothing else."""
    found = section.buffers.buffers[buffer]
    return found.items == 1 and found.role in ("input", "previous")


def _find_norm_part(section: Section, node: Node) -> Item:
    """Where a norm's statistics read one part of its group."""
    found = section.locate_external(node)
    if found is None or found[2] != LOAD:
        return section.spill(node)
    # Of a chunk of steps only bodies read inputs beside x where they lie.
    is_beside_x = section.buffers.buffers[found[0]].role == "mask"
    return section.spill(node) if section.is_chunked and is_beside_x else found[:2]


_COMPLETE = ("previous", "next", "tape", "mask")
"""Roles of buffers whose rows are complete when a step begins, whichever threads share it."""


def _is_mapped(node: Node) -> bool:
    return isinstance(node, Leaf) and node.kind == MAPPED


def _find_map_sources(section: Section) -> dict[MapGroup, Item]:
    """Where the row maps read. To store one's operand may ask for another map."""
    found: dict[MapGroup, Item] = {}
    deferred = [request.node for request in section.deferred_requests]
    if section.maps or any(map(_is_mapped, sort_topologically(deferred))):
        for node in deferred:
            section.level(node)
    while len(found) < len(section.maps):
        one = list(section.maps.values())[len(found)]
        found[one] = _find_map_source(section, one.operand)
    return found


def _find_map_source(section: Section, node: Node) -> Item:
    if isinstance(node, Leaf) and node in section.maps and node.width != CONSTANT:
        return section.maps[node].target, 0
    found = section.locate_external(node)
    if found is not None and found[2] == LOAD:
        slot = section.buffers.buffers[found[0]]
        if slot.role in _COMPLETE or slot.scope == CHUNK:
            return found[:2]
    return section.spill_row(node)
