"""A model of pairs on pairs of texts."""

from __future__ import annotations

from sluice.report.evaluation.evaluation_report import EvaluationReport
from sluice.report.evaluation.settings import EvaluationSettings
from sluice.report.held_out import load_held_out
from sluice.sequence import Checkpoint, evaluate


def evaluate_pairs(
    checkpoint: Checkpoint, data: str, settings: EvaluationSettings
) -> EvaluationReport:
    """Nats per token and perplexity."""
    judged = load_held_out(checkpoint, data, 1 << 62)
    metrics = evaluate(checkpoint.model, judged)
    skipped = f", {judged.skipped} left out for unknown tokens" if judged.skipped else ""
    notes = [f"{data}: {len(judged.parts)} pairs{skipped}."]
    return EvaluationReport(type(checkpoint.model).__name__, data, metrics.to_score_tables(), notes)
