"""The operators of a symbol, and the advice given for what a symbol cannot do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, NoReturn, TypeAlias, Union

import torch
from torch import Tensor

from sluice.equations.advice import advise
from sluice.equations.spellings import OPERATION_NAMES, OPERATIONS, call_operation
from sluice.errors import SluiceError

Value: TypeAlias = Union[Tensor, "Symbol", float]
"""What a step computes with: a tensor, a symbol while the step is traced, or a Python number."""


class EquationError(SluiceError, ValueError):
    """A cell's definition that cannot become equations; the message names the line."""


class _MissingAttributeError(EquationError, AttributeError):
    """What a value of a step does not have; `hasattr` understands it."""


_is_tracing: ContextVar[bool] = ContextVar("is_tracing", default=False)


@contextmanager
def reading_equations() -> Iterator[None]:
    """Inside, a comparison for equality and switched-off gradients are refused."""
    token = _is_tracing.set(True)
    try:
        with torch.enable_grad():
            yield
    finally:
        _is_tracing.reset(token)


def check_gradients_are_on() -> None:
    """Raises `EquationError` inside the ``torch.no_grad()`` of a step."""
    if _is_tracing.get() and not torch.is_grad_enabled():
        raise EquationError(
            "torch.no_grad() has no meaning in equations; write detach(value) for a value through "
            "which no gradient passes"
        )


class Symbol:
    """Stands for a value while a step is traced: operators on it yield further symbols."""

    __slots__ = ()

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

    def __pos__(self) -> Symbol:
        return self

    def detach(self) -> Symbol:
        """This value, with no gradient passing back through it."""
        return self.symbolic_apply("detach", self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in OPERATIONS:
            return partial(_call, name, f".{name}()", self)
        raise _MissingAttributeError(f"cannot use .{name}: {_advise(name)}")

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., object],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = getattr(function, "__name__", str(function))
        return _call(name, f"torch's {name}", *args, **(kwargs or {}))

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **options: Any) -> Any:
        return _call(ufunc.__name__, f"NumPy's {ufunc.__name__}", *operands, **options)

    def __array_function__(self, function: Any, types: object, args: Any, kwargs: Any) -> Any:
        return _call(function.__name__, f"NumPy's {function.__name__}", *args, **kwargs)

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise EquationError(f"cannot make an array of it: {_advise('array')}")

    def __bool__(self) -> NoReturn:
        raise EquationError(
            "a value of the step has no truth value, because the equations are the same for every "
            "unit and step; for `if` or a conditional expression write where(a > b, x, y), for "
            "max(), min() or a clamp write maximum(x, y) or minimum(x, y)"
        )

    def __iter__(self) -> NoReturn:
        raise EquationError(
            "a value of the step cannot be looped over or unpacked; declare one gate each"
        )

    def __getitem__(self, index: object) -> NoReturn:
        raise EquationError(
            "a value of the step cannot be indexed; declare one gate (or state) for each part "
            "instead"
        )

    __contains__ = __delitem__ = __getitem__

    def __setitem__(self, index: object, value: object) -> NoReturn:
        raise EquationError(
            "a value of the step never changes in place; write a new one, as in x = x + y, and "
            "declare one gate (or state) for each part"
        )

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise EquationError(
            "a value of the step cannot be called; gates and maps can: self.gate(x, h)"
        )

    def __enter__(self) -> NoReturn:
        raise EquationError("a value of the step cannot stand in `with`; leave the `with` out")

    def __exit__(self, *_: object) -> None:
        """Never reached: `__enter__` refuses."""

    def __format__(self, form: str) -> str:
        return repr(self)

    def __float__(self) -> NoReturn:
        raise EquationError(
            "a value of the step is not a number; use sluice's sigmoid, tanh, exp, log, sqrt, "
            "relu, where, maximum, minimum instead of math's or NumPy's"
        )

    __int__ = __index__ = __complex__ = __float__

    def __len__(self) -> NoReturn:
        raise EquationError(_advise("len"))


def _raise_to_number(a: Symbol, exponent: float) -> Value:
    """Whole powers up to 8 by products, as torch has the small ones; others by the operation."""
    if exponent == 0:
        return 1.0
    is_simple = abs(exponent) == 0.5 or (exponent.is_integer() and abs(exponent) <= 8)
    if not is_simple:
        return a.symbolic_apply("power", a, exponent)
    if exponent <= -1:
        return _raise_to_number(1.0 / a, -exponent)
    if exponent == 1:
        return a
    if abs(exponent) == 0.5:
        root = a.symbolic_apply("sqrt", a)
        return root if exponent > 0 else 1.0 / root
    half = _raise_to_number(a, exponent // 2)
    return half * half if exponent % 2 == 0 else half * half * a


def _advise(name: str) -> str:
    return advise(name, ", ".join(sorted(OPERATION_NAMES)))


def _call(name: str, called: str, *args: Any, **options: Any) -> Any:
    """The operation called ``name``, or what to write instead of ``called``."""
    if name not in OPERATIONS:
        raise EquationError(f"cannot use {called}: {_advise(name)}")
    try:
        return call_operation(name, args, options)
    except TypeError as error:
        given = " and ".join(f"{option}=" for option in options) or f"{len(args)} arguments"
        raise EquationError(
            f"cannot use {called} with {given}; leave out what is not an operand, and write what "
            "it does as an operation of its own"
        ) from error


def _refuse_operator(sign: str, name: str) -> Callable[..., NoReturn]:
    def operator(self: Symbol, *_: object) -> NoReturn:
        raise EquationError(f"cannot use {sign}: {_advise(name)}")

    return operator


def _compare(self: Symbol, other: object) -> object:
    """Nodes are equal if they are the same; a step that compares its values is refused."""
    if _is_tracing.get() or isinstance(other, int | float | Tensor):
        raise EquationError(f"cannot use == or !=: {_advise('eq')}")
    return NotImplemented


_REFUSED_OPERATORS = {
    "@": ("matmul", "__matmul__ __rmatmul__"),
    "and, or, not as & | ^ ~": (
        "logical_and",
        "__and__ __rand__ __or__ __ror__ __xor__ __rxor__ __invert__",
    ),
    "% or //": ("remainder", "__mod__ __rmod__ __floordiv__ __rfloordiv__ __divmod__ __rdivmod__"),
    "<< or >>": ("lshift", "__lshift__ __rlshift__ __rshift__ __rrshift__"),
    "Python's rounding": ("round", "__round__ __floor__ __ceil__ __trunc__"),
}
_OPERATORS: dict[str, Callable[..., object]] = {"__eq__": _compare}
for _sign, (_name, _methods) in _REFUSED_OPERATORS.items():
    for _method in _methods.split():
        _OPERATORS[_method] = _refuse_operator(_sign, _name)
for _method, _operator in _OPERATORS.items():  # set here, == leaves the hash by identity
    setattr(Symbol, _method, _operator)
