"""The op table: one row for each elementwise operation.

A row holds the operation's name, how many operands it takes, what it is on tensors, its
derivative and how it is written. The derivative is a function of the upstream gradient ``g``, the
output ``y`` and the operands, and is written in terms of ``y`` wherever ``y`` is what one would
save.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sluice.equations.symbol import Symbol, Value

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
        tensors = (
            o if isinstance(o, Tensor) else torch.full_like(like, float(o)) for o in operands
        )
        # Of one shape: torch's clamp cannot go back to an operand that it has broadcast.
        return function(*torch.broadcast_tensors(*tensors))

    return call


def _choose(a: Value, b: Value, then: Value, other: Value) -> Value:
    """``then`` where a > b, else ``other``."""
    return apply("where", apply("greater", a, b), then, other)


def _choose_from(a: Value, b: Value, then: Value, other: Value) -> Value:
    """``then`` where a ≥ b, else ``other``."""
    return apply("where", apply("greater_equal", a, b), then, other)


def _maximum_gradients(g: Value, a: Value, b: Value) -> tuple[Value, Value]:
    """Share ``g`` between ``a`` and ``b``: all to the greater, half each where they are equal."""
    to_a = _choose(a, b, g, _choose(b, a, 0.0, g * 0.5))
    return to_a, g - to_a


def _minimum_gradients(g: Value, a: Value, b: Value) -> tuple[Value, Value]:
    to_b, to_a = _maximum_gradients(g, a, b)
    return to_a, to_b


def _clamp_gradients(g: Value, a: Value, low: Value, high: Value) -> tuple[Value, ...]:
    """All to ``a`` from bound to bound, these included."""
    below, above = _choose(low, a, g, 0.0), _choose(a, high, g, 0.0)
    return _choose(low, a, 0.0, _choose(a, high, 0.0, g)), below, above


def _power_gradients(g: Value, y: Value, a: Value, b: Value) -> tuple[Value, Value]:
    """Where torch's formulas would multiply 0 by infinity, they give 0; so do these."""
    to_a = g * (b * apply("power", a, b - 1.0))
    to_b = g * (y * apply("log", a))
    to_a = _choose(b, 0.0, to_a, _choose(0.0, b, to_a, 0.0))
    at_zero = _choose_from(b, 0.0, 0.0, to_b)
    return to_a, _choose(a, 0.0, to_b, _choose(0.0, a, to_b, at_zero))


