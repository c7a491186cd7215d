"""A model of piano rolls on piano rolls."""

from __future__ import annotations

from sluice.report.evaluation.evaluation_report import EvaluationReport
from sluice.report.evaluation.settings import EvaluationSettings
from sluice.report.model_data import load_model_data
from sluice.report.seen_data import describe_seen_data
from sluice.sequence import BucketBatches, Checkpoint, evaluate

_BATCH = 32


def evaluate_chords(
    checkpoint: Checkpoint, data: str, settings: EvaluationSettings
) -> EvaluationReport:
    """Nats per step and frame accuracy, beside the keys of the step before."""
    given = load_model_data(checkpoint, data)
    metrics = evaluate(checkpoint.model, BucketBatches(given.sequences, _BATCH, seed=0))
    notes = [f"{data}: {len(given)} pieces, {metrics.items:,} steps.", *filter(None, [given.note])]
    notes += describe_seen_data(checkpoint, given)
    return EvaluationReport(type(checkpoint.model).__name__, data, metrics.to_score_tables(), notes)
