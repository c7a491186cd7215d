"""What a cell's ``step`` is written with: on tensors these functions compute, on symbols they yield
nodes of a graph.

Each is an operation of the table (`sluice.equations.op_table`) or made of some.
"""

from __future__ import annotations

from math import pi
from math import sqrt as square_root

from sluice.equations.op_table import apply
from sluice.equations.symbol import EquationError
from sluice.equations.symbol import Value as Value


def exp(a: Value) -> Value:
    """e to the power of ``a``, elementwise."""
    return apply("exp", a)


def expm1(a: Value) -> Value:
    """e^a − 1, elementwise, without cancellation near 0."""
    return apply("expm1", a)


def log(a: Value) -> Value:
    """The natural logarithm of ``a``, elementwise."""
    return apply("log", a)


def sqrt(a: Value) -> Value:
    """The square root of ``a``, elementwise."""
    return apply("sqrt", a)


def power(a: Value, exponent: Value) -> Value:
    """``a`` to the power of ``exponent``, elementwise; ``a**3`` says the same.

    A negative ``a`` has whole powers alone, others are NaN.
    """
    return a**exponent


def sin(a: Value) -> Value:
    """The sine of ``a`` (radians), elementwise; the kernels take |a| > 1e15 for 1e15."""
    return apply("sin", a)


def cos(a: Value) -> Value:
    """The cosine of ``a`` (radians), elementwise; the kernels take |a| > 1e15 for 1e15."""
    return apply("cos", a)


def erf(a: Value) -> Value:
    """The error function of ``a``, elementwise."""
    return apply("erf", a)


def sign(a: Value) -> Value:
    """1, 0 or -1 by the sign of ``a``, elementwise, without a gradient, as in torch."""
    return apply("sign", a)


def floor(a: Value) -> Value:
    """The greatest whole number not above ``a``, elementwise. Straight through: the gradient
    passes as if ``a`` had not been rounded (`torch.floor` has none).
    """
    return apply("floor", a)


def round(a: Value) -> Value:
    """The nearest whole number, elementwise, half to even. Straight through: the gradient passes
    as if ``a`` had not been rounded (`torch.round` has none).
    """
    return apply("round", a)


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


def clamp(a: Value, min: Value | None = None, max: Value | None = None) -> Value:
    """``a`` brought between ``min`` and ``max``, elementwise; the gradient passes within them, and
    at the bounds. Raises `EquationError` where there is no bound, or ``min`` exceeds ``max``.
    """
    if min is None:
        if max is None:
            raise EquationError("clamp must be given a bound, as in clamp(a, -1.0, 1.0), got none")
        return where(greater(a, max), max, a)
    if max is None:
        return where(greater(min, a), min, a)
    if isinstance(min, int | float) and isinstance(max, int | float) and not min <= max:
        raise EquationError(f"min of clamp must not exceed max, got {min} and {max}")
    return apply("clamp", a, min, max)


def hard_tanh(a: Value, min_val: float = -1.0, max_val: float = 1.0) -> Value:
    """``a`` brought between two numbers, elementwise; no gradient passes at the bounds."""
    if not min_val < max_val:
        raise EquationError(f"min_val must be below max_val, got {min_val} and {max_val}")
    return apply("hard_tanh", a, min_val, max_val)


def hard_sigmoid(a: Value, alpha: float = 1 / 6, beta: float = 0.5) -> Value:
    """alpha · a + beta, brought between 0 and 1, elementwise. By default torch's; ONNX and the
    first versions of Keras have an alpha of 0.2.
    """
    return hard_tanh(alpha * a + beta, 0.0, 1.0)


def leaky_relu(a: Value, negative_slope: float = 0.01) -> Value:
    """``a`` where it is positive, else ``negative_slope`` · a, elementwise."""
    return where(greater(a, 0.0), a, negative_slope * a)


def thresholded_relu(a: Value, alpha: float = 1.0) -> Value:
    """``a`` where it exceeds ``alpha``, else 0, elementwise (ONNX's ThresholdedRelu)."""
    return where(greater_equal(alpha, a), 0.0, a)


def elu(a: Value, alpha: float = 1.0) -> Value:
    """``a`` where it is positive, else alpha (e^a − 1), elementwise (Clevert et al. 2016)."""
    return relu(a) + alpha * expm1(clamp(a, max=0.0))


def celu(a: Value, alpha: float = 1.0) -> Value:
    """``a`` where it is positive, else alpha (e^(a / alpha) − 1), elementwise (Barron 2017)."""
    return relu(a) + alpha * expm1(clamp(a, max=0.0) / alpha)


def selu(a: Value) -> Value:
    """The scaled `elu` of self-normalizing networks, elementwise (Klambauer et al. 2017)."""
    return 1.0507009873554804934193349852946 * elu(a, 1.6732632423543772848170429916717)


def softplus(a: Value, beta: float = 1.0) -> Value:
    """log(1 + e^(beta · a)) / beta, elementwise; ``a`` itself where beta · a > 20, as in torch."""
    return apply("softplus", a) if beta == 1.0 else apply("softplus", a * beta) / beta


def softsign(a: Value) -> Value:
    """a / (1 + |a|), elementwise."""
    return a / (1.0 + absolute(a))


def silu(a: Value) -> Value:
    """a · sigmoid(a), elementwise (also called swish)."""
    return apply("silu", a)


def mish(a: Value) -> Value:
    """a · tanh(softplus(a)), elementwise (Misra 2020)."""
    return a * tanh(clamp(softplus(a), max=20.0))  # beyond it the tanh is 1 and its slope is 0


def gelu(a: Value, approximate: str = "none") -> Value:
    """``a`` times the normal distribution's cumulative function at ``a``, elementwise (Hendrycks &
    Gimpel 2016); with ``approximate="tanh"`` by their formula of a tanh, as in torch.
    """
    if approximate == "none":
        return 0.5 * a * (1.0 + erf(square_root(0.5) * a))
    if approximate != "tanh":
        raise EquationError(f"approximate of gelu must be 'none' or 'tanh', got {approximate!r}")
    inner = square_root(2.0 / pi) * (a + 0.044715 * (a * a * a))
    return 0.5 * a * (1.0 + tanh(clamp(inner, -20.0, 20.0)))  # where the tanh is ±1, its slope is 0


def scaled_tanh(a: Value, alpha: float = 1.0, beta: float = 1.0) -> Value:
    """alpha · tanh(beta · a), elementwise (ONNX's ScaledTanh; LeCun's 1.7159 tanh(2a/3))."""
    return alpha * tanh(beta * a)


def greater(a: Value, b: Value) -> Value:
    """Whether ``a > b``, elementwise: the condition of `where`. No gradient passes."""
    return apply("greater", a, b)


def greater_equal(a: Value, b: Value) -> Value:
    """Whether ``a >= b``, elementwise: a condition of `where`. No gradient passes."""
    return apply("greater_equal", a, b)


def where(condition: Value, a: Value, b: Value) -> Value:
    """``a`` where ``condition`` (a comparison) holds, else ``b``, elementwise."""
    return apply("where", condition, a, b)


def detach(a: Value) -> Value:
    """``a``, with no gradient passing back through it."""
    return apply("detach", a)
