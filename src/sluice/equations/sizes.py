"""Symbolic widths, and the numbers that they stand for in a layer.

A width is ``"input"``, ``"hidden"``, ``"projection"``, a number (``"3"``), a name of the cell's own
(``"slots"``), or a product of these (``"slots*hidden"``); ``"hidden/4"`` is one of four heads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from sluice.equations.limits import MAX_NAME_LENGTH, MAX_SIZE
from sluice.equations.symbol import EquationError
from sluice.equations.widths import simplify_width

INPUT, HIDDEN, PROJECTION, CONSTANT = "input", "hidden", "projection", "1"
BUILT_IN = (INPUT, HIDDEN, PROJECTION)
_WIDTH = re.compile(r"(?P<factors>\w+(\*\w+)*)(/(?P<heads>[1-9][0-9]{0,9}))?", re.ASCII)
_FACTOR = re.compile(r"[A-Za-z][A-Za-z0-9_]*|[1-9][0-9]*")
_NUMBER = re.compile(r"[1-9][0-9]*")


@dataclass(frozen=True)
class Sizes:
    """The sizes of one layer: how many numbers each symbolic width stands for.

    ``named`` are those of the cell's own names; a dictionary is taken too.

    Example:
        >>> sizes = Sizes(3, 8, named=dict(slots=16))
        >>> sizes.of("slots*hidden"), sizes.of("hidden/4"), sizes.of("5")
        (128, 2, 5)
    """

    input: int
    hidden: int
    projection: int = 0
    named: tuple[tuple[str, int], ...] | Mapping[str, int] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "named", tuple(sorted(dict(self.named).items())))

    def of(self, width: str) -> int:
        """The number behind a width.

        Raises ValueError for a name that has no size, or for parts that do not divide it.
        """
        if width == HIDDEN:
            return self.hidden
        product, _, heads = width.partition("/")
        found = 1
        for name in product.split("*"):
            found *= self._find(name)
        parts = int(heads or 1)
        if found % parts:
            raise ValueError(f"the width '{width}' needs a multiple of {parts} units, got {found}")
        return found // parts

    def _find(self, name: str) -> int:
        if name in BUILT_IN:
            return int(getattr(self, name))
        if name.isdecimal():
            return int(name)
        size = dict(self.named).get(name)
        if size is None:
            raise ValueError(f"the width '{name}' has no size; name it: sizes=dict({name}=...)")
        return size

    def to_list(self) -> list[int]:
        """The numbers alone, for `from_list`."""
        return [self.input, self.hidden, self.projection, *dict(self.named).values()]

    @classmethod
    def from_list(cls, numbers: Sequence[int], names: Iterable[str]) -> Self:
        """The sizes of `to_list`, whose own names are ``names``, sorted."""
        own = dict(zip(names, numbers[3:], strict=True))
        return cls(numbers[0], numbers[1], numbers[2], own)


def parse_width(width: object) -> str:
    """A width in the form that graphs hold it. Raises ValueError for what is none.

    Example:
        >>> parse_width(3), parse_width("slots * hidden"), parse_width("hidden/4")
        ('3', 'hidden*slots', 'hidden/4')
    """
    if isinstance(width, int) and not isinstance(width, bool) and width > 0:
        return str(width)
    if isinstance(width, str):
        product, slash, parts = (word.strip() for word in width.partition("/"))
        factors = [factor.strip() for factor in product.split("*")]
        if all(map(_FACTOR.fullmatch, factors)) and (not slash or _NUMBER.fullmatch(parts)):
            return simplify_width("*".join(factors) + slash + parts)
    raise ValueError(
        'a width must be "input", "hidden", "projection", a number of units, a name of your own '
        f'(whose size the layer is given: sizes=dict(slots=16)), a product, as "slots*hidden", '
        f'or a part, as "hidden/4"; '
        f"got {width!r}"
    )


def find_names(widths: Iterable[str]) -> set[str]:
    """The names in these widths, numbers left out."""
    factors = {name for width in widths for name in width.partition("/")[0].split("*")}
    return {name for name in factors if not name.isdecimal()}


def validate_width(width: str) -> None:
    """Raise `EquationError` unless ``width`` is one that a value can have."""
    found = _WIDTH.fullmatch(width) if len(width) <= MAX_NAME_LENGTH else None
    if found is None:
        raise EquationError(f"{width!r:.80} is no width")
    for factor in found["factors"].split("*"):
        is_number = factor.isdecimal() and len(factor) < 11 and 1 <= int(factor) <= MAX_SIZE
        is_name = factor.isidentifier() and not factor.startswith("_")
        if not is_name and not is_number:
            raise EquationError(
                f"a width must be a name or a number of at most {MAX_SIZE}, got {width!r:.80}"
            )
