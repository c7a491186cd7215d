"""What lowering asks of one list of phases: products, statistics, and the values to store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sluice.codegen.body import STORE
from sluice.codegen.buffers import BufferTable, Item
from sluice.codegen.program import CHUNK, STEP, TIME
from sluice.equations.graph import Elementwise, Leaf, Node, sort_topologically
from sluice.equations.specs import CONSTANT

MAPPED = "mapped"
"""The kind of the leaf that stands for a row map's result; of one number a row it is ``row``."""

Location = tuple[int, int, str]
"""A buffer's index, which of its items, and how a body reads it (a kind of `Access`)."""


@dataclass(eq=False)
class ProductGroup:
    """Products that run together: several gates of one operand, or the adjoint of several gates.

    ``results`` are the leaves that stand for the products; ``operand_buffer`` is None where the
    operand's buffer is still to be found.
    """

    stack: str
    gates: tuple[str, ...]
    operands: tuple[Node, ...]
    transposed: bool
    width: str
    results: tuple[Leaf, ...]
    operand_buffer: int | None = None


@dataclass(frozen=True, eq=False)
class NormGroup:
    """The statistics of a norm's group, and the leaves of its mean and 1/σ."""

    norm: str
    parts: tuple[Node, ...]
    leaves: tuple[Leaf, Leaf]
    target: int
    item: int


@dataclass(frozen=True, eq=False)
class MeanGroup:
    """The mean of row sums: its leaf, the summands, and the buffers of sum and mean."""

    norm: str
    leaf: Leaf
    summands: tuple[Node, ...]
    source: int
    item: int
    target: int
    target_item: int


@dataclass(frozen=True, eq=False)
class MapGroup:
    """A row map of ``operand``: its leaf, and the buffer and item of its result."""

    op: str
    operand: Node
    leaf: Leaf
    target: int
    item: int


@dataclass(frozen=True)
class StoreRequest:
    """A node to be stored in an item of a buffer; ``kind`` is how, as of an `Access`."""

    node: Node
    buffer: int
    item: int
    kind: str = STORE
    optional: bool = False


