"""What a cell reads beside x, as a layer's call gives it by name: ``layer(x, dt=...)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from sluice.equations.graph import Graph
from sluice.equations.specs import CONSTANT, InputSpec, Sizes
from sluice.nn.batch import PaddedInput, is_autocast_enabled

NamedInputs = Mapping[str, Tensor | PackedSequence]
"""By name: of every step, laid out as the input is, or of every sequence alone."""


def check_names(graph: Graph, given: Mapping[str, object]) -> None:
    """Raise TypeError unless ``given`` has tensors by just the names that the cell reads."""
    names = [one.name for one in graph.inputs]
    for name in given:
        if name not in names:
            listed = ", ".join(["x", *names])
            raise TypeError(f"{graph.name} has no input '{name}'; its inputs are {listed}")
    for name in names:
        if given.get(name) is None:
            raise TypeError(f"{graph.name} reads '{name}' beside x; add {name}=... to the call")
        if not isinstance(given[name], Tensor | PackedSequence):
            raise TypeError(
                f"'{name}' must be a tensor, got {type(given[name]).__name__}; for the same at "
                f"every step of a sequence write {name}=torch.full((batch,), value)"
            )


def check_widths(graph: Graph, sizes: Sequence[Sizes]) -> None:
    """Raise ValueError where layers would need an input of different widths."""
    for one in graph.inputs:
        widths = [each.of(one.width) for each in sizes]
        if len(set(widths)) > 1:
            raise ValueError(
                f"all layers of {graph.name} get the same '{one.name}', which is {one.width} "
                f"wide, but here they need {widths} numbers of it; make these widths equal, or "
                "call layers of one each after the other"
            )


def attach_inputs(
    batch: PaddedInput, graph: Graph, sizes: Sizes, given: NamedInputs
) -> PaddedInput:
    """``batch`` with its `PaddedInput.inputs`. Raises ValueError for tensors that do not fit."""
    if not graph.inputs:
        return batch
    inputs = tuple(
        batch.order_steps(
            _cast(one.name, _arrange(batch, one, sizes.of(one.width), given[one.name]), batch.x)
        )
        for one in graph.inputs
    )
    form = (batch.packed_sequence, batch.batch_first, batch.is_batched)
    return PaddedInput(batch.x, batch.lengths, batch.resets, *form, inputs, batch.step_order)


def read_step_inputs(
    graph: Graph, sizes: Sizes, given: Mapping[str, Tensor], x: Tensor
) -> list[Tensor]:
    """The inputs of one step, ``(batch, width)`` each. Raises TypeError or ValueError."""
    check_names(graph, given)
    batch = PaddedInput(x.unsqueeze(0), None, None, None, False, True)
    return [own[0] for own in attach_inputs(batch, graph, sizes, given).inputs]


def list_tensors(given: NamedInputs) -> list[Tensor]:
    """The tensors of floating point numbers."""
    found = [t.data if isinstance(t, PackedSequence) else t for t in given.values()]
    return [tensor for tensor in found if tensor.is_floating_point()]


def _arrange(
    batch: PaddedInput, one: InputSpec, width: int, given: Tensor | PackedSequence
) -> Tensor:
    """An input as ``(time, batch, width)``; what is the same at all steps is expanded."""
    steps, sequences = batch.x.shape[:2]
    if isinstance(given, PackedSequence):
        return _pad(batch, one, width, given)
    rows = (sequences,) if batch.is_batched else ()
    timed = (steps, *rows)
    if batch.is_batched and batch.batch_first:
        timed = (sequences, steps)
    own = given
    if one.width == CONSTANT and (_has_shape(given, timed) or _has_shape(given, rows)):
        own = given.unsqueeze(-1)
    if _has_shape(own, (*timed, width)) and batch.packed_sequence is None:
        if not batch.is_batched:
            return own.unsqueeze(1)
        return own.transpose(0, 1) if batch.batch_first else own
    if _has_shape(own, (*rows, width)):
        order = batch.sorted_indices
        own = own if order is None else own.index_select(0, order)
        return own.expand(steps, sequences, width)
    if batch.packed_sequence is not None:
        timed = ("packed as the input is",)
    raise ValueError(_describe_shapes(one, width, timed, rows, given))


def _has_shape(tensor: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether it has this shape; number by number, as a compiler that traces this needs it."""
    return tensor.dim() == len(shape) and all(
        own == other for own, other in zip(tensor.shape, shape, strict=True)
    )


def _describe_shapes(
    one: InputSpec, width: int, timed: tuple[object, ...], rows: tuple[int, ...], given: Tensor
) -> str:
    shapes = [(*timed, width), (*rows, width)]
    if one.width == CONSTANT:
        shapes = [timed, *shapes[:1], rows, *shapes[1:]]
    listed = " or ".join(map(str, shapes))
    return f"'{one.name}' must have the shape {listed}, got {tuple(given.shape)}"


def _pad(batch: PaddedInput, one: InputSpec, width: int, given: PackedSequence) -> Tensor:
    """A packed input as the padded x is laid out."""
    packed = batch.packed_sequence
    if packed is None:
        raise ValueError(f"'{one.name}' is a PackedSequence but the input is not; pack both")
    if not _is_packed_alike(given, packed):
        raise ValueError(f"'{one.name}' must be packed as the input is: of the same lengths")
    data = given.data
    if one.width == CONSTANT and data.dim() == 1:
        data = data.unsqueeze(-1)
    if data.shape[1:] != (width,):
        expected = (len(data), width)
        raise ValueError(
            f"the data of '{one.name}' must have the shape {expected}, got {tuple(data.shape)}"
        )
    return pad_packed_sequence(PackedSequence(data, given.batch_sizes))[0]


def _is_packed_alike(one: PackedSequence, other: PackedSequence) -> bool:
    orders = [packed.sorted_indices for packed in (one, other) if packed.sorted_indices is not None]
    if len(orders) == 1 or (orders and not torch.equal(*orders)):
        return False
    return torch.equal(one.batch_sizes, other.batch_sizes)


def _cast(name: str, given: Tensor, x: Tensor) -> Tensor:
    """An input in the dtype of ``x``: one of zeros and ones may be boolean, or integers."""
    if given.device != x.device:
        raise ValueError(f"'{name}' must be on {x.device} as the input is, got {given.device}")
    if given.dtype == x.dtype:
        return given
    if given.is_complex() or (given.is_floating_point() and not is_autocast_enabled(x)):
        raise ValueError(f"'{name}' must be {x.dtype} as the input is, got {given.dtype}")
    return given.to(x.dtype)
