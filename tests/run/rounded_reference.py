"""The reference, rounded where the kernels of a GPU round and nowhere else.

Beside narrow products these kernels are exact but for the last digits of float32. So what they
compute is checked strictly against this, in float64, where the reference itself is no measure:
a recurrence that amplifies what is rounded ends up far away from it, and is right nevertheless.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from unittest import mock

import torch
from torch import Tensor
from torch.autograd import Function

from sluice.equations import evaluation
from sluice.equations.evaluation import TensorInterpreter, Values
from sluice.equations.graph import Affine, Leaf, Node, find_dependents
from sluice.equations.specs import Sizes, StackSpec
from sluice.run import reference
from sluice.run.spec import RunSpec

_run = reference.run
_compute_group = evaluation._compute_group


@dataclass(frozen=True)
class Rounding:
    """What is rounded beside the factors of every product.

    Attributes:
        dtype: The narrow type.
        is_input_narrow: Whether the input lies in it, and so the output.
        is_autocast: Whether all tensors of the pass lie in it, and their gradients.
        are_weight_gradients_narrow: Whether torch returns a product over all steps in it: on a
            processor, and of maps with heads.
    """

    dtype: torch.dtype
    is_input_narrow: bool = False
    is_autocast: bool = False
    are_weight_gradients_narrow: bool = False

    def round(self, tensor: Tensor) -> Tensor:
        """The nearest numbers of the narrow type, in the tensor's own."""
        return tensor.to(self.dtype).to(tensor.dtype)

    def narrow(self, tensor: Tensor) -> Tensor:
        """A tensor that lies in the narrow type, and whose gradient does."""
        return cast(Tensor, _Narrow.apply(tensor, self, True))  # type: ignore[no-untyped-call]


class _Narrow(Function):
    """Rounds a tensor, and its whole gradient if asked to."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, rounding: Rounding, is_gradient_narrow: bool) -> Tensor:
        ctx.rounding, ctx.is_gradient_narrow = rounding, is_gradient_narrow
        return rounding.round(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return (ctx.rounding.round(gradient) if ctx.is_gradient_narrow else gradient), None, None


@dataclass(frozen=True)
class _Kind:
    """A map: its heads and gates; whether it is computed for all steps, and of the input itself."""

    rounding: Rounding
    heads: int
    gates: int
    is_hoisted: bool
    is_of_input: bool


class _Map(Function):
    """Gates' maps of one operand, and their way back, with factors rounded and sums exact.

    The weight has been rounded: gates × heads × units rows.
    """

    @staticmethod
    def forward(ctx: Any, operand: Tensor, weight: Tensor, bias: Tensor | None, kind: _Kind) -> Any:
        rounding = kind.rounding
        operand = rounding.round(operand)
        ctx.kind, ctx.has_bias = kind, bias is not None
        ctx.save_for_backward(operand, weight)
        if kind.heads == 1:
            result = operand @ weight.T
        else:
            parts = operand.unflatten(-1, (kind.heads, -1))
            blocks = weight.unflatten(0, (kind.gates, kind.heads, -1))
            result = torch.einsum("...kd,gkud->...gku", parts, blocks).flatten(-3)
            result = rounding.round(result) if kind.is_hoisted else result
        if bias is not None:
            result = result + (rounding.round(bias) if kind.is_hoisted else bias)
        return rounding.round(result) if kind.is_hoisted else result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (operand, weight), kind = ctx.saved_tensors, ctx.kind
        rounding = kind.rounding
        of_bias = gradient.flatten(0, -2).sum(0) if ctx.has_bias else None
        deltas = rounding.round(gradient)
        if kind.heads == 1:
            of_operand = deltas @ weight
            of_weight = deltas.flatten(0, -2).T @ operand.flatten(0, -2)
            if kind.is_of_input:
                of_operand = rounding.round(of_operand)
            return of_operand, of_weight, of_bias, None
        parts = operand.unflatten(-1, (kind.heads, -1)).flatten(0, -3)
        blocks = weight.unflatten(0, (kind.gates, kind.heads, -1))
        deltas = deltas.unflatten(-1, (kind.gates, kind.heads, -1))
        of_weight = torch.einsum("ngku,nkd->gkud", deltas.flatten(0, -4), parts).flatten(0, 2)
        terms = torch.einsum("...gku,gkud->...gkd", deltas, blocks).flatten(-2).unbind(-2)
        of_operand = torch.zeros_like(terms[0])
        for term in terms:
            of_operand = of_operand + (rounding.round(term) if kind.is_of_input else term)
            of_operand = rounding.round(of_operand) if kind.is_of_input else of_operand
        return of_operand, of_weight, of_bias, None


class _Maps:
    """Takes the place of the reference's evaluation of nodes, in one pass."""

    def __init__(self, spec: RunSpec, rounding: Rounding) -> None:
        graph = spec.graph
        roots = [n for n in graph.nodes if isinstance(n, Leaf) and n.kind in ("state", "mask")]
        self.sizes, self.rounding = spec.sizes, rounding
        self.stacks = {stack.name: stack for stack in graph.stacks}
        self.per_step_nodes = find_dependents(graph.nodes, roots)
        self._weights: dict[str, Tensor] = {}

    def compute(
        self, group: tuple[Node, ...], values: Values, interpreter: TensorInterpreter
    ) -> Iterable[Any]:
        """The values of nodes; other nodes than maps as in the reference."""
        first = group[0]
        if not isinstance(first, Affine):
            return _compute_group(group, values, interpreter)
        stack = self.stacks[first.stack]
        rows = [stack.row_ranges(self.sizes)[cast(Affine, node).gate] for node in group]
        bias = interpreter.parameters.get(f"bias_{stack.name}")
        is_of_input = isinstance(first.operand, Leaf) and first.operand.kind == "input"
        is_hoisted = first not in self.per_step_nodes
        kind = _Kind(self.rounding, stack.heads, len(group), is_hoisted, is_of_input)
        weight = _take(self._get_weight(stack.name, stack.heads, interpreter), rows)
        bias = None if bias is None else _take(_fill_bias(stack, self.sizes, bias), rows)
        result = _Map.apply(values[first.operand], weight, bias, kind)  # type: ignore[no-untyped-call]
        return torch.split(result, [count for _, count in rows], dim=-1)

    def _get_weight(self, stack: str, heads: int, interpreter: TensorInterpreter) -> Tensor:
        """A rounded weight, one for all steps: its gradient is rounded when it is complete."""
        if stack not in self._weights:
            whole = interpreter.parameters[f"weight_{stack}"]
            is_narrow = self.rounding.are_weight_gradients_narrow or heads > 1
            self._weights[stack] = cast(
                Tensor,
                _Narrow.apply(whole, self.rounding, is_narrow),  # type: ignore[no-untyped-call]
            )
        return self._weights[stack]


