"""The gradients of parameters and input after the backward kernel: one product over all steps."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.codegen.program import Product, RowGradient, WeightGradient
from sluice.run.gpu.tensors import PassTensors


def compute_parameter_gradients(tensors: PassTensors) -> dict[str, Tensor]:
    """The gradients of all parameters, by name, in the type of sums."""
    dtype = tensors.precision.sums
    found = {
        name: torch.zeros(p.shape, dtype=dtype, device=p.device)
        for name, p in tensors.parameters.items()
    }
    for gradient in tensors.program.weight_gradients:
        _add_weight_gradient(tensors, gradient, found[f"weight_{gradient.stack}"])
    for row in tensors.program.row_gradients:
        if row.parameter in found:
            _add_row_gradient(tensors, row, found[row.parameter])
    return found


def _multiply(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """``a @ b`` with sums, and the result where torch offers it, in ``dtype``."""
    if a.is_cuda and a.dtype != dtype and a.dtype != torch.float64:
        try:
            return torch.mm(a, b, out_dtype=dtype)  # since torch 2.8
        except TypeError:
            pass
    return (a @ b).to(dtype)


def _add_weight_gradient(tensors: PassTensors, gradient: WeightGradient, found: Tensor) -> None:
    stack = tensors.spec.graph.get_stack(gradient.stack)
    rows = stack.row_ranges(tensors.spec.sizes)
    deltas = tensors.get_buffer(gradient.deltas).flatten(0, 1)  # rows, gates, width
    operand = tensors.read(gradient.operand, 0).to(deltas.dtype).flatten(0, 1)
    if stack.heads == 1:
        product = _multiply(deltas.flatten(1).T, operand, found.dtype)
        parts = product.unflatten(0, (len(gradient.gates), -1))
    else:
        blocks = deltas.unflatten(2, (stack.heads, -1))
        columns = operand.unflatten(1, (stack.heads, -1))
        parts = torch.einsum("nghu,nhk->ghuk", blocks, columns).flatten(1, 2).to(found.dtype)
    for gate, part in zip(gradient.gates, parts, strict=True):
        start, count = rows[gate]
        found[start : start + count] += part


def _add_row_gradient(tensors: PassTensors, row: RowGradient, found: Tensor) -> None:
    graph, sizes = tensors.spec.graph, tensors.spec.sizes
    total = tensors.get_buffer(row.buffer)[:, row.item].sum(0)
    start, count = 0, total.numel()
    if row.kind == "gate":
        stack = graph.get_stack(row.parameter.removeprefix("bias_"))
        start, count = stack.row_ranges(sizes)[row.gate]
    elif row.kind == "norm":
        norm = next(n for n in graph.norms if n.name == row.parameter.partition("_")[2])
        start = sum(map(sizes.of, norm.widths[: int(row.gate)]))
        count = sizes.of(norm.widths[int(row.gate)])
    found[start : start + count] += total


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
    weight = tensors.parameters[f"weight_{product.stack}"].to(deltas.dtype)
    parts = [weight[start : start + count] for start, count in (rows[g] for g in product.gates)]
    if stack.heads == 1:
        together = parts[0] if len(parts) == 1 else torch.cat(parts)
        return deltas.flatten(2) @ together
    total: Tensor | None = None
    for n, part in enumerate(parts):
        blocks = deltas[:, :, n].unflatten(-1, (stack.heads, -1))
        weights = part.unflatten(0, (stack.heads, -1))
        own = torch.einsum("tbhu,huk->tbhk", blocks, weights).flatten(-2)
        total = own if total is None else total + own
    assert total is not None
    return total
