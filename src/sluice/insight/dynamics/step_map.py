"""One layer in one direction as a dynamical system: its full state, and the map from step to step.

The *full state* is every state of the cell in the order of ``step``'s arguments, concatenated:
h and c of an LSTM. All is computed in float64 from copies of the weights; the layer's own
parameters, gradients and training mode are not changed. Masks have their evaluation value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from sluice.equations.evaluation import EvaluationSchedule, TensorInterpreter, Values
from sluice.equations.graph import Elementwise, Graph, Leaf, Node, X
from sluice.equations.specs import Sizes
from sluice.insight.checks import require_numbers
from sluice.nn.batch import pad_input
from sluice.nn.stack import RecurrentStack
from sluice.run.spec import join_output, map_parameters_by_name

NodeHook = Callable[[Node, Tensor], Tensor]


@dataclass(frozen=True)
class StepMap:
    """The map of one step, ``(rows, input)`` and ``(rows, states)`` to ``(rows, states)``.

    Attributes:
        graph: The cell's equations.
        sizes: The layer's sizes.
        parameters: Copies of its tensors, by the graph's names, float64.
        initial_state: The full state before the first step, ``(states,)``.
    """

    graph: Graph
    sizes: Sizes
    parameters: dict[str, Tensor]
    initial_state: Tensor

    @property
    def state_widths(self) -> list[int]:
        """The width of each state within the full one."""
        return [self.sizes.of(state.width) for state in self.graph.states]

    def __call__(self, x: Tensor, state: Tensor) -> Tensor:
        """The full state after a step. Derivatives pass where the equations say `detach`, too:
        that is a rule of learning, not of the dynamics."""
        values = self.evaluate(x, state)
        return torch.cat(
            [values[self.graph.outputs_by_name[s.name]] for s in self.graph.states], dim=-1
        )

    def evaluate(self, x: Tensor, state: Tensor, hook: NodeHook | None = None) -> Values:
        """The value of every node; ``hook`` sees each, and returns the value to use instead."""
        graph, values = self.graph, Values()
        meaning = TensorInterpreter(graph.stacks, graph.norms, self.sizes, self.parameters)
        values[X] = x
        values.update(zip(graph.state_leaves, state.split(self.state_widths, dim=-1), strict=True))
        for mask in graph.masks:
            width = self.sizes.of(mask.width)
            values[Leaf("mask", mask.name, mask.width)] = x.new_full((width,), mask.eval_value)
        schedule = EvaluationSchedule(graph.outputs_by_name.values(), known=values)
        return schedule.run(values, meaning, partial(_skip_detach, values, hook))


def _skip_detach(values: Values, hook: NodeHook | None, node: Node, value: Tensor) -> Tensor:
    if isinstance(node, Elementwise) and node.op == "detach":
        value = values[node.arguments[0]]
    return value if hook is None else hook(node, value)


@dataclass(frozen=True)
class Trajectory:
    """A run of one layer in one direction, in the order in which that direction reads.

    Attributes:
        step_map: The map of one step.
        x: What the layer was given, ``(time, batch, input)``.
        states: The full states, ``(time + 1, batch, states)``; the first is the one before.
    """

    step_map: StepMap
    x: Tensor
    states: Tensor


def build_step_map(module: RecurrentStack, layer: int = 0, reverse: bool = False) -> StepMap:
    """The map of one step of ``layer`` of a recurrent module, in one direction.

    Raises TypeError for what is no recurrent layer of `sluice.nn`, or one whose cell reads more
    beside x, IndexError where it has no such
    layer or direction.
    """
    if not isinstance(module, RecurrentStack):
        raise TypeError(
            f"module must be a recurrent layer of sluice.nn, got {type(module).__name__}; "
            "name the layer within your model, as in model.encoder"
        )
    if not 0 <= layer < module.num_layers or (reverse and not module.bidirectional):
        raise IndexError(
            f"layer must be one of the {module.num_layers} layers in {module.directions} "
            f"directions of the {type(module).__name__}, got l{layer}{'_reverse' * reverse}"
        )
    if module.cell.graph.inputs:
        names = " and ".join(one.name for one in module.cell.graph.inputs)
        raise TypeError(
            f"the dynamics of {module.cell.name} depend on {names} beside x, which its maps here "
            "have no values of; analyse a cell in which they are constants"
        )
    place = layer * module.directions + reverse
    copies = [t.to(torch.float64, copy=True) for t in module.get_layer_parameters(place)]
    start = torch.cat([row[0].double() for row in module.get_initial_states()[place]])
    graph = module.cell.graph
    return StepMap(graph, module.sizes[layer], map_parameters_by_name(graph, copies), start)


@torch.no_grad()
def run_trajectory(
    module: RecurrentStack, input: Tensor, layer: int = 0, reverse: bool = False
) -> Trajectory:
    """Run a recurrent module up to ``layer``, without dropout, and keep its full states.

    Args:
        module: A recurrent layer of `sluice.nn`.
        input: ``(time, batch, input)``, or as the layer's ``batch_first`` says, or one sequence
            ``(time, input)``; all sequences of one length, and at least one step.
        layer: Which layer of a stack, counted from 0.
        reverse: Whether to take its reverse direction.

    Raises:
        TypeError: ``module`` is no recurrent layer, or the input is packed.
        IndexError: there is no such layer or direction.
        RuntimeError: the input has no time steps, or another width than the layer's.
        ValueError: it has no sequences, or holds NaN or infinity.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 8, num_layers=2)
        >>> sluice.insight.run_trajectory(layer, torch.randn(5, 2, 3), layer=1).states.shape
        torch.Size([6, 2, 16])
    """
    build_step_map(module, layer, reverse)
    if isinstance(input, PackedSequence):
        raise TypeError(
            "input must be a plain tensor, got a PackedSequence, whose sequences differ in length"
        )
    require_numbers(input, "input", finite=False)
    x = pad_input(type(module).__name__, input, None, None, module.batch_first).x.detach().double()
    if x.shape[-1] != module.input_size:
        raise RuntimeError(f"the input must be {module.input_size} wide, got {x.shape[-1]}")
    if not x.shape[1]:
        raise ValueError("the input must have at least one sequence, got none")
    require_numbers(x, "the input")
    for below in range(layer):
        runs = [
            _iterate_map(build_step_map(module, below, bool(d)), x, bool(d))
            for d in range(module.directions)
        ]
        x = torch.cat([_slice_output(run, bool(d)) for d, run in enumerate(runs)], dim=-1)
    return _iterate_map(build_step_map(module, layer, reverse), x, reverse)


def _iterate_map(step: StepMap, x: Tensor, reverse: bool) -> Trajectory:
    x = x.flip(0) if reverse else x
    states = [step.initial_state.expand(x.shape[1], -1)]
    for row in x:
        states.append(step(row, states[-1]))
    return Trajectory(step, x, torch.stack(states))


def _slice_output(run: Trajectory, reverse: bool) -> Tensor:
    step = run.step_map
    values = step.evaluate(run.x, run.states[:-1])
    named = {name: values[step.graph.outputs_by_name[name]] for name in step.graph.output}
    y = join_output(step.graph, named)
    return y.flip(0) if reverse else y
