"""The operators of a symbol, and the advice given for what a symbol cannot do."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NoReturn, TypeAlias, Union

from torch import Tensor

from sluice.errors import SluiceError

Value: TypeAlias = Union[Tensor, "Symbol", float]
"""What a step computes with: a tensor, a symbol while the step is traced, or a Python number."""


class EquationError(SluiceError, ValueError):
    """A cell's definition that cannot become equations; the message names the line."""


TORCH_FUNCTIONS: dict[Callable[..., object], Callable[..., Value]] = {}
"""What functions of torch yield of symbols; `sluice.equations.torch_functions` fills it."""


class Symbol:
    """Stands for a value while a step is traced: operators on it yield further symbols."""

    __slots__ = ()
    __array_ufunc__ = None  # so that a NumPy number defers to the operators below

    def symbolic_apply(self, op: str, *operands: Value) -> Symbol:
        """The symbol for ``op`` applied to symbols and numbers."""
        raise NotImplementedError

    def __add__(self, other: Value) -> Symbol:
        return self.symbolic_apply("add", self, other)

    def __radd__(self, other: Value) -> Symbol:
        return self.symbolic_apply("add", other, self)

    def __sub__(self, other: Value) -> Symbol:
        return self.symbolic_apply("subtract", self, other)

    def __rsub__(self, other: Value) -> Symbol:
        return self.symbolic_apply("subtract", other, self)

    def __mul__(self, other: Value) -> Symbol:
        return self.symbolic_apply("multiply", self, other)

    def __rmul__(self, other: Value) -> Symbol:
        return self.symbolic_apply("multiply", other, self)

    def __truediv__(self, other: Value) -> Symbol:
        return self.symbolic_apply("divide", self, other)

    def __rtruediv__(self, other: Value) -> Symbol:
        return self.symbolic_apply("divide", other, self)

    def __neg__(self) -> Symbol:
        return self.symbolic_apply("negative", self)

    def __abs__(self) -> Symbol:
        return self.symbolic_apply("absolute", self)

    def __gt__(self, other: Value) -> Symbol:
        return self.symbolic_apply("greater", self, other)

    def __lt__(self, other: Value) -> Symbol:
        return self.symbolic_apply("greater", other, self)

    def __ge__(self, other: Value) -> Symbol:
        return self.symbolic_apply("greater_equal", self, other)

    def __le__(self, other: Value) -> Symbol:
        return self.symbolic_apply("greater_equal", other, self)

    def __pow__(self, exponent: Value) -> Value:
        if isinstance(exponent, Symbol):
            return self.symbolic_apply("power", self, exponent)
        return _raise_to_number(self, float(exponent))

    def __rpow__(self, base: Value) -> Symbol:
        return self.symbolic_apply("power", base, self)

    def detach(self) -> Symbol:
        """This value, with no gradient passing back through it."""
        return self.symbolic_apply("detach", self)

    def sigmoid(self) -> Symbol:
        """The logistic function of this value."""
        return self.symbolic_apply("sigmoid", self)

    def tanh(self) -> Symbol:
        """The hyperbolic tangent of this value."""
        return self.symbolic_apply("tanh", self)

    def __bool__(self) -> NoReturn:
        raise EquationError(
            "a symbol has no truth value, because the equations are the same for every unit "
            "and step; for `if` or a conditional expression write where(a > b, x, y), for "
            "max(), min() or a clamp write maximum(x, y) or minimum(x, y)"
        )

    def __iter__(self) -> NoReturn:
        raise EquationError("a symbol cannot be looped over or unpacked; declare one gate each")

    def __getitem__(self, index: object) -> NoReturn:
        raise EquationError(
            "a symbol cannot be indexed; declare one gate (or state) for each part instead"
        )

    def __matmul__(self, other: object) -> NoReturn:
        raise EquationError(
            "a symbol cannot be an operand of a matrix product; declare a Gate() or a "
            "Map() and call it: self.gate(x, h)"
        )

    __rmatmul__ = __matmul__

    def __float__(self) -> NoReturn:
        raise EquationError(
            "a symbol is not a number; use sluice's sigmoid, tanh, exp, log, sqrt, relu, where, "
            "maximum, minimum instead of math's or NumPy's"
        )

    __int__ = __float__
    __len__ = __float__

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., object],
        types: object,
        args: tuple[Value, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> Value:
        called = getattr(function, "__name__", str(function))
        translation = TORCH_FUNCTIONS.get(function)
        if translation is None:
            known = ", ".join(sorted({f.__name__.strip("_") for f in TORCH_FUNCTIONS}))
            raise EquationError(f"a cell cannot use torch's {called}; the operations are {known}")
        try:
            inspect.signature(translation).bind(*args, **(kwargs or {}))
        except TypeError as error:
            raise EquationError(f"a cell cannot use torch's {called} so: {error}") from None
        return translation(*args, **(kwargs or {}))


def _raise_to_number(a: Symbol, exponent: float) -> Value:
    """Whole powers up to 8 by products, as torch has the small ones; others by the operation."""
    if exponent == 0:
        return 1.0
    is_simple = abs(exponent) == 0.5 or (exponent.is_integer() and abs(exponent) <= 8)
    if not is_simple:
        return a.symbolic_apply("power", a, exponent)
    if exponent < 0:
        inverse = 1.0 / (a if exponent <= -1 else a.symbolic_apply("sqrt", a))
        return _raise_to_number(inverse, -exponent) if exponent <= -1 else inverse
    if exponent == 0.5:
        return a.symbolic_apply("sqrt", a)
    if exponent == 1:
        return a
    half = _raise_to_number(a, exponent // 2)
    return half * half if exponent % 2 == 0 else half * half * a
