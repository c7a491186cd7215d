"""A cell ready for the kernels of a CPU: its program, its compiled bodies, its packed weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.cached import cached_property
from sluice.codegen.body import lanes_per_block
from sluice.codegen.jit import CompiledBodies, compile_bodies
from sluice.codegen.lower import lower_graph
from sluice.codegen.program import Program, collect_bodies
from sluice.equations.derived import keep_with_graph
from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.run.kernels import extension
from sluice.run.kernels.encode import ProgramEncoder, as_memory, encode_tensors
from sluice.run.shapes import check_dtypes, check_parameters

LAYER_CLASSES = {
    "float32": "LayerFloat32",
    "float64": "LayerFloat64",
    "bfloat16": "LayerBfloat16",
    "int8": "LayerInt8",
}
BITS = {torch.float32: 32, torch.float64: 64}


@dataclass(frozen=True)
class CompiledCell:
    """A cell of given sizes, ready to run: its program for the kernels, bodies compiled.

    ``handle``, and all that is made of it in the kernels, keeps the bodies alive.
    """

    graph: Graph
    sizes: Sizes
    has_bias: bool
    program: Program
    handle: Any
    bodies: CompiledBodies
    bits: int

    @cached_property
    def state_widths(self) -> tuple[int, ...]:
        """The width of each state."""
        return tuple(self.sizes.of(state.width) for state in self.graph.states)

    @cached_property
    def output_width(self) -> int:
        """The width of the output."""
        return sum(map(self.sizes.of, self.graph.output_widths))

    @cached_property
    def parameter_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the parameters that the layer has, in the graph's order."""
        specs = self.graph.parameters
        return [p.shape(self.sizes) for p in specs if self.has_bias or not p.is_bias]

    @cached_property
    def parameter_sizes(self) -> tuple[int, ...]:
        """How many numbers each parameter has, in the graph's order; 0 for one that is missing."""
        return tuple(
            math.prod(p.shape(self.sizes)) if self.has_bias or not p.is_bias else 0
            for p in self.graph.parameters
        )

    @cached_property
    def multiplications(self) -> int:
        """How many multiplications a step of one sequence takes."""
        return sum(self.parameter_sizes)

    @cached_property
    def num_parameters(self) -> int:
        """How many parameters the layer has."""
        return sum(size > 0 for size in self.parameter_sizes)

    def fill_gaps(self, tensors: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        """One for each of the graph's parameters: None where the layer has no biases."""
        if len(tensors) == len(self.parameter_sizes):
            return tensors
        remaining = iter(tensors)
        return [next(remaining) if size else None for size in self.parameter_sizes]


def compile_cell(
    graph: Graph,
    sizes: Sizes,
    has_bias: bool,
    dtype: torch.dtype,
    gradient_names: tuple[str, ...] = (),
) -> CompiledCell:
    """The program of ``graph``; made once for each size and dtype, freed with the graph.

    Its way back also keeps the derivatives of the named values ``recorded``.
    """
    bits, isa = BITS[dtype], extension.get_isa()
    return _compile_cell(graph, sizes, has_bias, bits, isa, gradient_names)


@keep_with_graph
def _compile_cell(
    graph: Graph,
    sizes: Sizes,
    has_bias: bool,
    bits: int,
    isa: str | None,
    gradient_names: tuple[str, ...],
) -> CompiledCell:
    program = lower_graph(graph, has_bias, gradient_names)
    compiled = compile_bodies(collect_bodies(program), bits, isa)
    encoder = ProgramEncoder(graph, program, sizes, compiled.addresses)
    handle = _require_extension().Program(
        encoder.encode(), encoder.encode_bodies(), lanes_per_block(bits), compiled
    )
    return CompiledCell(graph, sizes, has_bias, program, handle, compiled, bits)


def _require_extension() -> Any:
    module = extension.load_extension()
    assert module is not None, extension.explain_missing()
    return module


def get_layer_class(precision: str) -> Any:
    """The compiled layers of a precision: their packed weights, and their single passes."""
    return getattr(_require_extension(), LAYER_CLASSES[precision])


def get_tape_class(bits: int) -> Any:
    """The compiled tapes of numbers of so many bits."""
    return getattr(_require_extension(), f"Tape{bits}")


def hold_contiguous(cell: CompiledCell, parameters: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """One for each of the graph's parameters, as the kernels read them."""
    return cell.fill_gaps([as_memory(tensor) for tensor in parameters])


def pack_weights(
    cell: CompiledCell, parameters: Sequence[Tensor], precision: str, needs_grad: bool
) -> Any:
    """A layer's weights, packed for many passes: copied as they are now.

    Raises RuntimeError for weights of other shapes or of another dtype than the cell's.
    """
    check_parameters(cell.graph, cell.sizes, parameters)
    check_dtypes(parameters, torch.float64 if cell.bits == 64 else torch.float32)
    held = hold_contiguous(cell, parameters)
    return get_layer_class(precision)(
        cell.handle, encode_tensors(*held), needs_grad, extension.get_num_threads()
    )
