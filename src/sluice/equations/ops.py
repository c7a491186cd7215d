"""The op table: one row for each elementwise operation.

A row holds the operation's name, how many operands it takes, what it is on tensors, its
derivative and how it is written. The derivative is a function of the upstream gradient ``g``, the
output ``y`` and the operands, and is written in terms of ``y`` wherever ``y`` is what one would
save.

The functions below the table (`sigmoid`, `tanh`, ...) are what a cell's ``step`` is written
with. On tensors they compute; on symbols they yield nodes of a graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sluice.equations.symbol import Symbol
from sluice.equations.symbol import Value as Value

# How tightly a written expression binds: looser ones get parentheses inside tighter ones.
LOOSE, NEGATED, SUM, QUOTIENT, PRODUCT, CALL = range(6)


@dataclass(frozen=True)
class OpNotation:
    """How an operation is written: ``latex`` and ``plain`` (Unicode) with a ``{}`` per operand.

    ``symbol`` stands for the operation alone. ``precedence`` is how tightly the whole binds,
    ``operand_precedences`` how tightly each operand must, to stand without parentheses.
    """

    latex: str
    plain: str
    symbol: str
    precedence: int
    operand_precedences: tuple[int, ...]


def _function_notation(latex: str, plain: str, arity: int = 1) -> OpNotation:
    """A function's name before its operands in parentheses."""
    operands = f"({', '.join(['{}'] * arity)})"
    escaped = latex.replace("{", "{{").replace("}", "}}")
    return OpNotation(escaped + operands, plain + operands, latex, CALL, (LOOSE,) * arity)


@dataclass(frozen=True)
class Op:
    """One elementwise operation."""

    name: str
    arity: int
    torch: Callable[..., Tensor]
    derivative: Callable[..., tuple[Value | None, ...]]
    notation: OpNotation


def apply(name: str, *operands: Value) -> Value:
    """Apply the operation called ``name`` to symbols, tensors or numbers."""
    for operand in operands:
        if isinstance(operand, Symbol):
            return operand.symbolic_apply(name, *operands)
    op = OPS[name]
    if any(isinstance(operand, Tensor) for operand in operands):
        return op.torch(*operands)
    return op.torch(*(torch.tensor(float(o), dtype=torch.float64) for o in operands)).item()


