"""Tables of scores as commands print them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group

if TYPE_CHECKING:
    from sluice.sequence.metrics.score_table import ScoreTable

_MAX_COLUMNS = 14


def group_score_tables(tables: Iterable[ScoreTable]) -> Group:
    """All tables; of those too wide to read, such as the confusion of many classes, a word."""
    return Group(
        *(
            one.to_table()
            if len(one.columns) <= _MAX_COLUMNS
            else f"The table of {one.name} has {len(one.columns)} columns, too many to show."
            for one in tables
        )
    )
