"""A table of scores, for the terminal and for files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluice.sequence.metrics.fitted_table import FittedTable, escape_controls

Score = str | int | float | None
"""A cell: a name, a count or a figure; None where there is none."""

_MAX_ROWS = 40


@dataclass(frozen=True)
class ScoreTable:
    """Rows of scores, each under a name.

    >>> table = ScoreTable("scores", ("method", "accuracy"), (("model", 0.5), ("always B", None)))
    >>> [*table.list_cells()], table.to_records()[0]
    ([('model', 'accuracy', 0.5)], {'method': 'model', 'accuracy': 0.5})

    Attributes:
        name: what the table holds, such as "scores" or "confusion".
        columns: their names; the first is of what the rows are called.
        rows: the name of the row, then a score for each further column.
        title: what stands above the table; default its name.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Score, ...], ...]
    title: str = ""

    def to_records(self) -> list[dict[str, Score]]:
        """A dictionary for each row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def list_cells(self) -> Iterator[tuple[str, str, Score]]:
        """Row, column and score of every cell that has one, for a long CSV file."""
        for name, *scores in self.rows:
            for column, score in zip(self.columns[1:], scores, strict=True):
                if score is not None:
                    yield str(name), column, score

    def to_table(self) -> FittedTable:
        """The table for the terminal: the middle of very many rows is left out."""
        rows = [[_format(score) for score in row] for row in self.rows]
        if len(rows) > _MAX_ROWS:
            hidden = rows[_MAX_ROWS - 4 : -4]
            more = [f"... {len(hidden):,} more", *["..."] * (len(self.columns) - 1)]
            rows[_MAX_ROWS - 4 : -4] = [more]
        texts = {
            place
            for place in range(len(self.columns))
            if place == 0 or any(isinstance(row[place], str) for row in self.rows)
        }
        title = escape_controls(self.title or self.name)
        return FittedTable(title, [*map(escape_controls, self.columns)], rows, texts)


def _format(score: Score) -> str:
    if score is None:
        return ""
    if isinstance(score, float):
        return f"{score:.4g}"
    return f"{score:,}" if isinstance(score, int) else escape_controls(score)
