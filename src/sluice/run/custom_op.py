"""The custom operator ``sluice::run``, "run this graph over time", for compiled programs.

A compiled or exported program that holds it needs ``import sluice`` and nothing else: the graph's
canonical text is one of the operator's arguments, that of a user's own cell included. For each
operator there is a function that computes, and one that describes its results to compilers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from sluice import torch_operators as torch_operators  # which registers them
from sluice.equations.specs import Sizes
from sluice.equations.text import from_text
from sluice.run import reference
from sluice.run.onnx_translation import refuse_untranslated
from sluice.run.operator_pass import OperatorPass
from sluice.run.recording import recorders
from sluice.run.shapes import check_shapes
from sluice.run.spec import RunSpec
from sluice.run.torch_state import has_memory, map_tensors

_LISTS = ("states", "parameters", "masks", "restart")
_Argument: TypeAlias = str | bool | Sequence[int] | Tensor | Sequence[Tensor] | None


class OperatorInputs(NamedTuple):
    """The operator's arguments: a `RunSpec` whose graph is a text, as compilers trace it.

    Attributes:
        graph: The graph's canonical text.
        sizes: The sizes of the input, the hidden state, the projection, and those of the graph's
            own widths (`Sizes.to_list`).
        x: The input, ``(time, batch, input)``.
        states: The states before the first step, ``(batch, width)`` each.
        parameters: As in `RunSpec`, as are ``lengths``, ``resets`` and ``reverse``.
        masks: The masks of `RunSpec`, then its ``inputs``.
        restart: The learned initial states, ``(width,)`` each; empty for the cell's own.
    """

    graph: str
    sizes: Sequence[int]
    x: Tensor
    states: Sequence[Tensor]
    parameters: Sequence[Tensor]
    masks: Sequence[Tensor]
    lengths: Tensor | None
    resets: Tensor | None
    restart: Sequence[Tensor]
    reverse: bool

    def to_spec(self) -> RunSpec:
        """The same as the other backends take it."""
        masks, inputs = self.split_masks()
        graph = from_text(self.graph)
        numbers = list(map(int, self.sizes))  # old compilers make symbols of them
        return RunSpec(
            graph,
            Sizes.from_list(numbers, graph.own_sizes),
            self.x,
            tuple(self.states),
            tuple(self.parameters),
            masks,
            self.lengths,
            self.resets,
            tuple(self.restart) or None,
            self.reverse,
            inputs,
        )

    def split_masks(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The masks, and the inputs beside x."""
        count = len(from_text(self.graph).masks)
        return tuple(self.masks[:count]), tuple(self.masks[count:])

    def widen(self) -> OperatorInputs:
        """The same in float32."""
        return map_tensors(lambda t: t.float() if t.is_floating_point() else t, self)


def run(inputs: OperatorInputs, mode: str) -> list[Tensor]:
    """The output and the last states, by the operator; ``mode`` is as for `OperatorPass`."""
    found: list[Tensor] = torch.ops.sluice.run(*inputs, mode)
    return found


def _collect(arguments: Sequence[_Argument]) -> tuple[OperatorInputs, str, list[_Argument]]:
    """An operator's arguments: the inputs, the mode (which may be left out), and the rest."""
    count = len(OperatorInputs._fields)
    own, (mode, *rest) = arguments[:count], arguments[count:] or ("float32",)
    # AOTInductor passes an empty list as None.
    filled = [
        () if value is None and name in _LISTS else value
        for name, value in zip(OperatorInputs._fields, own, strict=True)
    ]
    inputs = OperatorInputs(*filled)  # type: ignore[arg-type]  # torch has checked the schema
    return inputs, cast(str, mode), list(rest)


def compute_run(*arguments: _Argument) -> list[Tensor]:
    """``sluice::run`` without autograd: as `run`."""
    inputs, mode, _ = _collect(arguments)
    return compute_run_pass(*inputs, mode, False)


def compute_run_pass(*arguments: _Argument) -> list[Tensor]:
    """``sluice::run_pass``: as `run`, and the tape where it is kept."""
    recorders.refuse_compiled()
    inputs, mode, (keeps_tape,) = _collect(arguments)
    own = _make_pass(inputs, mode)
    return own.run_with_tape() if keeps_tape else own.run()


def _make_pass(inputs: OperatorInputs, mode: str) -> OperatorPass:
    """A pass that computes; a program may be given tensors that it was not compiled for."""
    spec = inputs.to_spec()
    check_shapes(spec)
    return OperatorPass(spec, mode)


def describe_run(*arguments: _Argument) -> list[Tensor]:
    """Results like those of `compute_run`, without their numbers."""
    inputs, mode, _ = _collect(arguments)
    return describe_run_pass(*inputs, mode, False)


