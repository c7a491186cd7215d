"""What a language model generates when it is cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sluice.report.ablation import Intervention
from sluice.report.domains import find_domain_of_vocabulary
from sluice.sequence import Checkpoint, Sampling, generate, log_likelihood


class Continuation(NamedTuple):
    """What a model generates from one seed under an intervention.

    Attributes:
        label: the intervention; ``"whole"`` for the model as it is.
        tokens: what it generated.
        differs: the place of the first token that differs from the whole model's, from 0; None
            where there is none.
        loss: of the whole model on it, nats per token, its end included where it ended.
        statistics: figures of the tokens where their domain has any, such as a tune's.
    """

    label: str
    tokens: list[str]
    differs: int | None
    loss: float
    statistics: dict[str, float]


def generate_continuations(
    checkpoint: Checkpoint, interventions: Iterable[Intervention], seed: int, length: int
) -> list[Continuation]:
    """What the whole model generates from a seed, then what it generates under each intervention.

    The random numbers are the same each time, so every difference is due to the intervention.

    Args:
        checkpoint: a `LanguageModel` and its vocabulary.
        interventions: what is done to it, one at a time.
        seed: of the random numbers.
        length: the maximum number of tokens; a sequence of as many is cut off and has no end.

    Raises:
        SequenceError: a negative seed, or a length below 1.
    """
    model = checkpoint.model
    sampling = Sampling(max_length=length)
    (whole,) = generate(model, [seed], sampling=sampling)
    drawn = [("whole", whole)]
    for cut in interventions:
        with cut.apply(model):
            drawn += [(str(cut), generate(model, [seed], sampling=sampling)[0])]
    domain = find_domain_of_vocabulary(checkpoint.vocabulary)
    found = []
    for label, ids in drawn:
        tokens = checkpoint.vocabulary.decode(ids)
        statistics = dict(domain.compute_statistics(tokens)) if domain else {}
        has_ended = len(ids) < length
        nats = -float(log_likelihood(model, [ids], include_end=has_ended)[0])
        loss = nats / (len(ids) + has_ended)
        found.append(
            Continuation(label, tokens, find_first_difference(whole, ids), loss, statistics)
        )
    return found


def find_first_difference(first: Sequence[int], second: Sequence[int]) -> int | None:
    """Where two sequences part; None where they do not.

    >>> find_first_difference([5, 6, 7], [5, 6]), find_first_difference([5], [5])
    (2, None)
    """
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return None if len(first) == len(second) else min(len(first), len(second))
