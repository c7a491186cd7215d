"""A classifier or tagger on labelled data."""

from __future__ import annotations

from sluice.report.evaluation.evaluation_report import EvaluationReport
from sluice.report.evaluation.settings import EvaluationSettings
from sluice.report.label_predictions import predict_labels
from sluice.sequence import Checkpoint, DataError


def evaluate_labels(
    checkpoint: Checkpoint, data: str, settings: EvaluationSettings
) -> EvaluationReport:
    """Accuracy, F1, nats per label and Brier score; by class; the confusion matrix."""
    predictions = predict_labels(checkpoint, data, unknown_labels=False)
    if not predictions.has_labels:
        raise DataError(f"{data} has no labels to compare with; `sluice predict` needs none")
    tables = predictions.compute_metrics().to_score_tables()
    return EvaluationReport(type(checkpoint.model).__name__, data, tables, predictions.notes)
