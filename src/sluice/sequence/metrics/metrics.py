"""The result of an evaluation, as numbers and as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from sluice.sequence.metrics.fitted_table import FittedTable
from sluice.sequence.metrics.score_table import Score, ScoreTable
from sluice.sequence.metrics.scores import average_class_scores, compute_class_scores

MODEL = "model"
_MANY_CLASSES, _LISTED = 12, 20


@dataclass(frozen=True)
class Metrics:
    """The metrics of a model, beside those of baselines.

    Attributes:
        items: the number of tokens, labels, values or steps.
        by_method: the metrics by name, of the model and of each baseline; some may be missing.
        confusion: counts of true (row) and predicted (column) classes.
        labels: the names of the classes.
        by_step: the metrics of a forecast by step ahead, or by ranges of steps.

    >>> metrics = Metrics(2, {"model": {"accuracy": 0.5}, "always B": {"accuracy": 0.25}})
    >>> metrics["accuracy"], metrics.to_dict()["items"]
    (0.5, 2)
    """

    items: int
    by_method: Mapping[str, Mapping[str, float]]
    confusion: tuple[tuple[int, ...], ...] = ()
    labels: tuple[str, ...] = field(default=())
    by_step: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        """A metric of the model."""
        return self.by_method[MODEL][name]

    def to_dict(self) -> dict[str, object]:
        """All of it as plain data, for a file or `Checkpoint.metadata`."""
        return asdict(self)

    def to_table(self) -> FittedTable:
        """The metrics, a row for each method: print it with rich."""
        return self._score_methods().to_table()

    def to_confusion_table(self) -> FittedTable:
        """The confusion matrix: a row for each true class."""
        return self._count_confusions().to_table()

    def to_score_tables(self) -> tuple[ScoreTable, ...]:
        """The metrics by method; of labels also the scores of each class, and the
        confusion; of forecasts the scores by step ahead.

        With many classes the most frequent confusions are listed too.
        """
        if not self.confusion:
            steps = (self._score_steps(),) if self.by_step else ()
            return self._score_methods(), *steps
        many = (self._list_confusions(),) if len(self.labels) > _MANY_CLASSES else ()
        return self._score_methods(), self._score_classes(), *many, self._count_confusions()

    def _score_methods(self) -> ScoreTable:
        return _tabulate("scores", "method", self.by_method, f"{self.items:,} measured")

    def _score_steps(self) -> ScoreTable:
        """Without RMSE and MASE, and of all intervals the widest but one, so that it fits."""
        widths = [
            name for name in next(iter(self.by_step.values())) if name.startswith("width of ")
        ]
        share = widths[-2:][0].removeprefix("width of ") if widths else ""
        names = ("MAE", "CRPS", f"in {share}", f"width of {share}")
        shown = {
            step: {name: row[name] for name in names if name in row}
            for step, row in self.by_step.items()
        }
        return _tabulate("by step ahead", "step", shown)

    def _score_classes(self) -> ScoreTable:
        scores = compute_class_scores(self.confusion, self.labels)
        columns = ("class", "precision", "recall", "F1", "support")
        return ScoreTable("by class", columns, (*scores, *average_class_scores(scores)))

    def _list_confusions(self) -> ScoreTable:
        found = [
            (count, true, predicted)
            for true, row in zip(self.labels, self.confusion, strict=True)
            for predicted, count in zip(self.labels, row, strict=True)
            if count and true != predicted
        ]
        found.sort(key=lambda one: -one[0])
        rows = tuple((true, predicted, count) for count, true, predicted in found[:_LISTED])
        return ScoreTable("confusions", ("class", "taken for", "times"), rows)

    def _count_confusions(self) -> ScoreTable:
        rows: tuple[tuple[Score, ...], ...] = tuple(
            (label, *row) for label, row in zip(self.labels, self.confusion, strict=True)
        )
        return ScoreTable("confusion", ("class", *self.labels), rows, "taken for")


def _tabulate(
    name: str, first: str, figures: Mapping[str, Mapping[str, float]], title: str = ""
) -> ScoreTable:
    names = tuple(dict.fromkeys(name for row in figures.values() for name in row))
    rows: tuple[tuple[Score, ...], ...] = tuple(
        (who, *(row.get(name) for name in names)) for who, row in figures.items()
    )
    return ScoreTable(name, (first, *names), rows, title)
