"""Tables of scores as commands print them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group

if TYPE_CHECKING:
    from sluice.sequence.metrics.score_table import ScoreTable

_MAX_COLUMNS = 14


def group_score_tables(tables: Iterable[ScoreTable]) -> Group:
    """All tables but those too wide to read, such as the confusion of many classes."""
    return Group(*(one.to_table() for one in tables if len(one.columns) <= _MAX_COLUMNS))
