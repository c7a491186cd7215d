"""One layer in one direction as a dynamical system: its full state, and the map from step to step.

The *full state* is every state of the cell in the order of ``step``'s arguments, concatenated:
h and c of an LSTM. All is computed in float64 from copies of the weights; the layer's own
parameters, gradients and training mode are not touched. Masks stand at their value in evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from sluice.equations.evaluate import Schedule, Tensors, Values
from sluice.equations.graph import Elementwise, Graph, Leaf, Node
from sluice.equations.specs import Sizes
from sluice.nn.batch import arrange
from sluice.nn.stack import RecurrentStack
from sluice.run.passes import named

Seen = Callable[[Node, Any], Any]


@dataclass(frozen=True)
class StepMap:
    """The map of one step, ``(rows, input)`` and ``(rows, states)`` to ``(rows, states)``.

    Attributes:
        graph: The cell's equations.
        sizes: The layer's sizes.
        parameters: Copies of its tensors, by the graph's names, float64.
        start: The full state before the first step, ``(states,)``.
    """

    graph: Graph
    sizes: Sizes
    parameters: dict[str, Tensor]
    start: Tensor

    @property
    def widths(self) -> list[int]:
        """The width of each state within the full one."""
        return [self.sizes.of(state.width) for state in self.graph.states]

    def __call__(self, x: Tensor, state: Tensor) -> Tensor:
        """The full state after a step. Derivatives pass where the equations say `detach`, too:
        that is a rule of learning, not of the dynamics."""
        values = self.values(x, state)
        return torch.cat([values[self.graph.named[s.name]] for s in self.graph.states], dim=-1)

    def values(self, x: Tensor, state: Tensor, seen: Seen | None = None) -> Values:
        """The value of every node; ``seen`` is shown each, and returns what to go on with."""
        graph, values = self.graph, Values()
        meaning = Tensors(graph.stacks, graph.norms, self.sizes, self.parameters)
        values[Leaf("input", "x", "input")] = x
        values.update(zip(graph.state_leaves, state.split(self.widths, dim=-1), strict=True))
        for mask in graph.masks:
            width = self.sizes.of(mask.width)
            values[Leaf("mask", mask.name, mask.width)] = x.new_full((width,), mask.evaluated)
        schedule = Schedule(graph.named.values(), known=values)
        return schedule.run(values, meaning, partial(_undetached, values, seen))


def _undetached(values: Values, seen: Seen | None, node: Node, value: Any) -> Any:
    if isinstance(node, Elementwise) and node.op == "detach":
        value = values[node.arguments[0]]
    return value if seen is None else seen(node, value)


@dataclass(frozen=True)
class Trajectory:
    """A run of one layer in one direction, in the order in which that direction reads.

    Attributes:
        step: The map of one step.
        x: What the layer was given, ``(time, batch, input)``.
        states: The full states, ``(time + 1, batch, states)``; the first is the one before.
    """

    step: StepMap
    x: Tensor
    states: Tensor


def step_map(layer: RecurrentStack, number: int = 0, reverse: bool = False) -> StepMap:
    """The map of one step of layer ``number`` of a recurrent module, in one direction.

    Raises TypeError for what is no recurrent layer of `sluice.nn`, IndexError where it has no such
    layer or direction.
    """
    if not isinstance(layer, RecurrentStack):
        raise TypeError(
            f"a recurrent layer of sluice.nn is expected, not {type(layer).__name__}; "
            "name the layer within your model, as in model.encoder"
        )
    if not 0 <= number < layer.num_layers or (reverse and not layer.bidirectional):
        raise IndexError(
            f"the {type(layer).__name__} has {layer.num_layers} layers in {layer.directions} "
            f"directions, and none is l{number}{'_reverse' * reverse}"
        )
    place = number * layer.directions + reverse
    copies = [t.to(torch.float64, copy=True) for t in layer.own_parameters(place)]
    start = torch.cat([row[0].double() for row in layer.initial_rows()[place]])
    graph = layer.cell.graph
    return StepMap(graph, layer.sizes[number], named(graph, copies), start)


@torch.no_grad()
def trajectory(
    layer: RecurrentStack, input: Tensor, number: int = 0, reverse: bool = False
) -> Trajectory:
    """Run a recurrent module up to layer ``number``, without dropout, and keep its full states.

    Args:
        layer: A recurrent layer of `sluice.nn`.
        input: ``(time, batch, input)``, or as the layer's ``batch_first`` says, or one sequence
            ``(time, input)``; all sequences of one length, and at least one step.
        number: Which layer of a stack, counted from 0.
        reverse: Whether its reverse direction.

    Raises:
        TypeError: ``layer`` is no recurrent layer, or the input is packed.
        IndexError: there is no such layer or direction.
        RuntimeError: the input has no time steps, or another width than the layer's.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 8, num_layers=2)
        >>> trajectory(layer, torch.randn(5, 2, 3), number=1).states.shape
        torch.Size([6, 2, 16])
    """
    step_map(layer, number, reverse)
    if isinstance(input, PackedSequence):
        raise TypeError("a PackedSequence has sequences of several lengths; give a plain tensor")
    x = arrange(type(layer).__name__, input, None, None, layer.batch_first).x.detach().double()
    if x.shape[-1] != layer.input_size:
        raise RuntimeError(f"the input is {x.shape[-1]} wide, and the layer {layer.input_size}")
    for below in range(number):
        runs = [_run(step_map(layer, below, bool(d)), x, bool(d)) for d in range(layer.directions)]
        x = torch.cat([_output(run, bool(d)) for d, run in enumerate(runs)], dim=-1)
    return _run(step_map(layer, number, reverse), x, reverse)


def _run(step: StepMap, x: Tensor, reverse: bool) -> Trajectory:
    x = x.flip(0) if reverse else x
    states = [step.start.expand(x.shape[1], -1)]
    for row in x:
        states.append(step(row, states[-1]))
    return Trajectory(step, x, torch.stack(states))


def _output(run: Trajectory, reverse: bool) -> Tensor:
    y = run.states[1:, :, : run.step.widths[0]]
    return y.flip(0) if reverse else y
