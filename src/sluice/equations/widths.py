"""Products and quotients of symbolic widths, in one form: equal widths are equal strings."""

from __future__ import annotations

import math
from collections import Counter

from sluice.equations.symbol import EquationError


def simplify_width(width: str) -> str:
    """A width in its one form: numbers multiplied, names in order, one divisor at the end.

    Example:
        >>> simplify_width("value*key"), simplify_width("2*hidden*3"), simplify_width("4*hidden/4")
        ('key*value', '6*hidden', 'hidden')
    """
    return _join(*_split(width))


def multiply_widths(first: str, second: str) -> str:
    """The width of a row for each pair of units.

    Example:
        >>> multiply_widths("hidden/4", "4"), multiply_widths("key", "value")
        ('hidden', 'key*value')
    """
    (number, divisor, names), (more, further, others) = _split(first), _split(second)
    return _join(number * more, divisor * further, names + others)


def divide_width(width: str, by: str) -> str:
    """The width whose product with ``by`` is ``width``. Raises `EquationError` for none.

    Example:
        >>> divide_width("key*value", "value"), divide_width("hidden*hidden/4", "hidden/4")
        ('key', 'hidden')
    """
    (number, divisor, names), (least, further, others) = _split(width), _split(by)
    remaining, parts = names - others, (number * further, divisor * least)
    if others - names or (not remaining and parts[0] % parts[1]):
        raise EquationError(f"the width {width} is no multiple of {by}")
    return _join(*parts, remaining)


def _split(width: str) -> tuple[int, int, Counter[str]]:
    """A width's number, its divisor and its names."""
    product, _, divisor = width.partition("/")
    factors = product.split("*")
    number = math.prod(int(factor) for factor in factors if factor.isdecimal())
    return (
        number,
        int(divisor or 1),
        Counter(factor for factor in factors if not factor.isdecimal()),
    )


def _join(number: int, divisor: int, names: Counter[str]) -> str:
    shared = math.gcd(number, divisor)
    number, divisor = number // shared, divisor // shared
    factors = [str(number)] if number > 1 or not names else []
    product = "*".join([*factors, *sorted(names.elements())])
    return product if divisor == 1 else f"{product}/{divisor}"
