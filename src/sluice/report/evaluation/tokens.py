"""A language model on text, tunes or other tokens."""

from __future__ import annotations

from sluice.report.evaluation.evaluation_report import EvaluationReport
from sluice.report.evaluation.known_steps import KnownSteps
from sluice.report.evaluation.settings import EvaluationSettings
from sluice.report.model_data import ModelData, load_model_data
from sluice.report.seen_data import describe_seen_data
from sluice.sequence import (
    BatchSource,
    BucketBatches,
    Checkpoint,
    DataError,
    StreamBatches,
    evaluate,
)
from sluice.sequence.data.report import pluralize

_BATCH, _CHUNK = 32, 256
_STREAM = 4_000
"""Steps of a stream at least: each but the first begins without what stands before it."""


def evaluate_tokens(
    checkpoint: Checkpoint, data: str, settings: EvaluationSettings
) -> EvaluationReport:
    """Nats per token, perplexity and, for text, bits per character, beside n-grams."""
    given = load_model_data(checkpoint, data)
    assert given.ids is not None
    known = KnownSteps.of(given.ids, whole=not given.is_stream)
    if not known.lengths.sum():
        raise DataError(
            f"the model knows no two tokens in a row of {data}; give data of the kind it was "
            "trained on"
        )
    metrics = evaluate(
        checkpoint.model,
        _make_batches(given, known),
        characters=known.count_characters(checkpoint.vocabulary),
    )
    noun = "text" if given.is_stream else "sequence"
    notes = [
        f"{data}: {pluralize(len(given), noun)}, {metrics.items:,} tokens predicted, ends included."
    ]
    if known.unknown:
        what = "tokens" if given.is_stream else "sequences with tokens"
        notes.append(f"{known.unknown:,} {what} that the model does not know were left out.")
    notes += describe_seen_data(checkpoint, given)
    return EvaluationReport(type(checkpoint.model).__name__, data, metrics.to_score_tables(), notes)


def _make_batches(given: ModelData, known: KnownSteps) -> BatchSource:
    if not given.is_stream:
        return BucketBatches(known, _BATCH, seed=0)
    streams = max(1, min(_BATCH, int(known.lengths.sum()) // _STREAM))
    return StreamBatches(known, streams, _CHUNK, seed=0)
