"""The gradients of parameters and input after the backward kernel: one product over all steps."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

from sluice.codegen.program import Product, RowGradient, WeightGradient
from sluice.run.gpu.tensors import PassTensors

_Piece = tuple[int, Tensor]
"""The first row of a part of a parameter, and the gradient of that part."""


def compute_parameter_gradients(tensors: PassTensors) -> dict[str, Tensor]:
    """The gradients of all parameters, by name, in the type of sums."""
    pieces: dict[str, list[_Piece]] = defaultdict(list)
    for gradient in tensors.program.weight_gradients:
        pieces[f"weight_{gradient.stack}"] += _compute_weight_pieces(tensors, gradient)
    sums: dict[int, Tensor] = {}
    for row in tensors.program.row_gradients:
        if row.parameter in tensors.parameters:
            if row.buffer not in sums:
                sums[row.buffer] = tensors.get_buffer(row.buffer).sum(0)
            pieces[row.parameter].append(_find_row_piece(tensors, row, sums[row.buffer][row.item]))
    dtype = tensors.precision.sums
    return {name: _join(pieces[name], p, dtype) for name, p in tensors.parameters.items()}


def _join(pieces: list[_Piece], parameter: Tensor, dtype: torch.dtype) -> Tensor:
    """A parameter's gradient from parts, which may overlap or leave rows out."""
    ordered = sorted(pieces, key=lambda piece: piece[0])
    ends = [start + len(part) for start, part in ordered]
    starts = [start for start, _ in ordered]
    if ordered and starts == [0, *ends[:-1]] and ends[-1] == len(parameter):
        parts = [part for _, part in ordered]
        return parts[0] if len(parts) == 1 else torch.cat(parts)
    found = torch.zeros(parameter.shape, dtype=dtype, device=parameter.device)
    for start, part in ordered:
        found[start : start + len(part)] += part
    return found


def _multiply(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """``a @ b`` with sums, and the result where torch offers it, in ``dtype``."""
    if a.is_cuda and a.dtype in (torch.bfloat16, torch.float16):
        try:
            return torch.mm(a, b, out_dtype=dtype)  # since torch 2.8
        except TypeError:
            pass
    return (a @ b).to(dtype)


def _compute_weight_pieces(tensors: PassTensors, gradient: WeightGradient) -> list[_Piece]:
    stack = tensors.spec.graph.get_stack(gradient.stack)
    rows = stack.row_ranges(tensors.spec.sizes)
    deltas = tensors.get_buffer(gradient.deltas).flatten(0, 1)  # rows, gates, width
    operand = tensors.read(gradient.operand, 0).to(deltas.dtype).flatten(0, 1)
    dtype, starts = tensors.precision.sums, [rows[gate][0] for gate in gradient.gates]
    if stack.heads == 1:
        product = _multiply(deltas.flatten(1).T, operand, dtype)
        if stack.are_adjacent(gradient.gates, tensors.spec.sizes):
            return [(starts[0], product)]
        parts = product.unflatten(0, (len(starts), -1))
    else:
        blocks = deltas.unflatten(2, (stack.heads, -1))
        columns = operand.unflatten(1, (stack.heads, -1))
        parts = torch.einsum("nghu,nhk->ghuk", blocks, columns).flatten(1, 2).to(dtype)
    return list(zip(starts, parts, strict=True))


def _find_row_piece(tensors: PassTensors, row: RowGradient, total: Tensor) -> _Piece:
    graph, sizes = tensors.spec.graph, tensors.spec.sizes
    if row.kind == "gate":
        stack = graph.get_stack(row.parameter.removeprefix("bias_"))
        start, count = stack.bias_ranges(sizes)[row.gate]
        return start, total[:count]
    if row.kind == "norm":
        norm = graph.get_norm(row.parameter.partition("_")[2])
        start, count = norm.part_range(int(row.gate), sizes)
        return start, total[:count]
    return 0, total


def compute_input_gradient(tensors: PassTensors) -> Tensor:
    """The gradient of the input, ``(time, batch, input)``, in the input's type."""
    program, x = tensors.program, tensors.x
    role = "input gradient"
    stored = [k for k, b in enumerate(program.buffers) if b.role == role and k in tensors.buffers]
    total = tensors.get_buffer(stored[0])[:, :, 0] if stored else None
    for product in program.deferred_products:
        part = _multiply_deferred(tensors, product)
        total = part if total is None else total + part
    return torch.zeros_like(x) if total is None else total.to(x.dtype)


def _multiply_deferred(tensors: PassTensors, product: Product) -> Tensor:
    stack = tensors.spec.graph.get_stack(product.stack)
    rows = stack.row_ranges(tensors.spec.sizes)
    deltas = tensors.get_buffer(product.operand)
    weight = tensors.get_weight(product.stack)
    starts = [rows[gate][0] for gate in product.gates]
    width = rows[product.gates[0]][1]
    if stack.heads == 1 and stack.are_adjacent(product.gates, tensors.spec.sizes):
        return deltas.flatten(2) @ weight[starts[0] : starts[0] + len(starts) * width]
    parts = [weight[start : start + width] for start in starts]
    if stack.heads == 1:
        return deltas.flatten(2) @ torch.cat(parts)
    total: Tensor | None = None
    for n, part in enumerate(parts):
        blocks = deltas[:, :, n].unflatten(-1, (stack.heads, -1))
        weights = part.unflatten(0, (stack.heads, -1))
        own = torch.einsum("tbhu,huk->tbhk", blocks, weights).flatten(-2)
        total = own if total is None else total + own
    assert total is not None
    return total
