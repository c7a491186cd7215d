"""The way back of a program: the adjoint's sums of products gathered into one product each."""

from __future__ import annotations

from sluice.equations.adjoint import Adjoint, NormDelta, adjoint
from sluice.equations.graph import (
    Affine,
    Elementwise,
    Leaf,
    Node,
    RowNorm,
    constant,
    elementwise,
)
from sluice.equations.ops import greater, where
from sluice.render.body import ADD_BLOCK, LOAD, PARAMETER
from sluice.render.lower_forward import Forward
from sluice.render.program import (
    CHUNK,
    CONST,
    STEP,
    TIME,
    Phase,
    Product,
    RowGradient,
    WeightGradient,
)
from sluice.render.section import Group, Means, Section

_Bucket = tuple[str, str, str]


class Back:
    """One step back: the adjoint's nodes on what the forward pass has saved."""

    def __init__(self, forward: Forward) -> None:
        self.forward, self.graph, self.places = forward, forward.graph, forward.places
        self.adjoint: Adjoint = adjoint(self.graph)
        self.section = Section("back", False, self.places, self._known)
        self.deferred: list[Product] = []
        self.weights: list[WeightGradient] = []
        self.rows: list[RowGradient] = []
        self.recorded: dict[str, tuple[int, int]] = {}
        self._forward_nodes = set(self.graph.nodes)
        self._rewritten: dict[Node, Node] = {}
        self._delta_sets: dict[tuple[Node, ...], int] = {}
        self._sums: dict[Node, tuple[int, int]] = {}
        self._last: list[Product] = []
        self._weights()
        self._states()
        self._input()
        self._rows()

    def phases(self) -> list[Phase]:
        """The phases of one step back, the products into the flowing gradients last."""
        last = [Phase(product.width, products=[product]) for product in self._last]
        return self.section.phases() + last

    def record(self, names: tuple[str, ...]) -> None:
        """Keep the derivative with respect to those of the named values that the loss reads."""
        places: dict[tuple[Node, str], tuple[int, int]] = {}
        for name in names:
            if name not in self.adjoint.named:
                continue
            gradient = self.adjoint.named[name]
            node, width = self.rewrite(gradient), self.graph.named[name].width
            if (node, width) not in places:
                places[node, width] = self.places.item("recorded", TIME, width)
                self.section.want_any_time(node, *places[node, width])
            self.recorded[name] = places[node, width]

    def _known(self, node: Node) -> tuple[int, int, str] | None:
        if node in self.forward.saved:
            return (*self.forward.saved[node], LOAD)
        if not isinstance(node, Leaf):
            return None
        if node.kind == "product" and not node.name.startswith("back"):
            return (*self.forward.save(node, node.width), LOAD)
        if node.kind == "flow":
            index = [state.name for state in self.graph.states].index(node.name)
            return self.places.get("flow", STEP, node.width, index), 0, LOAD
        if node.kind == "upstream":
            return self.places.get("upstream", TIME, node.width), 0, LOAD
        if node.kind == "inside":
            place, item = self.forward.parameter(Leaf("vector", "", node.width))
            return place, item, PARAMETER
        return self.forward.leaf(node) or self.forward.statistic(node)

    def rewrite(self, node: Node) -> Node:
        """An adjoint's node as elementwise operations on leaves."""
        if node not in self._rewritten:
            self._rewritten[node] = self._rewrite(node)
        return self._rewritten[node]

    def _rewrite(self, node: Node) -> Node:
        if isinstance(node, Leaf):
            return self._gradient(node) if node.kind == "gradient" else node
        if node in self._forward_nodes:
            return self.forward.expand(node)
        if isinstance(node, RowNorm) and node.upstream:
            return self._norm_back(node)
        if (isinstance(node, Affine) and not node.transposed) or isinstance(node, RowNorm):
            return self.forward.expand(node)
        if isinstance(node, Affine) or (isinstance(node, Elementwise) and node.op == "add"):
            rest, buckets = self._terms(node)
            parts = [rest] if rest is not None else []
            parts += [self._back_product(key, terms).results[0] for key, terms in buckets.items()]
            return _sum(parts)
        assert isinstance(node, Elementwise)
        return elementwise(node.op, *map(self.rewrite, node.arguments))

    def _gradient(self, node: Leaf) -> Node:
        flow = Leaf("flow", node.name, node.width)
        if node.name != self.graph.states[0].name:
            return flow
        return elementwise("add", flow, Leaf("upstream", node.name, node.width))

    def _terms(self, node: Node) -> tuple[Node | None, dict[_Bucket, list[Affine]]]:
        """A sum as what is elementwise in it, and its transposed products, by stack."""
        buckets: dict[_Bucket, list[Affine]] = {}
        rest, open_ = list[Node](), [node]
        while open_:
            term = open_.pop()
            if term in self._forward_nodes:
                rest.append(self.rewrite(term))
            elif isinstance(term, Elementwise) and term.op == "add":
                open_ += reversed(term.arguments)
            elif isinstance(term, Affine) and term.transposed:
                key = (term.stack, term.width, term.operand.width)
                buckets.setdefault(key, []).append(term)
            else:
                rest.append(self.rewrite(term))
        return (_sum(rest) if rest else None), buckets

    def _back_product(self, key: _Bucket, terms: list[Affine]) -> Group:
        stack, width, _ = key
        gates, deltas = self._ordered(stack, [(t.gate, t.operand) for t in terms])
        for group in self.section.groups:
            if (group.stack, group.gates, group.operands) == (stack, gates, deltas):
                return group
        leaf = Leaf("product", f"back.{len(self.section.groups)}", width)
        group = Group(stack, gates, deltas, True, width, (leaf,), self._delta_set(deltas))
        self.section.groups.append(group)
        return group

    def _ordered(
        self, stack: str, pairs: list[tuple[str, Node]]
    ) -> tuple[tuple[str, ...], tuple[Node, ...]]:
        order = [gate for gate, _ in self.graph.stack(stack).gates]
        pairs = sorted(pairs, key=lambda pair: order.index(pair[0]))
        return tuple(g for g, _ in pairs), tuple(self.rewrite(delta) for _, delta in pairs)

    def _delta_set(self, deltas: tuple[Node, ...]) -> int:
        """The place where these deltas lie side by side, of every step of a chunk."""
        if deltas not in self._delta_sets:
            width = next((d.width for d in deltas if d.width != "1"), "hidden")
            number = len(self._delta_sets)
            place = self.places.get("deltas", CHUNK, width, number, len(deltas))
            self._delta_sets[deltas] = place
            for item, delta in enumerate(deltas):
                self.section.want(delta, place, item)
        return self._delta_sets[deltas]

    def _weights(self) -> None:
        """Every map's weight learns from its deltas and its operand."""
        sets: dict[tuple[str, Node, str], list[tuple[str, Node]]] = {}
        for affine, delta in self.adjoint.deltas.items():
            operand = self.forward.expand(affine.operand)
            sets.setdefault((affine.stack, operand, affine.width), []).append((affine.gate, delta))
            if self.forward.biased and self.graph.stack(affine.stack).bias:
                self._row_gradient(f"bias_{affine.stack}", affine.gate, self.rewrite(delta))
        for (stack, operand, _), pairs in sets.items():
            gates, deltas = self._ordered(stack, pairs)
            place = self._delta_set(deltas)
            self.weights.append(WeightGradient(stack, gates, place, self._operand(operand)))

    def _operand(self, operand: Node) -> int:
        found = self._known(operand)
        if found is not None and self.places.all[found[0]].role in ("previous", "input"):
            return found[0]
        number = len(self.places.all)
        place = self.places.get("learned operand", CHUNK, operand.width, number)
        self.section.want_any_time(operand, place, 0)
        return place

    def _row_gradient(self, parameter: str, gate: str, node: Node, kind: str = "gate") -> None:
        width = node.width if node.width != "1" else "hidden"
        if node not in self._sums:
            self._sums[node] = self.places.item("row gradients", CONST, width)
            self.section.want(node, *self._sums[node], kind=ADD_BLOCK)
        self.rows.append(RowGradient(parameter, gate, kind, *self._sums[node]))

    def _states(self) -> None:
        for index, state in enumerate(self.graph.states):
            out = self.places.get("flow out", STEP, state.width, index)
            node = self.adjoint.states.get(state.name)
            rest, buckets = (None, {}) if node is None else self._terms(node)
            if rest is None and not buckets:
                rest = constant(0.0)
            if rest is not None:
                self.section.want_any_time(rest, out, 0)
            for number, (key, terms) in enumerate(buckets.items()):
                more = rest is not None or number > 0
                self._last.append(self._outward(key, terms, out, more))

    def _outward(self, key: _Bucket, terms: list[Affine], target: int, more: bool) -> Product:
        gates, deltas = self._ordered(key[0], [(t.gate, t.operand) for t in terms])
        operand = self._delta_set(deltas)
        return Product(key[0], gates, True, operand, key[1], target, 0, more)

    def _input(self) -> None:
        if self.adjoint.input is None:
            return
        rest, buckets = self._terms(self.adjoint.input)
        target = self.places.get("input gradient", CHUNK, "input")
        if rest is not None:
            self.section.want_any_time(rest, target, 0)
        for number, (key, terms) in enumerate(buckets.items()):
            more = rest is not None or number > 0
            self.deferred.append(self._outward(key, terms, target, more))

    def _rows(self) -> None:
        for name, node in self.adjoint.vectors.items():
            self._row_gradient(name, "", self.rewrite(node), "vector")
        for norm in self.adjoint.norms:
            self._norm_gradients(norm)

    def _norm_gradients(self, norm: NormDelta) -> None:
        for index, upstream in enumerate(norm.upstream):
            g = self.rewrite(upstream)
            part = RowNorm(norm.norm, norm.group, index, (), norm.group[index].width)
            value, (mean, scale) = self.forward.norm_parts(part)
            if isinstance(g, Leaf) and g.kind == "constant":
                continue
            standard = (value - mean) * scale
            self._row_gradient(f"weight_{norm.norm}", str(index), g * standard, "norm")
            if self.forward.biased:
                self._row_gradient(f"bias_{norm.norm}", str(index), g, "norm")

    def _norm_back(self, node: RowNorm) -> Node:
        """(γg − mean(γg) − x̂ mean(γg x̂)) / σ, the means being over the whole group."""
        scaled, standards = list[Node](), list[Node]()
        scale: Node = constant(1.0)
        for index, upstream in enumerate(node.upstream):
            part = RowNorm(node.norm, node.group, index, (), node.group[index].width)
            value, (mean, scale) = self.forward.norm_parts(part)
            gain, _ = self.forward.norm_parameters(part)
            scaled.append(self.rewrite(upstream) * gain)
            standards.append((value - mean) * scale)
        along = [q * s for q, s in zip(scaled, standards, strict=True)]
        first, second = self._mean(node.norm, scaled), self._mean(node.norm, along)
        q, s = scaled[node.index], standards[node.index]
        result: Node = (q - first - s * second) * scale
        return result

    def _mean(self, norm: str, parts: list[Node]) -> Leaf:
        """The mean over a norm's units, padding left out."""
        by_width: dict[str, list[Node]] = {}
        for part in parts:
            by_width.setdefault(part.width, []).append(part)
        summed = []
        for width, nodes in by_width.items():
            inside = Leaf("inside", "", width)
            summed.append(where(greater(inside, 0.0), _sum(nodes), 0.0))
        for mean in self.section.means:
            if (mean.norm, mean.summed) == (norm, tuple(summed)):
                return mean.leaf
        leaf = Leaf("row", f"mean{len(self.section.means)}", "1")
        source, item = self.places.item("row sums", STEP, "")
        target = self.places.item("row means", STEP, "")
        self.section.means.append(Means(norm, leaf, tuple(summed), source, item, *target))
        return leaf


def _sum(nodes: list[Node]) -> Node:
    total = nodes[0]
    for node in nodes[1:]:
        total = elementwise("add", total, node)
    return total
