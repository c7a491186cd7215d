"""Nodes on tensors: what affine maps and norms compute, and a graph evaluated in order.

Every tensor here is (..., width): one row a sequence in a batch, or, for what does not depend
on a state, all time steps of all sequences at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from sluice.equations.graph import (
    Affine,
    Elementwise,
    Leaf,
    Node,
    RowMap,
    RowNorm,
    sort_topologically,
)
from sluice.equations.op_table import apply
from sluice.equations.row_maps import apply_row_map
from sluice.equations.specs import NormSpec, Sizes, StackSpec

Values = dict[Node, Any]


class TensorInterpreter:
    """Gates, vectors and norms on tensors, for one layer's parameters.

    ``parameters`` are named as `Graph.parameters` names them; biases may be missing.
    """

    def __init__(
        self,
        stacks: Iterable[StackSpec],
        norms: Iterable[NormSpec],
        sizes: Sizes,
        parameters: Mapping[str, Tensor],
    ) -> None:
        self.parameters = parameters
        self._sizes = sizes
        self._stacks = {stack.name: stack for stack in stacks}
        self._norms = {norm.name: norm for norm in norms}
        self._parts: dict[tuple[str, tuple[str, ...]], Tensor] = {}

    def affine(self, stack: str, gate: str, operand: Tensor) -> Tensor:
        return self.affines(stack, (gate,), operand)[0]

    def affines(self, stack: str, gates: tuple[str, ...], operand: Tensor) -> tuple[Tensor, ...]:
        """Several gates' maps of one operand, as one matrix product."""
        weight, bias = self._rows(f"weight_{stack}", gates), None
        if f"bias_{stack}" in self.parameters:
            bias = self._find_bias(stack, gates)
        heads, rows = self._stacks[stack].heads, self._stacks[stack].row_ranges(self._sizes)
        widths = [rows[gate][1] for gate in gates]
        if heads == 1:
            result = F.linear(operand, weight, bias)
        else:
            if len(set(widths)) == 1:
                result = _block_linear(operand, weight, heads, len(gates))
            else:
                each = (_block_linear(operand, w, heads, 1) for w in weight.split(widths))
                result = torch.cat(list(each), dim=-1)
            result = result if bias is None else result + bias
        return _split(result, widths)

    def affine_adjoint(self, stack: str, gate: str, upstream: Tensor) -> Tensor:
        """The adjoint of a gate's map: from its gradient to its operand's."""
        weight, heads = self._rows(f"weight_{stack}", (gate,)), self._stacks[stack].heads
        if heads == 1:
            return upstream @ weight
        blocks = weight.unflatten(0, (heads, -1))
        return torch.einsum(
            "...ku,kud->...kd", upstream.unflatten(-1, (heads, -1)), blocks
        ).flatten(-2)

    def vector(self, name: str) -> Tensor:
        return self.parameters[name]

    def norm(self, name: str, group: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        joined, widths = _join(group), [part.shape[-1] for part in group]
        weight, bias = self.parameters[f"weight_{name}"], self.parameters.get(f"bias_{name}")
        epsilon = self._norms[name].epsilon
        return _split(F.layer_norm(joined, (sum(widths),), weight, bias, epsilon), widths)

    def norm_adjoint(
        self, name: str, group: tuple[Tensor, ...], upstream: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        """The adjoint of a layer norm: the gradients of the parts of its input."""
        standard, scale = self.standardize(name, group)
        g = _join(upstream) * self.parameters[f"weight_{name}"]
        along = (g * standard).mean(-1, keepdim=True)
        result = (g - g.mean(-1, keepdim=True) - standard * along) * scale
        return _split(result, [part.shape[-1] for part in group])

    def row_map(self, op: str, operand: Tensor, width: str) -> Tensor:
        """The row map ``op``, whose result has ``width``."""
        return apply_row_map(op, operand, self._sizes.of(width))

    def size(self, width: str) -> float:
        return float(self._sizes.of(width))

    def standardize(self, name: str, group: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """A norm's input with mean 0 and variance 1, and the 1/σ that made it so."""
        joined = _join(group)
        variance, mean = torch.var_mean(joined, dim=-1, correction=0, keepdim=True)
        scale = torch.rsqrt(variance + self._norms[name].epsilon)
        return (joined - mean) * scale, scale

    def _find_bias(self, name: str, gates: tuple[str, ...]) -> Tensor:
        """The gates' biases; zeros for those that have none."""
        stack = self._stacks[name]
        if not stack.unbiased:
            return self._rows(f"bias_{name}", gates)
        key = (f"bias_{name}", gates)
        if key not in self._parts:
            whole = expand_bias(stack, self._sizes, self.parameters[f"bias_{name}"])
            rows = stack.row_ranges(self._sizes)
            self._parts[key] = torch.cat([whole.narrow(0, *rows[gate]) for gate in gates])
        return self._parts[key]

    def _rows(self, parameter: str, gates: tuple[str, ...]) -> Tensor:
        whole, stack = self.parameters[parameter], self._stacks[parameter.partition("_")[2]]
        if gates == tuple(gate for gate, _ in stack.gates):
            return whole
        key = (parameter, gates)
        if key not in self._parts:
            rows = stack.row_ranges(self._sizes)
            self._parts[key] = torch.cat([whole.narrow(0, *rows[gate]) for gate in gates])
        return self._parts[key]


def expand_bias(stack: StackSpec, sizes: Sizes, bias: Tensor) -> Tensor:
    """A number for each row of the stack's weight: zeros for gates that have no bias."""
    if not stack.unbiased:
        return bias
    own, rows = stack.bias_ranges(sizes), stack.row_ranges(sizes)
    return torch.cat(
        [
            bias.narrow(0, *own[gate]) if gate in own else bias.new_zeros(count)
            for gate, (_, count) in rows.items()
        ]
    )


def _join(parts: tuple[Tensor, ...]) -> Tensor:
    """The parts side by side, also where one, made of vectors alone, is the same for all rows."""
    lead = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return torch.cat([part.expand(*lead, part.shape[-1]) for part in parts], dim=-1)


def _split(joined: Tensor, widths: list[int]) -> tuple[Tensor, ...]:
    parts: tuple[Tensor, ...] = torch.split(joined, widths, dim=-1)
    return parts


def _block_linear(operand: Tensor, weight: Tensor, heads: int, gates: int) -> Tensor:
    """Block-diagonal maps: head k of every gate reads head k of the operand alone."""
    blocks = weight.unflatten(0, (gates, heads, -1))
    parts = operand.unflatten(-1, (heads, -1))
    return torch.einsum("...kd,gkud->...gku", parts, blocks).flatten(-3)


class EvaluationSchedule:
    """The order in which to evaluate nodes, maps and norms of one operand together."""

    def __init__(self, outputs: Iterable[Node], known: Iterable[Node] = ()) -> None:
        batches: dict[object, list[Node]] = {}
        for node in sort_topologically(outputs, known):
            batches.setdefault(_group_key(node), []).append(node)
        self.node_groups = [tuple(batch) for batch in batches.values()]

    @property
    def nodes(self) -> list[Node]:
        """All nodes that it evaluates."""
        return [node for batch in self.node_groups for node in batch]

    def run(
        self,
        values: Values,
        interpreter: TensorInterpreter,
        hook: Callable[[Node, Any], Any] | None = None,
    ) -> Values:
        """Add the value of every node to ``values``, which must hold the known ones.

        ``hook`` is called with each node and value, and returns the value to use.
        """
        for batch in self.node_groups:
            found = _compute_group(batch, values, interpreter)
            if hook is not None:
                found = map(hook, batch, found)
            values.update(zip(batch, found, strict=True))
        return values


def _group_key(node: Node) -> object:
    if isinstance(node, Affine) and not node.is_transposed:
        return (node.stack, node.operand)
    if isinstance(node, RowNorm):
        return (node.norm, node.group, node.upstream)
    return node


def _compute_group(
    group: tuple[Node, ...], values: Values, interpreter: TensorInterpreter
) -> Iterable[Any]:
    first = group[0]
    if isinstance(first, Affine):
        operand = values[first.operand]
        if first.is_transposed:
            return (interpreter.affine_adjoint(first.stack, first.gate, operand),)
        gates = tuple(cast(Affine, node).gate for node in group)
        return interpreter.affines(first.stack, gates, operand)
    if isinstance(first, RowNorm):
        parts = _compute_norm(first, values, interpreter)
        return [parts[cast(RowNorm, node).index] for node in group]
    if isinstance(first, Elementwise):
        return (_compute_elementwise(first, values, interpreter),)
    if isinstance(first, RowMap):
        return (interpreter.row_map(first.op, values[first.operand], first.width),)
    return (_compute_leaf(cast(Leaf, first), interpreter),)


def _compute_norm(
    node: RowNorm, values: Values, interpreter: TensorInterpreter
) -> tuple[Tensor, ...]:
    group = tuple(values[part] for part in node.group)
    if not node.upstream:
        return interpreter.norm(node.norm, group)
    upstream = tuple(
        values[g] if isinstance(values[g], Tensor) else torch.zeros_like(part)
        for g, part in zip(node.upstream, group, strict=True)
    )
    return interpreter.norm_adjoint(node.norm, group, upstream)


def _compute_elementwise(node: Elementwise, values: Values, interpreter: TensorInterpreter) -> Any:
    operands = [values[operand] for operand in node.arguments]
    if node.op == "where":  # between two numbers torch would choose float32
        known = (*interpreter.parameters.values(), *values.values())
        like = next(value for value in known if isinstance(value, Tensor))
        operands[1:] = [
            o if isinstance(o, Tensor) else torch.full((), o, dtype=like.dtype, device=like.device)
            for o in operands[1:]
        ]
    return apply(node.op, *operands)


def _compute_leaf(leaf: Leaf, interpreter: TensorInterpreter) -> Any:
    if leaf.kind == "constant":
        return float(leaf.name)
    if leaf.kind == "size":
        return interpreter.size(leaf.name)
    if leaf.kind == "vector":
        return interpreter.vector(leaf.name)
    raise KeyError(f"{leaf.kind} '{leaf.name}' has no value; pass one")
