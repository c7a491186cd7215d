"""How ONNX spells each row of the op table, and each row map.

Where ONNX has no operation of this kind, or one that cancels, it is made of others: `expm1` and the
logarithm of 1 + e^x keep their digits near 0 and far from it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from sluice.equations.row_maps import split_groups
from sluice.export.errors import ExportError
from sluice.export.to_onnx.builder import OnnxBuilder

_Spelling = Callable[..., str]
"""Given the builder and the names of the operands, adds nodes and returns the result's name."""


def _node(op: str) -> _Spelling:
    def add(builder: OnnxBuilder, *operands: str) -> str:
        return builder.add(op, *operands)

    return add


def _expm1(builder: OnnxBuilder, a: str) -> str:
    """2 t / (1 − t) with t = tanh(a / 2) for |a| < 1, else e^a − 1."""
    one = builder.constant(1.0)
    t = builder.add("Tanh", builder.add("Mul", a, builder.constant(0.5)))
    near = builder.add("Div", builder.add("Add", t, t), builder.add("Sub", one, t))
    far = builder.add("Sub", builder.add("Exp", a), one)
    return builder.add("Where", builder.add("Less", builder.add("Abs", a), one), near, far)


def _log1p_exp_of_minus_absolute(builder: OnnxBuilder, a: str) -> str:
    """log(1 + u) with u = e^-|a|, by u log(1 + u) / ((1 + u) − 1) (Kahan)."""
    one = builder.constant(1.0)
    u = builder.add("Exp", builder.add("Neg", builder.add("Abs", a)))
    whole = builder.add("Add", u, one)
    rest = builder.add("Sub", whole, one)
    is_lost = builder.add("Equal", rest, builder.constant(0.0))
    divisor = builder.add("Where", is_lost, one, rest)
    quotient = builder.add("Div", builder.add("Mul", u, builder.add("Log", whole)), divisor)
    return builder.add("Where", is_lost, u, quotient)


def _softplus(builder: OnnxBuilder, a: str) -> str:
    above = builder.add("Relu", a)
    smooth = builder.add("Add", above, _log1p_exp_of_minus_absolute(builder, a))
    return builder.add("Where", builder.add("Greater", a, builder.constant(20.0)), a, smooth)


def _log_sigmoid(builder: OnnxBuilder, a: str) -> str:
    below = builder.add("Min", a, builder.constant(0.0))
    return builder.add("Sub", below, _log1p_exp_of_minus_absolute(builder, a))


def _silu(builder: OnnxBuilder, a: str) -> str:
    return builder.add("Mul", a, builder.add("Sigmoid", a))


def _clamp(builder: OnnxBuilder, a: str, low: str, high: str) -> str:
    return builder.add("Min", builder.add("Max", a, low), high)


ONNX_OPERATIONS: dict[str, _Spelling] = {
    "add": _node("Add"),
    "subtract": _node("Sub"),
    "multiply": _node("Mul"),
    "divide": _node("Div"),
    "negative": _node("Neg"),
    "exp": _node("Exp"),
    "expm1": _expm1,
    "log": _node("Log"),
    "sqrt": _node("Sqrt"),
    "power": _node("Pow"),
    "sin": _node("Sin"),
    "cos": _node("Cos"),
    "erf": _node("Erf"),
    "sigmoid": _node("Sigmoid"),
    "log_sigmoid": _log_sigmoid,
    "softplus": _softplus,
    "silu": _silu,
    "tanh": _node("Tanh"),
    "relu": _node("Relu"),
    "absolute": _node("Abs"),
    "sign": _node("Sign"),
    "floor": _node("Floor"),
    "round": _node("Round"),
    "maximum": _node("Max"),
    "minimum": _node("Min"),
    "clamp": _clamp,
    "hard_tanh": _clamp,
    "greater": _node("Greater"),
    "greater_equal": _node("GreaterOrEqual"),
    "where": _node("Where"),
    "detach": _node("Identity"),
}


def write_row_map(
    builder: OnnxBuilder, op: str, operand: str, rank: int, units: int, count: int
) -> str:
    """The row map ``op`` of rows of ``units`` in the last of ``rank`` dimensions: ``count`` units.

    Raises `ExportError` for one that forward passes do not have.
    """
    name, groups = split_groups(op)
    lead = [0] * (rank - 1)
    if name in ("repeat", "tile"):
        return builder.add("Gather", operand, _pick(builder, name, units, count, groups), axis=-1)
    if name in ("cumulative_sum", "reverse_cumulative_sum"):
        axis = builder.constant(torch.tensor(-1))
        return builder.add("CumSum", operand, axis, reverse=int(name.startswith("reverse")))
    shapes = {"sum": ([count, -1], -1), "max": ([groups, -1], -1)}
    shapes["sum_tiles"] = ([groups, -1, count // groups], -2)
    if name not in shapes:
        raise ExportError(f"ONNX has no row map {name!r}")
    shape, axis_number = shapes[name]
    parts = builder.add("Reshape", operand, builder.constant([*lead, *shape]))
    reduce = "ReduceMax" if name == "max" else "ReduceSum"
    found = builder.add(reduce, parts, builder.constant([axis_number]), keepdims=0)
    if name == "sum_tiles":
        found = builder.add("Reshape", found, builder.constant([*lead, count]))
    return found


def _pick(builder: OnnxBuilder, name: str, units: int, count: int, groups: int) -> str:
    """Which unit of the operand each unit of a copy is."""
    places = torch.arange(units)
    if name == "repeat":
        return builder.constant(places.repeat_interleave(count // units))
    return builder.constant(places.view(groups, -1).repeat(1, count // units).flatten())
