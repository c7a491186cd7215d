"""The operators of a symbol, and the advice given for what a symbol cannot do."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeAlias, Union

import torch
from torch import Tensor
from torch.nn import functional as F

from sluice.errors import SluiceError

Value: TypeAlias = Union[Tensor, "Symbol", float]
"""What a step computes with: a tensor, a symbol while the step is traced, or a Python number."""


class EquationError(SluiceError, ValueError):
    """A cell's definition that cannot become equations; the message names the line."""


_TORCH_NAMES: dict[Callable[..., object], str] = {
    torch.add: "add",
    torch.sub: "subtract",
    torch.mul: "multiply",
    torch.div: "divide",
    torch.neg: "negative",
    torch.exp: "exp",
    torch.log: "log",
    torch.sqrt: "sqrt",
    torch.sigmoid: "sigmoid",
    F.sigmoid: "sigmoid",
    F.logsigmoid: "log_sigmoid",
    torch.tanh: "tanh",
    F.tanh: "tanh",
    torch.relu: "relu",
    F.relu: "relu",
    torch.abs: "absolute",
    torch.maximum: "maximum",
    torch.minimum: "minimum",
    torch.gt: "greater",
    torch.where: "where",
    torch.detach: "detach",
}


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

    def __pow__(self, power: int) -> Symbol:
        if power != 2:
            raise EquationError(
                f"the power of a symbol must be 2, got {power}; write a product, or exp and log"
            )
        return self.symbolic_apply("multiply", self, self)

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
        name = _TORCH_NAMES.get(function)
        if name is None or kwargs:
            called = getattr(function, "__name__", str(function))
            known = ", ".join(sorted(set(_TORCH_NAMES.values())))
            raise EquationError(f"a cell cannot use torch's {called}; the operations are {known}")
        symbol = next(argument for argument in args if isinstance(argument, Symbol))
        return symbol.symbolic_apply(name, *args)
