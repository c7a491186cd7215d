"""A model of series on a table, at rolling origins."""

from __future__ import annotations

from sluice.report.evaluation.evaluation_report import EvaluationReport
from sluice.report.evaluation.settings import EvaluationSettings
from sluice.sequence import Checkpoint
from sluice.sequence.forecasting import evaluate_forecasts
from sluice.sequence.forecasting.evaluation import HELD_OUT
from sluice.sequence.model_series import load_model_series

_SEEN = (
    "These are the data that the model was trained on: scores on rows that it has seen are too "
    "good. A training keeps the last tenth of each series from the model unless it was asked for "
    "another part."
)


def evaluate_values(
    checkpoint: Checkpoint, data: str, settings: EvaluationSettings
) -> EvaluationReport:
    """MAE, RMSE, MASE, CRPS and coverage, beside naive and linear forecasts."""
    series = load_model_series(checkpoint, data)
    scores = evaluate_forecasts(
        checkpoint,
        series,
        held_out=HELD_OUT if settings.held_out is None else settings.held_out,
        origins=settings.origins,
        stride=settings.stride,
        period=settings.period,
    )
    notes = [series.report(), *scores.notes]
    if checkpoint.data_fingerprint and checkpoint.data_fingerprint == series.fingerprint():
        notes.append(_SEEN)
    kind = type(checkpoint.model).__name__
    return EvaluationReport(kind, data, scores.to_score_tables(), notes)
