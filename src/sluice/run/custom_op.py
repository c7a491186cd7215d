"""The custom operator ``sluice::run``, "run this graph over time", for compiled programs.

A compiled or exported program that holds it needs ``import sluice`` and nothing else: the graph's
canonical text is one of the operator's arguments, that of a user's own cell included.

``sluice::run`` is what programs call and what an export keeps. Under autograd it becomes
``sluice::run_pass``, which also returns the tape, and ``sluice::backpropagate``, which reads it:
between the two lie tensors alone, so that a compiler can part them. All are functions without side
effects; one that a compiler runs again gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias, cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from sluice.equations.specs import Sizes
from sluice.equations.text import from_text
from sluice.run import reference
from sluice.run.operator_pass import OperatorPass
from sluice.run.recording import recorders
from sluice.run.spec import RunSpec
from sluice.run.torch_state import has_memory, map_tensors

# The arguments in the language of torch's schemas; `OperatorInputs` holds them in this order.
# Exported programs name them: they must not change, and what is added needs a default.
_ARGUMENTS = (
    "str graph, SymInt[] sizes, Tensor x, Tensor[] states, Tensor[] parameters, Tensor[] masks, "
    "Tensor? lengths, Tensor? resets, Tensor[] restart, bool reverse"
)
_LISTS = ("states", "parameters", "masks", "restart")
_Argument: TypeAlias = str | Sequence[int] | Tensor | Sequence[Tensor] | None


class OperatorInputs(NamedTuple):
    """The operator's arguments: a `RunSpec` whose graph is a text, as compilers trace it.

    Attributes:
        graph: The graph's canonical text.
        sizes: The sizes of the input, the hidden state and the projection.
        x: The input, ``(time, batch, input)``.
        states: The states before the first step, ``(batch, width)`` each.
        parameters: As in `RunSpec`, as are ``masks``, ``lengths``, ``resets`` and ``reverse``.
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
        return RunSpec(
            from_text(self.graph),
            Sizes(*self.sizes),
            self.x,
            tuple(self.states),
            tuple(self.parameters),
            tuple(self.masks),
            self.lengths,
            self.resets,
            tuple(self.restart) or None,
            self.reverse,
        )

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


def _run(*arguments: _Argument) -> list[Tensor]:
    inputs, mode, _ = _collect(arguments)
    return _run_pass(*inputs, mode, False)


def _run_pass(*arguments: _Argument) -> list[Tensor]:
    recorders.refuse_compiled()
    inputs, mode, (keeps_tape,) = _collect(arguments)
    own = OperatorPass(inputs.to_spec(), mode)
    return own.run_with_tape() if keeps_tape else own.run()


def _run_fake(*arguments: _Argument) -> list[Tensor]:
    inputs, mode, _ = _collect(arguments)
    return _run_pass_fake(*inputs, mode, False)


def _run_pass_fake(*arguments: _Argument) -> list[Tensor]:
    inputs, mode, (keeps_tape,) = _collect(arguments)
    x, states = inputs.x, inputs.states
    last = [torch.empty_like(t, memory_format=torch.contiguous_format) for t in states]
    outputs = [x.new_empty(*x.shape[:2], states[0].shape[-1]), *last]
    if keeps_tape:
        outputs.append(OperatorPass(inputs.to_spec(), mode).make_tape())
    return outputs


def _backpropagate(*arguments: _Argument) -> list[Tensor]:
    inputs, mode, rest = _collect(arguments)
    own = OperatorPass(inputs.to_spec(), mode)
    return own.backpropagate(*rest)  # type: ignore[arg-type]  # torch has checked the schema


def _backpropagate_fake(*arguments: _Argument) -> list[Tensor]:
    inputs, _, (_, _, _, needs) = _collect(arguments)
    pairs = zip(inputs.to_spec().tensors, cast(Sequence[bool], needs), strict=True)
    return [
        torch.empty_like(t, memory_format=torch.contiguous_format)
        for t, is_needed in pairs
        if is_needed
    ]


def _run_backward(*arguments: _Argument) -> list[Tensor]:
    *own, gradients = arguments
    y, *_, tape = _run_pass(*own, "float32", True)
    needs = [True] * len(OperatorInputs(*own).to_spec().tensors)  # type: ignore[arg-type]
    return _backpropagate(*own, "float32", tape, y, gradients, needs)


def _run_backward_fake(*arguments: _Argument) -> list[Tensor]:
    own = arguments[:-1]
    needs = [True] * len(OperatorInputs(*own).to_spec().tensors)  # type: ignore[arg-type]
    return _backpropagate_fake(*own, "float32", None, None, None, needs)


class _RunContext(FunctionCtx):
    """What the backward pass finds: tensors are saved apart from the rest of the inputs."""

    saved_tensors: tuple[Tensor | None, ...]
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
        groups = (inputs.states, inputs.parameters, inputs.restart, inputs.masks)
        ctx.counts = tuple(map(len, groups))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(  # type: ignore[no-untyped-call]
            outputs[0], tape, inputs.lengths, inputs.resets, *tensors, *inputs.masks
        )
        return tuple(outputs)

    @staticmethod
    def backward(ctx: _RunContext, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        y, tape, lengths, resets, x, *rest = ctx.saved_tensors
        graph, sizes, reverse, mode = ctx.constants
        states, parameters, restart, masks = _split(rest, ctx.counts)
        inputs = OperatorInputs(
            graph, sizes, x, states, parameters, masks, lengths, resets, restart, reverse
        )
        if torch.is_grad_enabled() or not all(g is None or has_memory(g) for g in upstream):
            found = reference.compute_gradients(inputs.to_spec(), upstream)
            return (None, None, *found)
        needs = list(ctx.needs_input_grad[2:])
        read = (mode, tape, y, list(upstream), needs)
        asked = iter(torch.ops.sluice.backpropagate(*inputs, *read))
        return (None, None, *(next(asked) if is_needed else None for is_needed in needs))


def _split(tensors: Sequence[Tensor | None], counts: Sequence[int]) -> list[list[Tensor]]:
    remaining = iter(tensors)
    return [[cast(Tensor, next(remaining)) for _ in range(count)] for count in counts]


def _run_under_autograd(*arguments: _Argument) -> list[Tensor]:
    inputs, mode, _ = _collect(arguments)
    tensors = (inputs.x, *inputs.states, *inputs.parameters, *inputs.restart)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return list(_RunFunction.apply(inputs, mode, *tensors))  # type: ignore[no-untyped-call]
    found: list[Tensor] = torch.ops.sluice.run_pass(*inputs, mode, False)
    return found


_library = torch.library.Library("sluice", "FRAGMENT")


def _define(
    name: str, more: str, function: Callable[..., object], fake: Callable[..., object]
) -> None:
    """Register an operator: ``more`` are its arguments after those that all have."""
    schema = f"{name}({_ARGUMENTS}, {more}) -> Tensor[]"
    _library.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    _library.impl(name, function, "CompositeExplicitAutograd")
    torch.library.register_fake(f"sluice::{name}", fake, lib=_library)


_define("run", "str mode='float32'", _run, _run_fake)
_define("run_pass", "str mode, bool keeps_tape", _run_pass, _run_pass_fake)
_define(
    "backpropagate",
    "str mode, Tensor tape, Tensor output, Tensor?[] upstream, bool[] needs",
    _backpropagate,
    _backpropagate_fake,
)
# What joint graphs exported by earlier versions hold.
_define("run_backward", "Tensor[] gradients", _run_backward, _run_backward_fake)
_library.impl("run", _run_under_autograd, "Autograd")
