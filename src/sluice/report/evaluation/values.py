"""A model of series on a table."""

from __future__ import annotations

from sluice.report.evaluation.evaluation_report import EvaluationReport
from sluice.report.evaluation.settings import EvaluationSettings
from sluice.report.model_data import load_model_data
from sluice.sequence import BucketBatches, Checkpoint, evaluate

_BATCH = 32


def evaluate_values(
    checkpoint: Checkpoint, data: str, settings: EvaluationSettings
) -> EvaluationReport:
    """MAE, RMSE and MASE, beside naive forecasts."""
    given = load_model_data(checkpoint, data)
    source = BucketBatches(given.sequences, _BATCH, seed=0)
    metrics = evaluate(checkpoint.model, source, period=settings.period)
    notes = [f"{data}: {len(given)} series.", *filter(None, [given.note])]
    return EvaluationReport(type(checkpoint.model).__name__, data, metrics.to_score_tables(), notes)
