"""What a cell declares: `State`, `Gate`, `Map`, `Vector`, `Scalar`, `Constant`, `Norm`, `Mask`,
`Noise`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self, overload

from sluice.cells.bound_parts import Bindable, BoundGate, BoundMap, BoundNorm
from sluice.equations.ops import Value
from sluice.equations.specs import CONSTANT, HIDDEN


class Declaration:
    """A part of a cell.

    ``count`` makes several under one name, a sequence in the step: a number, or the name of an
    attribute of the cell that is one.
    """

    count: int | str | None = None

    def bind(self, cell: Bindable, name: str) -> object:
        """What the part called ``name`` is in a step of ``cell``."""
        return self

    def explain_call(self) -> str:
        """What to write where the declaration itself is used as a value."""
        return (
            "states, masks and inputs are arguments of the step: write step(self, x, h) and use h, "
            "not self.h"
        )


class _NamedDeclaration(Declaration):
    """A part that a step reaches through ``self``, under the name it is declared by."""

    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name


@dataclass(frozen=True)
class State(Declaration):
    """A value carried from step to step.

    ``width`` is ``"hidden"``, ``"input"``, ``"projection"``, a number of units, a name of your own,
    such as ``"slots"``, whose size the layer is given, ``sizes=dict(slots=16)``, or a product of
    these, such as ``"slots*hidden"``. ``initial`` is its value before the first step. A state of
    width hidden that starts at 0 need not be declared: naming it in ``step`` is enough.
    """

    width: str | int = HIDDEN
    initial: float = 0.0
    count: int | str | None = field(default=None, kw_only=True)


@dataclass
class Gate(_NamedDeclaration):
    """A learned map of the input and of a state: ``gate(x, h)`` is W x + b + R h + b'.

    ``gate(x)`` and ``gate(h=h)`` are its two halves; a gate used by one half has only that half's
    parameters. Its value is a pre-activation: put sigmoid or tanh around it. ``heads`` (a number,
    or the name of an attribute of the cell) makes R block-diagonal, ``input_heads`` W. ``bias`` is
    False for none, ``"input"`` for one, b. ``width`` is as for `State`.
    """

    width: str | int = HIDDEN
    heads: int | str = 1
    bias: bool | str = True
    input_heads: int | str = 1
    count: int | str | None = field(default=None, kw_only=True)

    @overload
    def __get__(self, cell: None, owner: type) -> Self: ...

    @overload
    def __get__(self, cell: Bindable, owner: type) -> BoundGate: ...

    def __get__(self, cell: Bindable | None, owner: type) -> Self | BoundGate:
        return self if cell is None else self.bind(cell, self.name)

    def bind(self, cell: Bindable, name: str) -> BoundGate:
        return BoundGate(cell, name)


@dataclass
class Map(_NamedDeclaration):
    """A learned map of one value of the step: ``map(v)`` is W v (+ b), of the given width.

    Unlike a gate it has parameters of its own, ``weight_{name}`` and ``bias_{name}``; another
    ``parameter`` name may be given. What it maps may have been computed within the step. ``heads``
    makes W block-diagonal, as for a `Gate`.
    """

    width: str | int = HIDDEN
    bias: bool = True
    parameter: str | None = None
    heads: int | str = 1
    count: int | str | None = field(default=None, kw_only=True)

    @overload
    def __get__(self, cell: None, owner: type) -> Self: ...

    @overload
    def __get__(self, cell: Bindable, owner: type) -> BoundMap: ...

    def __get__(self, cell: Bindable | None, owner: type) -> Self | BoundMap:
        return self if cell is None else self.bind(cell, self.name)

    def bind(self, cell: Bindable, name: str) -> BoundMap:
        return BoundMap(cell, name, self.parameter or name)


@dataclass
class Vector(_NamedDeclaration):
    """A learned number for each unit; used as a value, ``self.peephole * c``.

    ``initial`` is where each begins; None draws them uniformly from ±1/√hidden.
    """

    initial: float | None = None
    width: str | int = HIDDEN
    count: int | str | None = field(default=None, kw_only=True)

    @overload
    def __get__(self, cell: None, owner: type) -> Self: ...

    @overload
    def __get__(self, cell: Bindable, owner: type) -> Value: ...

    def __get__(self, cell: Bindable | None, owner: type) -> Self | Value:
        return self if cell is None else self.bind(cell, self.name)

    def bind(self, cell: Bindable, name: str) -> Value:
        return cell.interpreter.vector(name)


@dataclass(eq=False)
class Constant(_NamedDeclaration):
    """A fixed vector, or with ``of=`` a matrix: numbers of the definition, which do not learn.

    A vector is used as a value, ``self.mask * h``; a matrix is called, ``self.A(m)``: it maps a
    value of width ``of`` to one of ``width``. ``value`` is an array, a list, one number (for all of
    a vector's units), a function that is given the number of units (of a matrix of two widths: of
    rows and columns), or the name of an attribute or a method of the cell. With ``heads`` the
    matrix is block-diagonal: ``value`` has the blocks below each other, (rows, columns / heads).

    A layer keeps the numbers in a buffer, ``{name}`` or ``weight_{name}``: they move and are saved
    with its parameters. They are not in the cell's text, which so is the same for all sizes.

        class Memory(Cell):
            A = Constant(lambda n: -torch.eye(n), width="memory", of="memory")
    """

    value: object
    width: str | int = HIDDEN
    of: str | int | None = None
    heads: int | str = 1
    count: int | str | None = field(default=None, kw_only=True)

    @overload
    def __get__(self, cell: None, owner: type) -> Self: ...

    @overload
    def __get__(self, cell: Bindable, owner: type) -> Any: ...

    def __get__(self, cell: Bindable | None, owner: type) -> Any:
        return self if cell is None else self.bind(cell, self.name)

    def bind(self, cell: Bindable, name: str) -> Value | BoundMap:
        return cell.interpreter.vector(name) if self.of is None else BoundMap(cell, name, name)


@dataclass
class Scalar(Vector):
    """One learned number for all units: ``self.temperature * a``; ``initial`` as for a `Vector`."""

    width: str | int = CONSTANT


@dataclass
class Norm(_NamedDeclaration):
    """Layer norm with a learned weight and bias: ``norm(a)``, or over several, ``norm(a, b)``.

    Over several values it takes mean and variance over all of them together and returns as many.
    """

    epsilon: float = 1e-5
    count: int | str | None = field(default=None, kw_only=True)

    @overload
    def __get__(self, cell: None, owner: type) -> Self: ...

    @overload
    def __get__(self, cell: Bindable, owner: type) -> BoundNorm: ...

    def __get__(self, cell: Bindable | None, owner: type) -> Self | BoundNorm:
        return self if cell is None else self.bind(cell, self.name)

    def bind(self, cell: Bindable, name: str) -> BoundNorm:
        return BoundNorm(cell, name)


@dataclass(frozen=True)
class Mask(Declaration):
    """A random value given to each step under its name, as an argument of ``step``.

    While training each element is ``keep_value`` with probability ``1 - rate``, else
    ``drop_value``, drawn from torch's generator by the layer; in evaluation it is ``eval_value``.
    ``shared`` masks are drawn once for a whole sequence, the others at every step.
    """

    rate: float
    keep_value: float = 1.0
    drop_value: float = 0.0
    eval_value: float = 1.0
    shared: bool = False
    width: str | int = HIDDEN
    count: int | str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Noise(Declaration):
    """A normally distributed value given to each step under its name, as an argument of ``step``.

    While training each element is drawn with this ``mean`` and standard deviation ``std`` from
    torch's generator by the layer; in evaluation it is ``eval_value``. ``shared`` noise is drawn
    once for a whole sequence, the other at every step.
    """

    std: float = 1.0
    mean: float = 0.0
    eval_value: float = 0.0
    shared: bool = False
    width: str | int = HIDDEN
    count: int | str | None = field(default=None, kw_only=True)
