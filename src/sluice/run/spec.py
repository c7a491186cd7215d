"""One pass: a graph, its tensors, and how the sequences lie in the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sluice.cached import cached_property
from sluice.equations.evaluation import TensorInterpreter, Values
from sluice.equations.graph import Graph, Leaf, X
from sluice.equations.specs import Sizes


@dataclass(frozen=True)
class RunSpec:
    """All that is needed to run one cell over time in one direction.

    Attributes:
        graph: The cell's equations.
        sizes: The layer's sizes.
        x: The input, ``(time, batch, input)``.
        states: The states before the first step, in the graph's order, ``(batch, width)`` each.
        parameters: The layer's tensors in the order of `Graph.parameters`, biases left out where
            the layer has none.
        masks: A tensor for each mask of the graph, broadcastable to ``(time, batch, width)``.
        lengths: How many steps of each sequence count, ``(batch,)``; None for all of them.
        resets: Where a new sequence starts, ``(time, batch)``, boolean; None for nowhere.
        learned_initial_states: The states a new sequence starts from, ``(width,)`` each; None
            for the cell's own.
        reverse: Whether time runs from the last step to the first.
        inputs: What the graph reads beside x, in its order, ``(time, batch, width)`` each.
    """

    graph: Graph
    sizes: Sizes
    x: Tensor
    states: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]
    masks: tuple[Tensor, ...] = ()
    lengths: Tensor | None = None
    resets: Tensor | None = None
    learned_initial_states: tuple[Tensor, ...] | None = None
    reverse: bool = False
    inputs: tuple[Tensor, ...] = ()

    @property
    def has_bias(self) -> bool:
        """Whether the layer's maps and norms have biases."""
        return len(self.parameters) == len(self.graph.parameters)

    @property
    def shared_tensors(self) -> tuple[Tensor, ...]:
        """What the whole of time shares: the parameters, and the states to restart from."""
        return (*self.parameters, *(self.learned_initial_states or ()))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that a gradient can be asked for."""
        return (self.x, *self.states, *self.shared_tensors, *self.inputs)

    def replace_tensors(self, tensors: Sequence[Tensor]) -> RunSpec:
        """The same pass with others in place of `tensors`."""
        x, *rest = tensors
        groups = (self.states, self.parameters, self.learned_initial_states or (), self.inputs)
        remaining = iter(rest)
        states, parameters, learned, inputs = (
            tuple(next(remaining) for _ in group) for group in groups
        )
        return replace(
            self,
            x=x,
            states=states,
            parameters=parameters,
            learned_initial_states=learned or None,
            inputs=inputs,
        )

    @property
    def needs_grad(self) -> bool:
        """Whether a backward pass may follow."""
        return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in self.tensors)

    @cached_property
    def interpreter(self) -> TensorInterpreter:
        """The graph's gates, vectors and norms as tensors."""
        named = map_parameters_by_name(self.graph, self.parameters)
        fixed = {p.name: named[p.name].detach() for p in self.graph.parameters if not p.learned}
        return TensorInterpreter(
            self.graph.stacks, self.graph.norms, self.sizes, {**named, **fixed}
        )

    @cached_property
    def valid_mask(self) -> Tensor | None:
        """Which steps count, ``(time, batch, 1)``."""
        if self.lengths is None:
            return None
        steps = torch.arange(self.x.shape[0], device=self.x.device)
        return (steps[:, None] < self.lengths.to(self.x.device)[None, :]).unsqueeze(-1)

    @cached_property
    def reset_mask(self) -> Tensor | None:
        """Before which steps, in the order of this direction, the states restart."""
        if self.resets is None:
            return None
        resets = self.resets.unsqueeze(-1)
        if self.valid_mask is not None:
            resets = resets & self.valid_mask
        if not self.reverse:
            return resets
        # Going backwards, the step before t is t + 1: what lies there ends where t + 1 restarts.
        return torch.cat([resets[1:], torch.zeros_like(resets[:1])])

    @cached_property
    def reset_states(self) -> tuple[Tensor, ...]:
        """The states that a new sequence starts from, ``(width,)`` each."""
        if self.learned_initial_states is not None:
            return self.learned_initial_states
        return initial_states(self.graph, self.sizes, self.x)

    @cached_property
    def output_widths(self) -> tuple[int, ...]:
        """The widths of the values that lie side by side in the output."""
        return tuple(map(self.sizes.of, self.graph.output_widths))

    def split_output(self, output: Tensor) -> dict[str, Tensor]:
        """The values in an output ``(time, batch, width)``, or in its gradient, by name."""
        parts = torch.split(output, list(self.output_widths), dim=-1)
        return dict(zip(self.graph.output, parts, strict=True))

    @property
    def steps(self) -> Sequence[int]:
        """The time steps in the order of this direction."""
        forward = range(self.x.shape[0])
        return forward[::-1] if self.reverse else forward

    def mask_padding(self, tensor: Tensor) -> Tensor:
        """An input, with nothing in the padding that could spoil a gradient."""
        return tensor if self.valid_mask is None else torch.where(self.valid_mask, tensor, 0.0)

    def stateless_values(self) -> Values:
        """The leaves that do not depend on the states, over all time steps."""
        given = zip((X, *self.graph.input_leaves), (self.x, *self.inputs), strict=True)
        values: Values = {leaf: self.mask_padding(tensor) for leaf, tensor in given}
        shape = self.x.shape[:2]
        for mask, tensor in zip(self.graph.masks, self.masks, strict=True):
            width = self.sizes.of(mask.width)
            values[Leaf("mask", mask.name, mask.width)] = tensor.expand(*shape, width)
        return values


def map_parameters_by_name(graph: Graph, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """``tensors`` by the names of the graph's parameters, whether biases are among them or not."""
    names = [parameter.name for parameter in graph.parameters]
    if len(tensors) != len(names):
        names = [parameter.name for parameter in graph.parameters if not parameter.is_bias]
    return dict(zip(names, tensors, strict=True))


def join_output(graph: Graph, values: Mapping[str, Tensor]) -> Tensor:
    """What a layer gives out of its named values, side by side."""
    found = [values[name] for name in graph.output]
    return found[0] if len(found) == 1 else torch.cat(found, dim=-1)


def initial_states(graph: Graph, sizes: Sizes, like: Tensor) -> tuple[Tensor, ...]:
    """The cell's own initial states, ``(width,)`` each, of the dtype and device of ``like``."""
    return tuple(
        torch.full((sizes.of(s.width),), s.initial, dtype=like.dtype, device=like.device)
        for s in graph.states
    )
