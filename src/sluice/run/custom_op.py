"""The custom operator "run this graph over time", for compiled and exported programs.

A program that holds it needs ``import sluice`` and nothing else: the graph's canonical text is
one of the operator's arguments, a user's own cell included. Its backward is an operator as well
(backpropagation through time with the adjoint graph); gradients of gradients are refused by torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sluice.equations.specs import Sizes
from sluice.equations.text import from_text
from sluice.run import bptt, reference
from sluice.run.spec import RunSpec

# Written out: torch 2.6 infers no schema from the builtin `list`.
_INPUTS = """str graph, SymInt[] sizes, Tensor x, Tensor[] states, Tensor[] parameters,
    Tensor[] masks, Tensor? lengths, Tensor? resets, Tensor[] restart, bool reverse"""


@torch.library.custom_op("sluice::run", mutates_args=(), schema=f"({_INPUTS}) -> Tensor[]")
def run(
    graph: str,
    sizes: Sequence[int],
    x: Tensor,
    states: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    restart: Sequence[Tensor],
    reverse: bool,
) -> list[Tensor]:
    """Run a graph over time; the arguments are those of `Pass`. Returns the output and states."""
    job = _build_spec(graph, sizes, x, states, parameters, masks, lengths, resets, restart, reverse)
    output, last = reference.run(job)
    return [output, *(state.clone() for state in last)]  # an output may not alias another


@run.register_fake
def _(
    graph: str,
    sizes: Sequence[int],
    x: Tensor,
    states: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    restart: Sequence[Tensor],
    reverse: bool,
) -> list[Tensor]:
    output = x.new_empty(x.shape[0], x.shape[1], states[0].shape[-1])
    return [output, *(torch.empty_like(state) for state in states)]


@torch.library.custom_op(
    "sluice::run_backward", mutates_args=(), schema=f"({_INPUTS}, Tensor[] gradients) -> Tensor[]"
)
def run_backward(
    graph: str,
    sizes: Sequence[int],
    x: Tensor,
    states: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    restart: Sequence[Tensor],
    reverse: bool,
    gradients: Sequence[Tensor],
) -> list[Tensor]:
    """The gradients of x, states, parameters and restart, in this order."""
    job = _build_spec(graph, sizes, x, states, parameters, masks, lengths, resets, restart, reverse)
    found = bptt.backward(job, gradients[0], tuple(gradients[1:]))
    every = [
        found.x,
        *found.states,
        *found.parameters,
        *found.learned_initial_states[: len(restart)],
    ]
    return [gradient.clone() for gradient in every]


@run_backward.register_fake
def _(
    graph: str,
    sizes: Sequence[int],
    x: Tensor,
    states: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    restart: Sequence[Tensor],
    reverse: bool,
    gradients: Sequence[Tensor],
) -> list[Tensor]:
    return [torch.empty_like(tensor) for tensor in (x, *states, *parameters, *restart)]


def _build_spec(
    graph: str,
    sizes: Sequence[int],
    x: Tensor,
    states: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    restart: Sequence[Tensor],
    reverse: bool,
) -> RunSpec:
    return RunSpec(
        from_text(graph),
        Sizes(*sizes),
        x,
        tuple(states),
        tuple(parameters),
        tuple(masks),
        lengths,
        resets,
        tuple(restart) or None,
        reverse,
    )


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    graph, sizes, x, states, parameters, masks, lengths, resets, restart, reverse = inputs
    ctx.plain = (graph, sizes, reverse)
    ctx.counts = (len(states), len(parameters), len(masks), len(restart))
    ctx.marks = (lengths, resets)
    ctx.save_for_backward(x, *states, *parameters, *masks, *restart)


def _backward(ctx: Any, gradients: Sequence[Tensor]) -> tuple[Any, ...]:
    (graph, sizes, reverse), (lengths, resets) = ctx.plain, ctx.marks
    x, *rest = ctx.saved_tensors
    states, parameters, masks, restart = _split(rest, ctx.counts)
    marks = (masks, lengths, resets, restart, reverse)
    found = run_backward(graph, sizes, x, states, parameters, *marks, list(gradients))
    of_x, *others = found
    of_states, of_parameters, _, of_restart = _split(
        others, (ctx.counts[0], ctx.counts[1], 0, ctx.counts[3])
    )
    nothing = [None] * len(masks)
    return None, None, of_x, of_states, of_parameters, nothing, None, None, of_restart, None


def _split(tensors: Sequence[Tensor], counts: Sequence[int]) -> list[list[Tensor]]:
    parts, rest = [], list(tensors)
    for count in counts:
        parts.append(rest[:count])
        rest = rest[count:]
    return parts


run.register_autograd(_backward, setup_context=_setup_context)
