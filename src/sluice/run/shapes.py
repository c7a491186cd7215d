"""Whether the tensors of a pass are what its graph and sizes say, before anything reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes

if TYPE_CHECKING:
    from sluice.run.spec import RunSpec


def check_shapes(spec: RunSpec) -> None:
    """Raise RuntimeError for a tensor of ``spec`` of another shape than its graph says.

    A matrix that lies across has as many numbers as the right one: the kernels would read it.
    """
    x, graph, sizes = spec.x, spec.graph, spec.sizes
    _require("the input", x, (*x.shape[:2], sizes.input))
    steps, batch = x.shape[:2]
    check_parameters(graph, sizes, spec.parameters)
    widths = [sizes.of(state.width) for state in graph.states]
    _require_count("states", spec.states, len(widths))
    for state, tensor, width in zip(graph.states, spec.states, widths, strict=True):
        _require(f"state '{state.name}'", tensor, (batch, width))
    if spec.learned_initial_states is not None:
        _require_count("learned initial states", spec.learned_initial_states, len(widths))
        for tensor, width in zip(spec.learned_initial_states, widths, strict=True):
            _require("a learned initial state", tensor, (width,))
    _require_count("masks", spec.masks, len(graph.masks))
    for mask, tensor in zip(graph.masks, spec.masks, strict=True):
        full = (steps, batch, sizes.of(mask.width))
        expected = [n if k != 1 else 1 for n, k in zip(full, tensor.shape, strict=False)]
        _require(f"mask '{mask.name}'", tensor, expected if tensor.dim() == 3 else full)
    _require_count("inputs beside x", spec.inputs, len(graph.inputs))
    for given, tensor in zip(graph.inputs, spec.inputs, strict=True):
        _require(f"input '{given.name}'", tensor, (steps, batch, sizes.of(given.width)))
    if spec.lengths is not None:
        _require("lengths", spec.lengths, (batch,))
    if spec.resets is not None:
        _require("resets", spec.resets, (steps, batch))


def check_parameters(graph: Graph, sizes: Sizes, parameters: Sequence[Tensor]) -> None:
    """Raise RuntimeError unless ``parameters`` have the shapes of the graph's, in its order.

    Biases may be missing, all of them.
    """
    specs = graph.parameters
    if len(parameters) != len(specs):
        specs = tuple(spec for spec in specs if not spec.is_bias)
    _require_count("parameters", parameters, len(specs))
    for spec, tensor in zip(specs, parameters, strict=True):
        _require(f"parameter '{spec.name}'", tensor, spec.shape(sizes))


def check_dtypes(tensors: Sequence[Tensor], dtype: torch.dtype) -> None:
    """Raise RuntimeError for a tensor of another dtype, or that is not in a CPU's memory."""
    for tensor in tensors:
        if tensor.dtype != dtype or not tensor.is_cpu:
            raise RuntimeError(
                f"the weights must be {dtype} on the CPU, got {tensor.dtype} on {tensor.device}"
            )


def _require(what: str, tensor: Tensor, shape: Sequence[int]) -> None:
    if tuple(tensor.shape) != tuple(shape):
        raise RuntimeError(f"{what} must have shape {tuple(shape)}, got {tuple(tensor.shape)}")


def _require_count(what: str, tensors: Sequence[Tensor], count: int) -> None:
    if len(tensors) != count:
        raise RuntimeError(f"expected {count} {what}, got {len(tensors)}")
