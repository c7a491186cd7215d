"""The custom operator ``sluice::run``, "run this graph over time", for compiled programs.

A compiled or exported program that holds it needs ``import sluice`` and nothing else: the graph's
canonical text is one of the operator's arguments, that of a user's own cell included. Its backward
pass is an operator as well (backpropagation through time with the adjoint graph); torch refuses
gradients of gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from sluice.equations.specs import Sizes
from sluice.equations.text import from_text
from sluice.run import bptt, reference
from sluice.run.spec import RunSpec
from sluice.run.torch_state import map_tensors

# The arguments in the language of torch's schemas; `OperatorInputs` holds them in this order.
# Exported programs name them: they must not change.
_ARGUMENTS = (
    "str graph, SymInt[] sizes, Tensor x, Tensor[] states, Tensor[] parameters, Tensor[] masks, "
    "Tensor? lengths, Tensor? resets, Tensor[] restart, bool reverse"
)
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


@torch.library.custom_op("sluice::run", mutates_args=(), schema=f"({_ARGUMENTS}) -> Tensor[]")
def run(*arguments: _Argument) -> list[Tensor]:
    """Run a graph over time; returns the output and the last states."""
    output, last = reference.run(_collect(arguments).to_spec())
    return [output, *(state.clone() for state in last)]  # an output may not alias another


@run.register_fake
def _(*arguments: _Argument) -> list[Tensor]:
    inputs = _collect(arguments)
    output = inputs.x.new_empty(*inputs.x.shape[:2], inputs.states[0].shape[-1])
    return [output, *(torch.empty_like(state) for state in inputs.states)]


@torch.library.custom_op(
    "sluice::run_backward",
    mutates_args=(),
    schema=f"({_ARGUMENTS}, Tensor[] gradients) -> Tensor[]",
)
def run_backward(*arguments: _Argument) -> list[Tensor]:
    """The gradients of x, states, parameters and restart, in this order."""
    inputs, (of_output, *of_states) = _collect(arguments[:-1]), cast(list[Tensor], arguments[-1])
    found = bptt.backward(inputs.to_spec(), of_output, tuple(of_states))
    restart = found.learned_initial_states[: len(inputs.restart)]
    return [g.clone() for g in (found.x, *found.states, *found.parameters, *restart)]


@run_backward.register_fake
def _(*arguments: _Argument) -> list[Tensor]:
    inputs = _collect(arguments[:-1])
    tensors = (inputs.x, *inputs.states, *inputs.parameters, *inputs.restart)
    return [torch.empty_like(tensor) for tensor in tensors]


def _collect(arguments: Sequence[_Argument]) -> OperatorInputs:
    return OperatorInputs(*arguments)  # type: ignore[arg-type]  # torch has checked the schema


class _OperatorContext(FunctionCtx):
    """What the backward pass finds: the inputs, their tensors taken out to be saved."""

    saved_tensors: tuple[Tensor, ...]
    counts: tuple[int, ...]
    others: tuple[str, Sequence[int], Tensor | None, Tensor | None, bool]


def _setup_context(
    ctx: _OperatorContext, inputs: tuple[_Argument, ...], output: list[Tensor]
) -> None:
    own = _collect(inputs)
    groups = (own.states, own.parameters, own.masks, own.restart)
    ctx.counts = tuple(map(len, groups))
    ctx.others = (own.graph, own.sizes, own.lengths, own.resets, own.reverse)
    ctx.save_for_backward(own.x, *(tensor for group in groups for tensor in group))


def _backward(ctx: _OperatorContext, gradients: Sequence[Tensor]) -> OperatorGradients:
    x, *rest = ctx.saved_tensors
    states, parameters, masks, restart = _split(rest, ctx.counts)
    graph, sizes, lengths, resets, reverse = ctx.others
    inputs = OperatorInputs(
        graph, sizes, x, states, parameters, masks, lengths, resets, restart, reverse
    )
    of_x, *others = run_backward(*inputs, list(gradients))
    of_states, of_parameters, of_restart = _split(others, [ctx.counts[k] for k in (0, 1, 3)])
    return OperatorGradients(
        x=of_x,
        states=of_states,
        parameters=of_parameters,
        masks=[None] * len(masks),
        restart=of_restart,
    )


class OperatorGradients(NamedTuple):
    """A gradient for each of `OperatorInputs`; None where there can be none."""

    graph: None = None
    sizes: None = None
    x: Tensor | None = None
    states: Sequence[Tensor] = ()
    parameters: Sequence[Tensor] = ()
    masks: Sequence[None] = ()
    lengths: None = None
    resets: None = None
    restart: Sequence[Tensor] = ()
    reverse: None = None


def _split(tensors: Sequence[Tensor], counts: Sequence[int]) -> list[list[Tensor]]:
    remaining = iter(tensors)
    return [[next(remaining) for _ in range(count)] for count in counts]


run.register_autograd(_backward, setup_context=_setup_context)
