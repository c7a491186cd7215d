"""The backward pass of a program: the adjoint, its sums of products as one product each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeGuard

from sluice.codegen.body import ADD_BLOCK, LOAD, PARAMETER
from sluice.codegen.buffers import Item
from sluice.codegen.folding import fold
from sluice.codegen.lower_forward import ForwardLowering, expand_row_map
from sluice.codegen.phase_schedule import schedule
from sluice.codegen.program import (
    CHUNK,
    CONST,
    STEP,
    TIME,
    Phase,
    Product,
    RowGradient,
    WeightGradient,
)
from sluice.codegen.section import (
    MAPPED,
    Location,
    MapGroup,
    MeanGroup,
    ProductGroup,
    Section,
    StoreRequest,
)
from sluice.equations.adjoint import Adjoint, NormDelta, differentiate
from sluice.equations.graph import (
    Affine,
    Elementwise,
    Leaf,
    Node,
    RowMap,
    RowNorm,
    as_node,
    constant,
    elementwise,
    sort_topologically,
)
from sluice.equations.row_maps import REPEAT, TILE, split_groups

_Bucket = tuple[str, str, str]


class BackwardLowering:
    """One backward step: the adjoint's nodes, computed from what the forward pass has saved."""

    def __init__(self, forward: ForwardLowering) -> None:
        self.forward, self.graph, self.buffers = forward, forward.graph, forward.buffers
        self.adjoint: Adjoint = differentiate(self.graph)
        self.section = Section(
            "back",
            False,
            self.buffers,
            self._locate,
            scalars=("row means", STEP),
            find_map=self._find_copied_map,
        )
        self.deferred_products: list[Product] = []
        self.weight_gradients: list[WeightGradient] = []
        self.row_gradients: list[RowGradient] = []
        self.gradient_locations: dict[str, Item] = {}
        self.input_gradient_locations: dict[str, Item] = {}
        self._forward_nodes = set(self.graph.nodes)
        self._shared_sums = self._find_shared_sums()
        self._rewrites: dict[Node, Node] = {}
        self._groups: dict[tuple[str, tuple[str, ...], tuple[Node, ...]], ProductGroup] = {}
        self._delta_buffers: dict[tuple[Node, ...], int] = {}
        self._row_gradient_locations: dict[tuple[Node, str], Item] = {}
        self._recorded: dict[tuple[Node, str], Item] = {}
        self._final_products: list[Product] = []
        self._lower_weights()
        self._lower_states()
        self._lower_x()
        self._lower_inputs()
        self._lower_row_gradients()

    def build_phases(self) -> list[Phase]:
        """The phases of one backward step, the products into the flowing gradients last."""
        last = [Phase(product.width, products=[product]) for product in self._final_products]
        return schedule(self.section) + last

    def record_gradients(self, names: tuple[str, ...]) -> None:
        """Store the derivatives with respect to those named values that affect the loss."""
        for name in names:
            if name in self.adjoint.gradients_by_name:
                gradient = self.adjoint.gradients_by_name[name]
                width = self.graph.outputs_by_name[name].width
                self.gradient_locations[name] = self._record(gradient, width)

    def _record(self, gradient: Node, width: str) -> Item:
        """Where a gradient is kept of every step."""
        node = self.rewrite(gradient)
        if (node, width) not in self._recorded:
            self._recorded[node, width] = self.buffers.allocate_item("recorded", TIME, width)
            self.section.store_when_ready(StoreRequest(node, *self._recorded[node, width]))
        return self._recorded[node, width]

    def _locate(self, node: Node) -> Location | None:
        if node in self.forward.tape_locations:
            return (*self.forward.tape_locations[node], LOAD)
        if not isinstance(node, Leaf):
            return None
        if node.kind == "product" and not node.name.startswith("back"):
            return (*self.forward.save_to_tape(node, node.width), LOAD)
        if node.kind == MAPPED:
            is_saved = node in self.forward.step.maps and self._find_copied_map(node) is None
            return (*self.forward.save_to_tape(node, node.width), LOAD) if is_saved else None
        if node.kind == "flow":
            index = [state.name for state in self.graph.states].index(node.name)
            return self.buffers.get("flow", STEP, node.width, index), 0, LOAD
        if node.kind == "upstream":
            number = self.graph.output.index(node.name)
            return self.buffers.get("upstream", TIME, node.width, number), 0, LOAD
        if node.kind == "inside":
            buffer, item = self.forward.locate_parameter(Leaf("vector", "", node.width))
            return buffer, item, PARAMETER
        return self.forward.locate_leaf(node) or self.forward.locate_statistic(node)

    def _find_copied_map(self, leaf: Leaf) -> MapGroup | None:
        """The forward row map behind ``leaf`` where it only copies: it runs again, unsaved."""
        found = self.forward.step.maps.get(leaf)
        is_copy = found is not None and split_groups(found.op)[0] in (REPEAT, TILE)
        return found if is_copy and leaf not in self.forward.tape_locations else None

    def rewrite(self, node: Node) -> Node:
        """An adjoint's node as elementwise operations on leaves."""
        if node not in self._rewrites:
            for each in sort_topologically([node], self._rewrites, self._find_sources):
                self._rewrites[each] = self._rewrite(each)
        return self._rewrites[node]

    def _find_sources(self, node: Node) -> Iterable[Node]:
        """The nodes that must be rewritten before ``node``."""
        if isinstance(node, Leaf) or node in self._forward_nodes:
            return ()
        if isinstance(node, RowNorm):
            return node.upstream
        if _is_sum(node) or isinstance(node, Affine):
            terms = self._list_terms(node)
            return [
                t.operand if _is_product(t) else t for t in terms if t is not node or _is_product(t)
            ]
        return node.operands

    def _rewrite(self, node: Node) -> Node:
        if isinstance(node, Leaf):
            return self._rewrite_gradient(node) if node.kind == "gradient" else node
        if node in self._forward_nodes:
            return self.forward.expand(node)
        if isinstance(node, RowNorm) and node.upstream:
            return self._rewrite_norm(node)
        if isinstance(node, RowMap):
            return expand_row_map(self.section, node, self.rewrite(node.operand))
        if (isinstance(node, Affine) and not node.is_transposed) or isinstance(node, RowNorm):
            return self.forward.expand(node)
        if isinstance(node, Affine) or (isinstance(node, Elementwise) and node.op == "add"):
            rest, buckets = self._split_sum(node)
            parts = [rest] if rest is not None else []
            parts += [
                self._add_product_group(key, terms).results[0] for key, terms in buckets.items()
            ]
            return _sum(parts)
        assert isinstance(node, Elementwise)
        return fold(node.op, *map(self.rewrite, node.arguments))

    def _rewrite_gradient(self, node: Leaf) -> Node:
        """That of a later step, for what is carried there, and that of the output."""
        parts: list[Node] = []
        if any(state.name == node.name for state in self.graph.states):
            parts.append(Leaf("flow", node.name, node.width))
        if node.name in self.graph.output:
            parts.append(Leaf("upstream", node.name, node.width))
        return _sum(parts)

    def _split_sum(self, node: Node) -> tuple[Node | None, dict[_Bucket, list[Affine]]]:
        """A sum as what is elementwise in it, and its transposed products, by stack."""
        buckets: dict[_Bucket, list[Affine]] = {}
        rest = list[Node]()
        for term in self._list_terms(node):
            if _is_product(term):
                key = (term.stack, term.width, term.operand.width)
                buckets.setdefault(key, []).append(term)
            else:
                rest.append(self.rewrite(term))
        return (_sum(rest) if rest else None), buckets

    def _split_gradient(self, node: Node) -> tuple[Node | None, dict[_Bucket, list[Affine]]]:
        """As `_split_sum`, for a gradient that the step gives out."""
        return (self.rewrite(node), {}) if node in self._shared_sums else self._split_sum(node)

    def _find_shared_sums(self) -> set[Node]:
        """The sums of the adjoint that more than one node or gradient reads."""
        outputs = self.adjoint.outputs
        readers = Counter(outputs)
        for node in sort_topologically(outputs, self._forward_nodes):
            readers.update(node.operands)
        return {node for node, count in readers.items() if count > 1 and _is_sum(node)}

    def _list_terms(self, node: Node) -> list[Node]:
        """What a sum adds up. A sum within it is a term where something else reads it as well."""
        found, open_ = list[Node](), [node]
        while open_:
            term = open_.pop()
            is_own = term is node or term not in self._shared_sums
            if _is_sum(term) and is_own and term not in self._forward_nodes:
                open_ += reversed(term.operands)
            else:
                found.append(term)
        return found

    def _add_product_group(self, key: _Bucket, terms: list[Affine]) -> ProductGroup:
        stack, width, _ = key
        gates, deltas = self._sort_gates(stack, [(t.gate, t.operand) for t in terms])
        if (stack, gates, deltas) in self._groups:
            return self._groups[stack, gates, deltas]
        leaf = Leaf("product", f"back.{len(self.section.groups)}", width)
        operand = self._store_deltas(deltas, self._find_gate_width(stack, gates[0]))
        group = ProductGroup(stack, gates, deltas, True, width, (leaf,), operand)
        self.section.add_group(group)
        self._groups[stack, gates, deltas] = group
        return group

    def _sort_gates(
        self, stack: str, pairs: list[tuple[str, Node]]
    ) -> tuple[tuple[str, ...], tuple[Node, ...]]:
        order = [gate for gate, _ in self.graph.get_stack(stack).gates]
        pairs = sorted(pairs, key=lambda pair: order.index(pair[0]))
        return tuple(g for g, _ in pairs), tuple(self.rewrite(delta) for _, delta in pairs)

    def _find_gate_width(self, stack: str, gate: str) -> str:
        return dict(self.graph.get_stack(stack).gates)[gate]

    def _store_deltas(self, deltas: tuple[Node, ...], width: str) -> int:
        """The buffer where these deltas lie side by side, of every step of a chunk."""
        if deltas not in self._delta_buffers:
            number = len(self._delta_buffers)
            buffer = self.buffers.get("deltas", CHUNK, width, number, len(deltas))
            self._delta_buffers[deltas] = buffer
            for item, delta in enumerate(deltas):
                self.section.store(StoreRequest(delta, buffer, item))
        return self._delta_buffers[deltas]

    def _lower_weights(self) -> None:
        """The gradient of every map's weight, from its deltas and its operand."""
        sets: dict[tuple[str, Node, str], list[tuple[str, Node]]] = {}
        for affine, delta in self.adjoint.deltas.items():
            operand = self.forward.expand(affine.operand)
            sets.setdefault((affine.stack, operand, affine.width), []).append((affine.gate, delta))
            biased = dict(self.graph.get_stack(affine.stack).gates_with_bias)
            if self.forward.has_bias and affine.gate in biased:
                self._add_row_gradient(
                    f"bias_{affine.stack}", affine.gate, self.rewrite(delta), affine.width
                )
        for (stack, operand, width), pairs in sets.items():
            gates, deltas = self._sort_gates(stack, pairs)
            buffer = self._store_deltas(deltas, width)
            self.weight_gradients.append(
                WeightGradient(stack, gates, buffer, self._store_operand(operand))
            )

    def _store_operand(self, operand: Node) -> int:
        found = self._locate(operand)
        if found is not None and self.buffers.buffers[found[0]].role in ("previous", "input"):
            return found[0]
        number = len(self.buffers.buffers)
        buffer = self.buffers.get("learned operand", CHUNK, operand.width, number)
        self.section.store_when_ready(StoreRequest(operand, buffer, 0))
        return buffer

    def _add_row_gradient(
        self, parameter: str, gate: str, node: Node, width: str, kind: str = "gate"
    ) -> None:
        if (node, width) not in self._row_gradient_locations:
            where = self.buffers.allocate_item("row gradients", CONST, width)
            self._row_gradient_locations[node, width] = where
            self.section.store(StoreRequest(node, *where, ADD_BLOCK))
        self.row_gradients.append(
            RowGradient(parameter, gate, kind, *self._row_gradient_locations[node, width])
        )

    def _lower_states(self) -> None:
        for index, state in enumerate(self.graph.states):
            out = self.buffers.get("flow out", STEP, state.width, index)
            node = self.adjoint.states.get(state.name)
            rest, buckets = (None, {}) if node is None else self._split_gradient(node)
            if rest is None and not buckets:
                rest = constant(0.0)
            if rest is not None:
                self.section.store_when_ready(StoreRequest(rest, out, 0))
            for number, (key, terms) in enumerate(buckets.items()):
                more = rest is not None or number > 0
                self._final_products.append(self._build_product(key, terms, out, more))

    def _build_product(
        self, key: _Bucket, terms: list[Affine], target: int, accumulate: bool
    ) -> Product:
        gates, deltas = self._sort_gates(key[0], [(t.gate, t.operand) for t in terms])
        operand = self._store_deltas(deltas, self._find_gate_width(key[0], gates[0]))
        return Product(key[0], gates, True, operand, key[1], target, 0, accumulate)

    def _lower_inputs(self) -> None:
        """The gradients of the inputs beside x, kept of every step."""
        widths = {one.name: one.width for one in self.graph.inputs}
        for name, node in self.adjoint.inputs.items():
            self.input_gradient_locations[name] = self._record(node, widths[name])

    def _lower_x(self) -> None:
        if self.adjoint.input is None:
            return
        rest, buckets = self._split_gradient(self.adjoint.input)
        target = self.buffers.get("input gradient", CHUNK, "input")
        if rest is not None:
            self.section.store_when_ready(StoreRequest(rest, target, 0))
        for number, (key, terms) in enumerate(buckets.items()):
            more = rest is not None or number > 0
            self.deferred_products.append(self._build_product(key, terms, target, more))

    def _lower_row_gradients(self) -> None:
        widths = {vector.name: vector.width for vector in self.graph.vectors}
        for name, node in self.adjoint.vectors.items():
            self._add_row_gradient(name, "", self.rewrite(node), widths[name], "vector")
        for norm in self.adjoint.norms:
            self._add_norm_gradients(norm)

    def _add_norm_gradients(self, norm: NormDelta) -> None:
        for index, upstream in enumerate(norm.upstream):
            g = self.rewrite(upstream)
            part = RowNorm(norm.norm, norm.group, index, (), norm.group[index].width)
            value, (mean, scale) = self.forward.expand_norm(part)
            if isinstance(g, Leaf) and g.kind == "constant":
                continue
            standard, width = (value - mean) * scale, part.width
            self._add_row_gradient(
                f"weight_{norm.norm}", str(index), as_node(g * standard), width, "norm"
            )
            if self.forward.has_bias:
                self._add_row_gradient(f"bias_{norm.norm}", str(index), g, width, "norm")

    def _rewrite_norm(self, node: RowNorm) -> Node:
        """(γg − mean(γg) − x̂ mean(γg x̂)) / σ, the means being over the whole group."""
        scaled, standards = list[Node](), list[Node]()
        scale: Node = constant(1.0)
        for index, upstream in enumerate(node.upstream):
            part = RowNorm(node.norm, node.group, index, (), node.group[index].width)
            value, (mean, scale) = self.forward.expand_norm(part)
            gain, _ = self.forward.build_norm_parameters(part)
            scaled.append(as_node(self.rewrite(upstream) * gain))
            standards.append(as_node((value - mean) * scale))
        along = [as_node(q * s) for q, s in zip(scaled, standards, strict=True)]
        first, second = self._add_mean(node.norm, scaled), self._add_mean(node.norm, along)
        q, s = scaled[node.index], standards[node.index]
        return as_node((q - first - s * second) * scale)

    def _add_mean(self, norm: str, parts: list[Node]) -> Leaf:
        """The mean over a norm's units, padding left out."""
        by_width: dict[str, list[Node]] = {}
        for part in parts:
            by_width.setdefault(part.width, []).append(part)
        summed = []
        for width, nodes in by_width.items():
            inside = Leaf("inside", "", width)
            is_inside = elementwise("greater", inside, constant(0.0))
            summed.append(elementwise("where", is_inside, _sum(nodes), constant(0.0)))
        for mean in self.section.means:
            if (mean.norm, mean.summands) == (norm, tuple(summed)):
                return mean.leaf
        leaf = Leaf("row", f"mean{len(self.section.means)}", "1")
        source, item = self.buffers.allocate_item("row sums", STEP, "")
        target = self.buffers.allocate_item("row means", STEP, "")
        self.section.means.append(MeanGroup(norm, leaf, tuple(summed), source, item, *target))
        return leaf


def _is_sum(node: Node) -> bool:
    return isinstance(node, Elementwise) and node.op == "add"


def _is_product(node: Node) -> TypeGuard[Affine]:
    return isinstance(node, Affine) and node.is_transposed


def _sum(nodes: list[Node]) -> Node:
    total = nodes[0]
    for node in nodes[1:]:
        total = elementwise("add", total, node)
    return total