def _as_tensors(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let a torch function that insists on tensors take numbers as well."""

    def call(*operands: Value) -> Tensor:
        like = next(o for o in operands if isinstance(o, Tensor))
        return function(
            *(o if isinstance(o, Tensor) else torch.full_like(like, float(o)) for o in operands)
        )

    return call


def _maximum_gradients(g: Value, a: Value, b: Value) -> tuple[Value, Value]:
    """Share ``g`` between ``a`` and ``b``: all to the greater, half each where they are equal."""
    to_a = where(greater(a, b), g, where(greater(b, a), 0.0, g * 0.5))
    return to_a, g - to_a


def _minimum_gradients(g: Value, a: Value, b: Value) -> tuple[Value, Value]:
    to_b, to_a = _maximum_gradients(g, a, b)
    return to_a, to_b


_OPS = (
    Op(
        "add",
        2,
        lambda a, b: a + b,
        lambda g, y, a, b: (g, g),
        OpNotation("{} + {}", "{} + {}", "+", SUM, (NEGATED, SUM)),
    ),
    Op(
        "subtract",
        2,
        lambda a, b: a - b,
        lambda g, y, a, b: (g, -g),
        OpNotation("{} - {}", "{} − {}", "-", SUM, (NEGATED, QUOTIENT)),
    ),
    Op(
        "multiply",
        2,
        lambda a, b: a * b,
        lambda g, y, a, b: (g * b, g * a),
        OpNotation(r"{} \odot {}", "{} ⊙ {}", r"\times", PRODUCT, (PRODUCT, PRODUCT)),
    ),
    Op(
        "divide",
        2,
        lambda a, b: a / b,
        lambda g, y, a, b: (g / b, -(g * y) / b),
        OpNotation("{} / {}", "{} / {}", r"\div", QUOTIENT, (PRODUCT, CALL)),
    ),
    Op(
        "negative",
        1,
        torch.neg,
        lambda g, y, a: (-g,),
        OpNotation("-{}", "−{}", "-", NEGATED, (QUOTIENT,)),
    ),
    Op("exp", 1, torch.exp, lambda g, y, a: (g * y,), _function_notation(r"\exp", "exp")),
    Op("log", 1, torch.log, lambda g, y, a: (g / a,), _function_notation(r"\log", "log")),
    Op(
        "sqrt",
        1,
        torch.sqrt,
        lambda g, y, a: (g / (y * 2.0),),
        OpNotation(r"\sqrt{{{}}}", "√({})", r"\sqrt{\,}", CALL, (LOOSE,)),
    ),
    Op(
        "sigmoid",
        1,
        torch.sigmoid,
        lambda g, y, a: (g * (y * (1.0 - y)),),
        _function_notation(r"\sigma", "σ"),
    ),
    Op(
        "log_sigmoid",
        1,
        F.logsigmoid,
        lambda g, y, a: (g * (1.0 - exp(y)),),
        _function_notation(r"\log\,\sigma", "log σ"),
    ),
    Op(
        "tanh",
        1,
        torch.tanh,
        lambda g, y, a: (g * (1.0 - y * y),),
        _function_notation(r"\tanh", "tanh"),
    ),
    Op(
        "relu",
        1,
        torch.relu,
        lambda g, y, a: (where(greater(y, 0.0), g, 0.0),),
        _function_notation(r"\mathrm{ReLU}", "ReLU"),
    ),
    Op(
        "absolute",
        1,
        torch.abs,
        lambda g, y, a: (where(greater(a, 0.0), g, where(greater(0.0, a), -g, 0.0)),),
        OpNotation("|{}|", "|{}|", r"|\cdot|", CALL, (LOOSE,)),
    ),
    Op(
        "maximum",
        2,
        _as_tensors(torch.maximum),
        lambda g, y, a, b: _maximum_gradients(g, a, b),
        _function_notation(r"\max", "max", 2),
    ),
    Op(
        "minimum",
        2,
        _as_tensors(torch.minimum),
        lambda g, y, a, b: _minimum_gradients(g, a, b),
        _function_notation(r"\min", "min", 2),
    ),
    Op(
        "greater",
        2,
        _as_tensors(torch.gt),
        lambda g, y, a, b: (None, None),
        OpNotation("{} > {}", "{} > {}", ">", LOOSE, (NEGATED, NEGATED)),
    ),
    Op(
        "where",
        3,
        torch.where,
        lambda g, y, c, a, b: (None, where(c, g, 0.0), where(c, 0.0, g)),
        OpNotation(
            r"({1}\ \mathrm{{if}}\ {0},\ \mathrm{{else}}\ {2})",
            "({1} if {0}, else {2})",
            r"\mathrm{if}",
            CALL,
            (LOOSE, NEGATED, NEGATED),
        ),
    ),
    Op(
        "detach", 1, torch.detach, lambda g, y, a: (None,), _function_notation(r"\mathrm{sg}", "sg")
    ),
)
OPS: dict[str, Op] = {op.name: op for op in _OPS}


def exp(a: Value) -> Value:
    """e to the power of ``a``, elementwise."""
    return apply("exp", a)


def log(a: Value) -> Value:
    """The natural logarithm of ``a``, elementwise."""
    return apply("log", a)


def sqrt(a: Value) -> Value:
    """The square root of ``a``, elementwise."""
    return apply("sqrt", a)


def sigmoid(a: Value) -> Value:
    """The logistic function 1 / (1 + e^-a), elementwise: a gate between 0 and 1."""
    return apply("sigmoid", a)


def log_sigmoid(a: Value) -> Value:
    """log(sigmoid(a)), elementwise, without overflow for large negative ``a``."""
    return apply("log_sigmoid", a)


def tanh(a: Value) -> Value:
    """The hyperbolic tangent of ``a``, elementwise."""
    return apply("tanh", a)


def relu(a: Value) -> Value:
    """max(a, 0), elementwise; its derivative at 0 is 0, as in torch."""
    return apply("relu", a)


def absolute(a: Value) -> Value:
    """|a|, elementwise; its derivative at 0 is 0, as in torch."""
    return apply("absolute", a)


def maximum(a: Value, b: Value) -> Value:
    """The greater of ``a`` and ``b``, elementwise; equal operands share the gradient."""
    return apply("maximum", a, b)


def minimum(a: Value, b: Value) -> Value:
    """The smaller of ``a`` and ``b``, elementwise; equal operands share the gradient."""
    return apply("minimum", a, b)


def greater(a: Value, b: Value) -> Value:
    """Whether ``a > b``, elementwise: the condition of `where`. No gradient passes."""
    return apply("greater", a, b)


def where(condition: Value, a: Value, b: Value) -> Value:
    """``a`` where ``condition`` (a comparison) holds, else ``b``, elementwise."""
    return apply("where", condition, a, b)


def detach(a: Value) -> Value:
    """``a``, with no gradient passing back through it."""
    return apply("detach", a)