def _pass_through(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """``function`` in value, the identity in its derivative."""

    def call(a: Tensor) -> Tensor:
        kept = a.detach()
        return torch.where(kept.isfinite(), function(kept) - (kept - a), a)

    return call


def _where(condition: Any, a: Any, b: Any) -> Any:
    """`torch.where`, also for a comparison of two numbers."""
    like = next((operand for operand in (a, b) if isinstance(operand, Tensor)), None)
    if not isinstance(condition, Tensor) and like is not None:
        condition = torch.tensor(condition, device=like.device)
    return torch.where(condition, a, b) if like is not None else (a if condition else b)


def _hard_tanh(a: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """`torch.clamp` with no gradient at the bounds themselves, as torch's hardtanh."""
    return torch.where((a > low) & (a < high) | a.isnan(), a, a.detach().clamp(low, high))


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
    Op(
        "expm1",
        1,
        torch.expm1,
        lambda g, y, a: (g * (y + 1.0),),
        _function_notation(r"\mathrm{expm1}", "expm1"),
    ),
    Op("log", 1, torch.log, lambda g, y, a: (g / a,), _function_notation(r"\log", "log")),
    Op(
        "sqrt",
        1,
        torch.sqrt,
        lambda g, y, a: (g / (y * 2.0),),
        OpNotation(r"\sqrt{{{}}}", "√({})", r"\sqrt{\,}", CALL, (LOOSE,)),
    ),
    Op(
        "power",
        2,
        torch.pow,
        _power_gradients,
        OpNotation("{}^{{{}}}", "{}^{}", "(.)^{(.)}", PRODUCT, (CALL, CALL)),
    ),
    Op(
        "sin",
        1,
        torch.sin,
        lambda g, y, a: (g * apply("cos", a),),
        _function_notation(r"\sin", "sin"),
    ),
    Op(
        "cos",
        1,
        torch.cos,
        lambda g, y, a: (-(g * apply("sin", a)),),
        _function_notation(r"\cos", "cos"),
    ),
    Op(
        "erf",
        1,
        torch.erf,
        lambda g, y, a: (g * (2.0 / sqrt(pi) * apply("exp", -(a * a))),),
        _function_notation(r"\mathrm{erf}", "erf"),
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
        lambda g, y, a: (g * (1.0 - apply("exp", y)),),
        _function_notation(r"\log\,\sigma", "log σ"),
    ),
    Op(
        "softplus",
        1,
        F.softplus,
        lambda g, y, a: (_choose(a, 20.0, g, g * apply("sigmoid", a)),),
        _function_notation(r"\mathrm{softplus}", "softplus"),
    ),
    Op(
        "silu",
        1,
        F.silu,
        lambda g, y, a: (g * (apply("sigmoid", a) * (1.0 + a * apply("sigmoid", -a))),),
        _function_notation(r"\mathrm{SiLU}", "SiLU"),
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
        lambda g, y, a: (_choose(y, 0.0, g, 0.0),),
        _function_notation(r"\mathrm{ReLU}", "ReLU"),
    ),
    Op(
        "absolute",
        1,
        torch.abs,
        lambda g, y, a: (_choose(a, 0.0, g, _choose(0.0, a, -g, 0.0)),),
        OpNotation("|{}|", "|{}|", r"|\cdot|", CALL, (LOOSE,)),
    ),
    Op("sign", 1, torch.sign, lambda g, y, a: (None,), _function_notation(r"\mathrm{sgn}", "sgn")),
    Op(
        "floor",
        1,
        _pass_through(torch.floor),
        lambda g, y, a: (g,),
        OpNotation(r"\lfloor {} \rfloor", "⌊{}⌋", r"\lfloor\cdot\rfloor", CALL, (LOOSE,)),
    ),
    Op(
        "round",
        1,
        _pass_through(torch.round),
        lambda g, y, a: (g,),
        _function_notation(r"\mathrm{round}", "round"),
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
        "clamp",
        3,
        _as_tensors(torch.clamp),
        lambda g, y, a, low, high: _clamp_gradients(g, a, low, high),
        _function_notation(r"\mathrm{clamp}", "clamp", 3),
    ),
    Op(
        "hard_tanh",
        3,
        _as_tensors(_hard_tanh),
        lambda g, y, a, low, high: (
            _choose_from(low, a, 0.0, _choose_from(a, high, 0.0, g)),
            *_clamp_gradients(g, a, low, high)[1:],
        ),
        _function_notation(r"\mathrm{hardtanh}", "hardtanh", 3),
    ),
    Op(
        "greater",
        2,
        _as_tensors(torch.gt),
        lambda g, y, a, b: (None, None),
        OpNotation("{} > {}", "{} > {}", ">", LOOSE, (NEGATED, NEGATED)),
    ),
    Op(
        "greater_equal",
        2,
        _as_tensors(torch.ge),
        lambda g, y, a, b: (None, None),
        OpNotation(r"{} \geq {}", "{} ≥ {}", r"\geq", LOOSE, (NEGATED, NEGATED)),
    ),
    Op(
        "where",
        3,
        _where,
        lambda g, y, c, a, b: (None, apply("where", c, g, 0.0), apply("where", c, 0.0, g)),
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
COMPARISONS = frozenset({"greater", "greater_equal"})
"""The operations whose result holds or does not, and is no number."""