def describe_run_pass(*arguments: _Argument) -> list[Tensor]:
    """The same for `compute_run_pass`."""
    refuse_untranslated()
    inputs, mode, (keeps_tape,) = _collect(arguments)
    x, states = inputs.x, inputs.states
    last = [torch.empty_like(t, memory_format=torch.contiguous_format) for t in states]
    spec = inputs.to_spec()
    outputs = [x.new_empty(*x.shape[:2], sum(spec.output_widths)), *last]
    if keeps_tape:
        outputs.append(OperatorPass(spec, mode).make_tape())
    return outputs


def compute_backpropagate(*arguments: _Argument) -> list[Tensor]:
    """``sluice::backpropagate``: the gradients that are needed."""
    inputs, mode, rest = _collect(arguments)
    own = _make_pass(inputs, mode)
    return own.backpropagate(*rest)  # type: ignore[arg-type]  # torch has checked the schema


def describe_backpropagate(*arguments: _Argument) -> list[Tensor]:
    """Results like those of `compute_backpropagate`, without their numbers."""
    inputs, _, (_, _, _, needs) = _collect(arguments)
    pairs = zip(inputs.to_spec().tensors, cast(Sequence[bool], needs), strict=True)
    return [
        torch.empty_like(t, memory_format=torch.contiguous_format)
        for t, is_needed in pairs
        if is_needed
    ]


def compute_run_backward(*arguments: _Argument) -> list[Tensor]:
    """``sluice::run_backward``: the gradients of x, states, parameters and restart."""
    *own, gradients = arguments
    y, *_, tape = compute_run_pass(*own, "float32", True)
    needs = [True] * len(OperatorInputs(*own).to_spec().tensors)  # type: ignore[arg-type]
    return compute_backpropagate(*own, "float32", tape, y, gradients, needs)


def describe_run_backward(*arguments: _Argument) -> list[Tensor]:
    """Results like those of `compute_run_backward`, without their numbers."""
    own = arguments[:-1]
    needs = [True] * len(OperatorInputs(*own).to_spec().tensors)  # type: ignore[arg-type]
    return describe_backpropagate(*own, "float32", None, None, None, needs)


class _RunContext(FunctionCtx):
    """What the backward pass finds: tensors are saved apart from the rest of the inputs."""

    saved_tensors: tuple[Any, ...]
    needs_input_grad: tuple[bool, ...]
    counts: tuple[int, ...]
    constants: tuple[str, Sequence[int], bool, str]


class _RunFunction(torch.autograd.Function):
    """``sluice::run`` under autograd. Compilers trace through it and see the two operators."""

    @staticmethod
    def forward(
        ctx: _RunContext, inputs: OperatorInputs, mode: str, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        *outputs, tape = torch.ops.sluice.run_pass(*inputs, mode, True)
        ctx.constants = (inputs.graph, inputs.sizes, inputs.reverse, mode)
        masks, beside = inputs.split_masks()
        groups = (inputs.states, inputs.parameters, inputs.restart, beside, masks)
        ctx.counts = tuple(map(len, groups))
        ctx.set_materialize_grads(False)
        saved: list[Any] = [outputs[0], tape, inputs.lengths, inputs.resets]
        ctx.save_for_backward(*saved, *tensors, *masks)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: _RunContext, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        y, tape, lengths, resets, x, *rest = ctx.saved_tensors
        graph, sizes, reverse, mode = ctx.constants
        states, parameters, restart, beside, masks = _split(rest, ctx.counts)
        given = [*masks, *beside]
        inputs = OperatorInputs(
            graph, sizes, x, states, parameters, given, lengths, resets, restart, reverse
        )
        if torch.is_grad_enabled() or not all(g is None or has_memory(g) for g in upstream):
            found = reference.compute_gradients(inputs.to_spec(), upstream)
            return (None, None, *found)
        needs = list(ctx.needs_input_grad[2:])
        read = (mode, tape, y, list(upstream), needs)
        asked = iter(torch.ops.sluice.backpropagate(*inputs, *read))
        return (None, None, *(next(asked) if is_needed else None for is_needed in needs))


def _split(tensors: Sequence[Any], counts: Sequence[int]) -> list[list[Tensor]]:
    remaining = iter(tensors)
    return [[next(remaining) for _ in range(count)] for count in counts]


def run_under_autograd(*arguments: _Argument) -> list[Tensor]:
    """``sluice::run`` where autograd records."""
    inputs, mode, _ = _collect(arguments)
    _, beside = inputs.split_masks()
    tensors = (inputs.x, *inputs.states, *inputs.parameters, *inputs.restart, *beside)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return list(_RunFunction.apply(inputs, mode, *tensors))  # type: ignore[no-untyped-call]
    found: list[Tensor] = torch.ops.sluice.run_pass(*inputs, mode, False)
    return found
