"""One layer in one direction, as every target writes it: its graph, its numbers, its order."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sluice.cached import cached_property
from sluice.equations.evaluation import EvaluationSchedule, TensorInterpreter, expand_bias
from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    X,
    find_dependents,
    sort_topologically,
)
from sluice.equations.specs import Sizes
from sluice.export.errors import ExportError
from sluice.nn.conversion import convert
from sluice.nn.stack import RecurrentStack
from sluice.run.spec import map_parameters_by_name
from sluice.sequence.compression import scale_rows


@dataclass(frozen=True)
class LayerGraph:
    """One layer in one direction in evaluation: no mask drops anything.

    Attributes:
        graph: The cell's equations.
        sizes: The layer's sizes.
        parameters: Its tensors by the graph's names, of one dtype; biases may be missing.
        initial_states: What a new sequence starts from, ``(width,)`` each.
        is_reverse: Whether time runs from the last step to the first.
        is_int8: Whether matrices are written in int8, with a scale for each row.
    """

    graph: Graph
    sizes: Sizes
    parameters: Mapping[str, Tensor]
    initial_states: tuple[Tensor, ...]
    is_reverse: bool = False
    is_int8: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """That of the numbers."""
        return self.initial_states[0].dtype

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """What the new states and the output need, operands first."""
        named = self.graph.outputs_by_name
        return tuple(sort_topologically(named[kept.name] for kept in self.graph.kept_values))

    @cached_property
    def fixed_values(self) -> dict[Node, Any]:
        """The values of all nodes that no input and no state changes: tensors, numbers, truths."""
        moving = [n for n in self.nodes if isinstance(n, Leaf) and n.kind in ("input", "state")]
        changing = find_dependents(self.nodes, moving)
        fixed = [node for node in self.nodes if node not in changing]
        values: dict[Node, Any] = {
            Leaf("mask", mask.name, mask.width): torch.full(
                (self.sizes.of(mask.width),), mask.eval_value, dtype=self.dtype
            )
            for mask in self.graph.masks
        }
        numbers = self.parameters
        if self.is_int8:
            numbers = {name: round_rows(tensor) for name, tensor in numbers.items()}
        interpreter = TensorInterpreter(self.graph.stacks, self.graph.norms, self.sizes, numbers)
        return EvaluationSchedule(fixed, known=list(values)).run(values, interpreter)

    @cached_property
    def hoisted_groups(self) -> tuple[tuple[Node, ...], ...]:
        """What depends on the inputs alone, in order; maps of one operand are a group."""
        changing = find_dependents(self.nodes, self.graph.state_leaves)
        hoisted = [node for node in self.nodes if node not in changing]
        known = [*self.fixed_values, X, *self.graph.input_leaves]
        return tuple(EvaluationSchedule(hoisted, known).node_groups)

    @cached_property
    def step_groups(self) -> tuple[tuple[Node, ...], ...]:
        """The rest of a step, in order."""
        hoisted = (node for group in self.hoisted_groups for node in group)
        leaves = (X, *self.graph.input_leaves, *self.graph.state_leaves)
        known = {*self.fixed_values, *hoisted, *leaves}
        return tuple(EvaluationSchedule(self.nodes, known).node_groups)

    def read_map(self, node: Affine) -> tuple[Tensor, Tensor | None]:
        """The rows of a gate's weight, ``(units, operand / heads)``, and its bias if any."""
        stack = self.graph.get_stack(node.stack)
        start, count = stack.row_ranges(self.sizes)[node.gate]
        weight = self.parameters[f"weight_{node.stack}"][start : start + count]
        bias = self.parameters.get(f"bias_{node.stack}")
        if bias is None or node.gate in stack.unbiased:
            return weight, None
        return weight, expand_bias(stack, self.sizes, bias)[start : start + count]

    def read_norm(self, name: str) -> tuple[Tensor, Tensor]:
        """A norm's weight and bias, zeros where it has none."""
        weight = self.parameters[f"weight_{name}"]
        bias = self.parameters.get(f"bias_{name}")
        return weight, torch.zeros_like(weight) if bias is None else bias


def split_layer(layer: RecurrentStack, *, int8: bool = False) -> list[LayerGraph]:
    """Every layer and direction of ``layer``, in torch's order.

    Raises `ExportError` for copies, and for other dtypes than float32 and float64.
    """
    if layer.copies is not None:
        raise ExportError(
            "a layer of copies has no form outside Sluice; export each: layer.get_copy(0)"
        )
    found = []
    for number, initial in enumerate(layer.get_initial_states()):
        tensors = [t.cpu() for t in layer.get_layer_parameters(number)]
        states = tuple(state[0].cpu() for state in initial)
        check_dtypes([*tensors, *states])
        named = map_parameters_by_name(layer.cell.graph, tensors)
        is_reverse = layer.reverse or number % layer.directions == 1
        sizes = layer.sizes[number // layer.directions]
        found.append(LayerGraph(layer.cell.graph, sizes, named, states, is_reverse, int8))
    return found


def check_dtypes(tensors: list[Tensor]) -> None:
    """Raise `ExportError` unless all are float32, or all float64."""
    dtypes = {tensor.dtype for tensor in tensors}
    if len(dtypes) > 1 or not dtypes <= {torch.float32, torch.float64}:
        names = ", ".join(sorted(map(str, dtypes)))
        raise ExportError(f"weights must be float32 or float64, got {names}; call .float() first")


def round_rows(tensor: Tensor) -> Tensor:
    """A matrix as its int8 form gives it back; anything else as it is."""
    if tensor.dim() != 2:
        return tensor
    rows, scales = scale_rows(tensor)
    return (rows * scales[:, None]).to(tensor.dtype)


def as_layer(module: nn.Module) -> RecurrentStack | None:
    """A recurrent layer of ours, or the counterpart of torch's; None for any other module."""
    if isinstance(module, RecurrentStack):
        return module
    if type(module) in (nn.LSTM, nn.GRU, nn.RNN):
        converted = convert(deepcopy(module))
        assert isinstance(converted, RecurrentStack)
        return converted
    return None


def is_elementwise(node: Node, op: str) -> bool:
    """Whether ``node`` is this operation."""
    return isinstance(node, Elementwise) and node.op == op
