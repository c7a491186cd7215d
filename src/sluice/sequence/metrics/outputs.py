"""Scores of texts that a model of pairs generates, beside the targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sluice.extras import MissingExtraError
from sluice.sequence.errors import SequenceError

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

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
    names = ["chrF"]
    if 2 * sum(len(target.split()) >= _BLEU_WORDS for target in targets) >= len(targets):
        names.append("BLEU")
    texts, references = list(outputs), [list(targets)]
    return {name: _make_metric(name).corpus_score(texts, references).score for name in names}


def find_signatures(names: Iterable[str]) -> dict[str, str]:
    """sacrebleu's signature of each of these scores: the version and settings that it depends on.

    Raises:
        MissingExtraError: sacrebleu is not installed.

    >>> find_signatures(["BLEU"])["BLEU"].partition("|version")[0]
    'nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp'
    """
    found = {}
    for name in names:
        metric = _make_metric(name)
        metric.corpus_score(["a"], [["a"]])  # it is known once something was scored
        found[name] = str(metric.get_signature())
    return found


def _make_metric(name: str) -> Metric:
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise MissingExtraError("sacrebleu", "pairs") from None
    metric: Metric = {"BLEU": BLEU, "chrF": CHRF}[name]()
    return metric
