"""What was measured, as numbers and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

MODEL = "model"


@dataclass(frozen=True)
class Metrics:
    """Figures of a model, beside those of naive ways to do the same.

    Attributes:
        items: how many tokens, labels, values or steps were measured.
        of: for each who foretold (the model, a baseline), its figures by name; a figure that it
            has not is left out.
        confusion: how many of each class (row) were taken for each class (column).
        labels: the names of the classes.

    >>> figures = Metrics(2, {"model": {"accuracy": 0.5}, "always B": {"accuracy": 0.25}})
    >>> figures["accuracy"], figures.to_dict()["items"]
    (0.5, 2)
    """

    items: int
    of: Mapping[str, Mapping[str, float]]
    confusion: tuple[tuple[int, ...], ...] = ()
    labels: tuple[str, ...] = field(default=())

    def __getitem__(self, name: str) -> float:
        """One of the model's own figures."""
        return self.of[MODEL][name]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data, for a file or `Checkpoint.figures`."""
        return asdict(self)

    def to_table(self) -> Table:
        """The figures, a row for each who foretold: print it with rich."""
        names = list(dict.fromkeys(name for row in self.of.values() for name in row))
        table = Table("", title=f"{self.items:,} measured")
        for name in names:
            table.add_column(name, justify="right")
        for who, row in self.of.items():
            table.add_row(who, *(f"{row[name]:.4g}" if name in row else "" for name in names))
        return table

    def to_confusion_table(self) -> Table:
        """How many of each class were taken for which: a row for each true class."""
        table = Table("", title="taken for")
        for label in self.labels:
            table.add_column(label, justify="right")
        for label, row in zip(self.labels, self.confusion, strict=True):
            table.add_row(label, *map(str, row))
        return table
