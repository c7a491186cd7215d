"""The result of an evaluation, as numbers and as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from rich.table import Table

MODEL = "model"


@dataclass(frozen=True)
class Metrics:
    """The metrics of a model, beside those of baselines.

    Attributes:
        items: the number of tokens, labels, values or steps.
        by_method: the metrics by name, of the model and of each baseline; some may be missing.
        confusion: counts of true (row) and predicted (column) classes.
        labels: the names of the classes.

    >>> metrics = Metrics(2, {"model": {"accuracy": 0.5}, "always B": {"accuracy": 0.25}})
    >>> metrics["accuracy"], metrics.to_dict()["items"]
    (0.5, 2)
    """

    items: int
    by_method: Mapping[str, Mapping[str, float]]
    confusion: tuple[tuple[int, ...], ...] = ()
    labels: tuple[str, ...] = field(default=())

    def __getitem__(self, name: str) -> float:
        """A metric of the model."""
        return self.by_method[MODEL][name]

    def to_dict(self) -> dict[str, object]:
        """All of it as plain data, for a file or `Checkpoint.metadata`."""
        return asdict(self)

    def to_table(self) -> Table:
        """The metrics, a row for each method: print it with rich."""
        names = list(dict.fromkeys(name for row in self.by_method.values() for name in row))
        table = Table("", title=f"{self.items:,} measured")
        for name in names:
            table.add_column(name, justify="right")
        for who, row in self.by_method.items():
            table.add_row(who, *(f"{row[name]:.4g}" if name in row else "" for name in names))
        return table

    def to_confusion_table(self) -> Table:
        """The confusion matrix: a row for each true class."""
        table = Table("", title="taken for")
        for label in self.labels:
            table.add_column(label, justify="right")
        for label, row in zip(self.labels, self.confusion, strict=True):
            table.add_row(label, *map(str, row))
        return table
