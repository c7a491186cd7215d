"""Scores of texts that a model of pairs generates, beside the targets."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.extras import MissingExtraError
from sluice.sequence.errors import SequenceError

_BLEU_WORDS = 4


def score_outputs(outputs: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """chrF (Popović 2015) and BLEU (Papineni et al. 2002) of outputs, each beside one target.

    Both are of all texts together, from 0 to 100, by the library sacrebleu (Post 2018) with its
    defaults: chrF of 6 characters without blanks, BLEU with the tokenization 13a. BLEU counts runs
    of four words: it is left out where most targets are shorter.

    Raises:
        SequenceError: not one output per target, or none.
        MissingExtraError: sacrebleu is not installed.

    >>> score_outputs(["the cat sat"], ["the cat sat"])
    {'chrF': 100.0}
    """
    if len(outputs) != len(targets) or not outputs:
        raise SequenceError(
            f"Scores need an output for each of {len(targets)} targets, got {len(outputs)}."
        )
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise MissingExtraError("sacrebleu", "pairs") from None
    texts, references = list(outputs), [list(targets)]
    scores = {"chrF": CHRF().corpus_score(texts, references).score}
    if 2 * sum(len(target.split()) >= _BLEU_WORDS for target in targets) >= len(targets):
        scores["BLEU"] = BLEU().corpus_score(texts, references).score
    return scores