@dataclass
class Section:
    """The requests for one list of phases: those of a chunk of steps, of a step, or of one back.

    ``locate_external`` says where a node lies that this section need not compute, ``find_map``
    what row map of another section a leaf stands for that this one computes again. Numbers of rows
    lie in buffers of role and scope ``scalars``.
    """

    name: str
    is_chunked: bool
    buffers: BufferTable
    locate_external: Callable[[Node], Location | None]
    groups: list[ProductGroup] = field(default_factory=list)
    norms: list[NormGroup] = field(default_factory=list)
    means: list[MeanGroup] = field(default_factory=list)
    maps: dict[Leaf, MapGroup] = field(default_factory=dict)
    scalars: tuple[str, str] = ("statistics", TIME)
    find_map: Callable[[Leaf], MapGroup | None] = lambda leaf: None
    requests: list[StoreRequest] = field(default_factory=list)
    deferred_requests: list[StoreRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._levels: dict[Node, int] = {}
        self._groups_by_result: dict[Node, ProductGroup] = {}
        self._spilled_nodes: dict[Node, Item] = {}
        self._spilled_groups: dict[ProductGroup, Item] = {}

    @property
    def scope(self) -> str:
        """The scope of the buffers between this section's phases."""
        return CHUNK if self.is_chunked else STEP

    def add_group(self, group: ProductGroup) -> None:
        """Add a group, whose results are known from now on."""
        self.groups.append(group)
        self._groups_by_result.update(dict.fromkeys(group.results, group))

    def add_result(self, group: ProductGroup, gate: str, leaf: Leaf) -> None:
        """Add a gate's product to a group that is here already."""
        group.gates, group.results = (*group.gates, gate), (*group.results, leaf)
        self._groups_by_result[leaf] = group

    def find_group(self, node: Node) -> tuple[ProductGroup, int] | None:
        """The group that ``node`` is a result of, and which of its results."""
        group = self._groups_by_result.get(node)
        return None if group is None else (group, group.results.index(node))

    def level(self, node: Node) -> int:
        """How many products, norms and means must be complete, one after another, before it."""
        if node not in self._levels:
            below: dict[Node, tuple[Node, ...]] = {}

            def find_sources(node: Node) -> tuple[Node, ...]:
                below[node] = self._find_sources(node)
                return below[node]

            for each in sort_topologically([node], self._levels, find_sources):
                levels = [self._levels[source] for source in below[each]]
                is_complete = isinstance(each, Leaf) and bool(levels)
                self._levels[each] = max(levels, default=0) + is_complete
        return self._levels[node]

    def _find_sources(self, node: Node) -> tuple[Node, ...]:
        """What must be there before a node can be computed; it is complete for a leaf."""
        if not isinstance(node, Leaf):
            return () if self.locate_external(node) is not None else node.operands
        found, leaf = self.find_group(node), node
        sources = found[0].operands if found else ()
        if leaf.kind == MAPPED and leaf not in self.maps:
            self._copy_map(leaf)
        if leaf in self.maps:
            sources += (self.maps[leaf].operand,)
        sources += tuple(p for norm in self.norms if leaf in norm.leaves for p in norm.parts)
        return sources + tuple(s for mean in self.means if leaf is mean.leaf for s in mean.summands)

    def add_map(self, op: str, operand: Node, width: str) -> Leaf:
        """The leaf that stands for the row map ``op`` of ``operand``, a node of this section."""
        for known in self.maps.values():
            if (known.op, known.operand, known.leaf.width) == (op, operand, width):
                return known.leaf
        name = f"{self.name}.map{len(self.maps)}"
        if width != CONSTANT:
            leaf, where = Leaf(MAPPED, name, width), (self._allocate_row("mapped rows", width), 0)
        else:
            role, scope = self.scalars
            leaf = Leaf("row", name, width)
            where = self.buffers.allocate_item(role, scope, "")
        self.maps[leaf] = MapGroup(op, operand, leaf, *where)
        return leaf

    def _copy_map(self, leaf: Leaf) -> None:
        found = self.find_map(leaf)
        if found is not None:
            target = self._allocate_row("mapped rows", leaf.width)
            self.maps[leaf] = MapGroup(found.op, found.operand, leaf, target, 0)

    def _allocate_row(self, role: str, width: str) -> int:
        """A buffer for one value alone, whose rows are read as a whole."""
        return self.buffers.get(role, self.scope, width, len(self.buffers.buffers))

    def group_level(self, group: ProductGroup) -> int:
        """The level of a group's results."""
        return self.level(group.results[0])

    def store(self, request: StoreRequest) -> None:
        """Ask for a node to be stored in the first phase that can compute it."""
        self.level(request.node)  # creates the buffers that it reads, in the order of requests
        self.requests.append(request)

    def store_when_ready(self, request: StoreRequest) -> None:
        """As `store`, for what no later phase of this section reads: the phase may be later."""
        self.deferred_requests.append(request)

    def spill(self, node: Node) -> Item:
        """Ask for ``node`` to be stored for later phases or sections, and say where."""
        where = self.allocate_spill(node)
        self.store(StoreRequest(node, *where))
        return where

    def spill_row(self, node: Node) -> Item:
        """As `spill`, for a row map to read: rows that nothing else lies in, if it can be."""
        if self.find_group(node) is None and node not in self._spilled_nodes:
            self._spilled_nodes[node] = self._allocate_row(f"{self.name} kept", node.width), 0
        return self.spill(node)

    def is_spilled(self, node: Node) -> bool:
        """Whether ``node`` is stored for later phases anyway."""
        return node in self._spilled_nodes

    def allocate_spill(self, node: Node) -> Item:
        """Where ``node`` lies for later phases; a group's results lie side by side."""
        found = self.find_group(node)
        if found is None:
            if node not in self._spilled_nodes:
                self._spilled_nodes[node] = self._allocate(node.width, 1)
            return self._spilled_nodes[node]
        group, item = found
        if group not in self._spilled_groups:
            self._spilled_groups[group] = self._allocate(group.width, len(group.results))
        buffer, first = self._spilled_groups[group]
        return buffer, first + item

    def _allocate(self, width: str, count: int) -> Item:
        return self.buffers.allocate_item(f"{self.name} kept", self.scope, width, count)

    def spilled_results(self, group: ProductGroup) -> Item | None:
        """Where a group's results lie for later phases; None where none is needed there."""
        return self._spilled_groups.get(group)


def broadcast(node: Node, width: str) -> Node:
    """One number a row at every unit of ``width``: ``detach`` passes its operand on."""
    return Elementwise("detach", (node,), width)
