"""What identifies a model together with the way in which it composes."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256

import torch

from sluice.sequence import Checkpoint

RECIPE_VERSION = 2
"""One higher with every change after which a seed gives another tune from the same weights: of
sampling, seeds, spelling, grammars, plans, keys, octaves or titles."""


def compute_fingerprint(checkpoint: Checkpoint) -> str:
    """The SHA-256 of weights, sizes, vocabulary, precision, counts of tunes and recipe version.

    It is the same after saving (without compression) and loading, on any machine.
    """
    model = checkpoint.model
    description = {
        "recipe": RECIPE_VERSION,
        "config": asdict(model.config),
        "precision": model.layers.precision,
        "vocabulary": checkpoint.vocabulary.tokens,
        "counts": [checkpoint.metadata.get(name, {}) for name in ("counts", "endings")],
    }
    found = sha256(json.dumps(description, sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        found.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        found.update(values.reshape(-1).view(torch.uint8).numpy().astype("<u1").data)
    return found.hexdigest()
