"""A classifier or tagger on labelled data."""

from __future__ import annotations

from sluice.report.evaluation.evaluation_report import EvaluationReport
from sluice.report.evaluation.settings import EvaluationSettings
from sluice.report.model_data import load_model_data
from sluice.sequence import BucketBatches, Checkpoint, DataError, evaluate

_BATCH = 32


def evaluate_labels(
    checkpoint: Checkpoint, data: str, settings: EvaluationSettings
) -> EvaluationReport:
    """Accuracy, F1, nats per label and Brier score; by class; the confusion matrix."""
    given = load_model_data(checkpoint, data)
    if not given.has_targets:
        raise DataError(f"{data} has no labels to compare with; `sluice predict` needs none")
    source = BucketBatches(cut_as_trained(checkpoint, given.sequences), _BATCH, seed=0)
    metrics = evaluate(
        checkpoint.model,
        source,
        labels=checkpoint.labels,
        class_counts=get_class_counts(checkpoint),
    )
    notes = [f"{data}: {len(given)} sequences.", *filter(None, [given.note])]
    return EvaluationReport(type(checkpoint.model).__name__, data, metrics.to_score_tables(), notes)
