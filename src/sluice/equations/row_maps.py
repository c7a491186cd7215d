"""The table of row maps: fixed reductions and rearrangements of the units of a row.

A row map reads a row in *groups*, as many as stand after a slash in its name (``"tile/4"``; one
without). ``sum`` and ``repeat`` need none: their groups are the units of the narrower side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

SUM, SUM_TILES, REPEAT, TILE = "sum", "sum_tiles", "repeat", "tile"
MAXIMUM, MAXIMUM_SHARE = "max", "max_share"
CUMULATIVE_SUM, REVERSE_CUMULATIVE_SUM = "cumulative_sum", "reverse_cumulative_sum"


@dataclass(frozen=True)
class RowMapOp:
    """One row map: ``torch(rows, count, groups)`` gives rows of ``count`` units.

    ``shape`` says how the result's units compare with the operand's: ``fewer``, ``more``,
    ``groups`` (one a group) or ``same``. ``latex`` is its symbol in equations; plain text has its
    name.
    """

    name: str
    shape: str
    torch: Callable[[Tensor, int, int], Tensor]
    latex: str


def _split(a: Tensor, groups: int, *parts: int) -> Tensor:
    """The units as (groups, -1, *parts)."""
    found: Tensor = a.unflatten(-1, (groups, -1, *parts))
    return found


def _tile(a: Tensor, count: int, groups: int) -> Tensor:
    times, parts = count // a.shape[-1], _split(a, groups).unsqueeze(-2)
    return parts.expand(*parts.shape[:-2], times, parts.shape[-1]).flatten(-3)


def _repeat(a: Tensor, count: int, groups: int) -> Tensor:
    return a.unsqueeze(-1).expand(*a.shape, count // a.shape[-1]).flatten(-2)


def _sum_tiles(a: Tensor, count: int, groups: int) -> Tensor:
    return _split(a, groups, count // groups).sum(-2).flatten(-2)


def _share_maximum(a: Tensor, count: int, groups: int) -> Tensor:
    """In each group 1 divided among the units that are its maximum, as torch.amax divides it."""
    parts = _split(a, groups)
    reached = (parts == parts.amax(-1, keepdim=True)).to(a.dtype)
    return (reached / reached.sum(-1, keepdim=True)).flatten(-2)


def _sum_groups(a: Tensor, count: int, groups: int) -> Tensor:
    return _split(a, count).sum(-1)


def _find_maximum(a: Tensor, count: int, groups: int) -> Tensor:
    return _split(a, groups).amax(-1)


def _sum_up_to(a: Tensor, count: int, groups: int) -> Tensor:
    return a.cumsum(-1)


def _sum_onwards(a: Tensor, count: int, groups: int) -> Tensor:
    return a.flip(-1).cumsum(-1).flip(-1)


ROW_MAP_OPS = {
    op.name: op
    for op in (
        RowMapOp(SUM, "fewer", _sum_groups, r"\mathrm{sum}"),
        RowMapOp(SUM_TILES, "fewer", _sum_tiles, r"\mathrm{sum\,tiles}"),
        RowMapOp(REPEAT, "more", _repeat, r"\mathrm{repeat}"),
        RowMapOp(TILE, "more", _tile, r"\mathrm{tile}"),
        RowMapOp(MAXIMUM, "groups", _find_maximum, r"\max"),
        RowMapOp(MAXIMUM_SHARE, "same", _share_maximum, r"\mathrm{arg\,max}"),
        RowMapOp(CUMULATIVE_SUM, "same", _sum_up_to, r"\mathrm{cumsum}"),
        RowMapOp(REVERSE_CUMULATIVE_SUM, "same", _sum_onwards, r"\mathrm{cumsum}^{\leftarrow}"),
    )
}


def split_groups(op: str) -> tuple[str, int]:
    """A row map's name and its number of groups."""
    name, _, groups = op.partition("/")
    return name, int(groups or 1)


def with_groups(name: str, groups: int) -> str:
    """The row map called ``name`` on so many groups."""
    return name if groups == 1 else f"{name}/{groups}"


def apply_row_map(op: str, rows: Tensor, count: int) -> Tensor:
    """The row map ``op`` of ``rows`` (..., units): (..., ``count``)."""
    name, groups = split_groups(op)
    return ROW_MAP_OPS[name].torch(rows, count, groups)


def explain_misfit(op: str, units: int, count: int) -> str | None:
    """Why ``op`` cannot bring rows of ``units`` to ``count`` units; None where it can."""
    name, groups = split_groups(op)
    shape = ROW_MAP_OPS[name].shape
    larger, smaller = (count, units) if shape == "more" else (units, count)
    if units % groups or count % groups:
        return f"{units} and {count} units cannot be divided into {groups} groups"
    if larger % smaller:
        return f"{larger} units are no multiple of {smaller}"
    return None