def _fill_bias(stack: StackSpec, sizes: Sizes, bias: Tensor) -> Tensor:
    """The bias of every row, zeros where a gate has none."""
    own = stack.bias_ranges(sizes)
    parts = [
        bias.narrow(0, *own[gate]) if gate in own else bias.new_zeros(sizes.of(width))
        for gate, width in stack.gates
    ]
    return torch.cat(parts)


def _take(tensor: Tensor, rows: Sequence[tuple[int, int]]) -> Tensor:
    """Some rows of a tensor, one range after another."""
    ends = [start + count for start, count in rows]
    if [start for start, _ in rows] == [0, *ends[:-1]] and ends[-1] == len(tensor):
        return tensor
    return torch.cat([tensor.narrow(0, *part) for part in rows])


def run(spec: RunSpec, rounding: Rounding) -> tuple[Tensor, tuple[Tensor, ...]]:
    """`reference.run`, rounded where the kernels round; values and gradients."""
    narrow = rounding.narrow
    if rounding.is_autocast:
        spec = spec.replace_tensors([narrow(tensor) for tensor in spec.tensors])
    elif rounding.is_input_narrow:
        spec = replace(spec, x=narrow(spec.x))
    with mock.patch.object(evaluation, "_compute_group", _Maps(spec, rounding).compute):
        y, last = _run(spec)
    if rounding.is_autocast or rounding.is_input_narrow:
        y = narrow(y)
    return y, tuple(map(narrow, last)) if rounding.is_autocast else last


def measure(found: Tensor, expected: Tensor) -> tuple[float, float]:
    """How far off a tensor is: of all numbers in the root mean square, and the furthest of them.

    Both are relative to the same of what is expected; where that is zero, or almost, absolute.
    """
    if found.shape != expected.shape or not torch.isfinite(found).all():
        return float("inf"), float("inf")
    if not expected.numel():
        return 0.0, 0.0
    expected = expected.detach().cpu().double()
    difference = (found.detach().cpu().double() - expected).abs()
    largest, size = float(expected.abs().max()), float(expected.norm())
    if largest < 1e-9:
        return float(difference.max()), float(difference.max())
    return float(difference.norm()) / size, float(difference.max()) / largest
