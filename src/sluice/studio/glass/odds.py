"""The odds of the next token: what the model prefers, what the grammar forbids, what is drawn."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from sluice.sequence.generation.generation_recording import GenerationRecording

NUM_LIKELIEST = 5
"""Tokens whose odds are shown at every step."""


def pack_odds(recording: GenerationRecording) -> dict[str, NDArray[Any]]:
    """The arrays of the odds.

    Args:
        recording: with the odds of the whole vocabulary at every step.

    Returns:
        ``odds.tokens`` (time, 5), the likeliest before the grammar; ``odds.model``, the model's
        probability of each; ``odds.sampled``, the probability with which it could be drawn, after
        grammar and temperature; ``odds.forbidden``, 1 where the grammar forbids it. Of the token
        that was drawn ``drawn`` (time,), ``drawn.model`` and ``drawn.sampled``. ``forbidden.share``
        is what all that the grammar forbids has of the model's probability, ``allowed.count`` how
        many tokens it allows.
    """
    order, ids = recording.likeliest, recording.ids
    place = (order == ids[:, None]).double().argmax(dim=1, keepdim=True)
    allowed = recording.allowed.gather(1, order)
    model, sampled = recording.probabilities, recording.sampling_probabilities
    shown = slice(None, NUM_LIKELIEST)
    return {
        "odds.tokens": order[:, shown].to(torch.uint16).numpy(),
        "odds.model": model[:, shown].float().numpy(),
        "odds.sampled": sampled[:, shown].float().numpy(),
        "odds.forbidden": (~allowed[:, shown]).to(torch.uint8).numpy(),
        "drawn": ids.to(torch.uint16).numpy(),
        "drawn.model": model.gather(1, place)[:, 0].float().numpy(),
        "drawn.sampled": sampled.gather(1, place)[:, 0].float().numpy(),
        "forbidden.share": (model * ~allowed).sum(dim=1).float().numpy(),
        "allowed.count": allowed.sum(dim=1).to(torch.uint16).numpy(),
    }
