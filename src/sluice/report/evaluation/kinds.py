"""Which evaluation each kind of model has: the one place to add another."""

from __future__ import annotations

from collections.abc import Callable

from sluice.files import StrPath
from sluice.report.evaluation.chords import evaluate_chords
from sluice.report.evaluation.evaluation_report import EvaluationReport
from sluice.report.evaluation.labels import evaluate_labels
from sluice.report.evaluation.pairs import evaluate_pairs
from sluice.report.evaluation.settings import EvaluationSettings
from sluice.report.evaluation.tokens import evaluate_tokens
from sluice.report.evaluation.values import evaluate_values
from sluice.sequence import Checkpoint, DataError, LanguageModel
from sluice.sequence.models import (
    ChoraleModel,
    Classifier,
    Forecaster,
    PairModel,
    SequenceModel,
    Tagger,
)

Evaluator = Callable[[Checkpoint, str, EvaluationSettings], EvaluationReport]

_EVALUATORS: dict[type[SequenceModel], Evaluator] = {
    LanguageModel: evaluate_tokens,
    Classifier: evaluate_labels,
    Tagger: evaluate_labels,
    Forecaster: evaluate_values,
    ChoraleModel: evaluate_chords,
    PairModel: evaluate_pairs,
}


def evaluate_model(
    checkpoint: Checkpoint, data: StrPath, settings: EvaluationSettings | None = None
) -> EvaluationReport:
    """Judge a trained model on a file, read as its training read its own, beside baselines.

    ==========================  ===============================================================
    `LanguageModel`             nats per token, perplexity, bits per character
    `Classifier`, `Tagger`      accuracy, F1, nats per label, Brier score; by class; confusion
    `Forecaster`                MAE, RMSE, MASE
    `ChoraleModel`              nats per step, frame accuracy
    `PairModel`                 nats per token, exact outputs
    ==========================  ===============================================================

    Args:
        checkpoint: the model, from `Checkpoint.load`.
        data: a file or folder, or the name of a domain for its own collection.
        settings: what a kind of model may need.

    Raises:
        DataError: data that cannot be read, have other columns or labels, or nothing to predict.
        SequenceError: a setting outside its range.
    """
    for kind, evaluate in _EVALUATORS.items():
        if isinstance(checkpoint.model, kind):
            return evaluate(checkpoint, str(data), settings or EvaluationSettings())
    raise DataError(f"There is no evaluation for a {type(checkpoint.model).__name__}.")
