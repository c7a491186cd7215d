"""The mean loss of a model over data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import nn

from sluice.sequence.batch import Batch, Learner, Source
from sluice.sequence.batches import Bucketed
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import evaluating
from sluice.sequence.training.processes import Group


class Abandoned(Exception):
    """Somebody asked to end while data was being measured."""


def loss_per_token(
    model: nn.Module, sequences: Sequence[Sequence[int]], batch_size: int = 64
) -> float:
    """Mean cross-entropy in nats of every next token, ends included, in evaluation mode."""
    return evaluate(model, Bucketed(sequences, batch_size, seed=0))


def evaluate(
    model: nn.Module,
    source: Source,
    *,
    group: Group | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> float:
    """The loss per item over a source's epoch 0, in evaluation mode.

    Args:
        model: a `Learner`.
        source: where it carries, so does the state.
        group: the processes that share the work, if there are several.
        stopped: asked before every batch.

    Raises:
        SequenceError: a source without a single item.
        Abandoned: `stopped()` was true.

    >>> from sluice.sequence import LanguageModel, ModelConfig
    >>> model = LanguageModel(ModelConfig(vocabulary_size=9, hidden_size=8))
    >>> 1.5 < evaluate(model, Bucketed([[3, 4], [5]], batch_size=2, seed=0)) < 3
    True
    """
    group = group or Group()
    total, items, state = 0.0, 0, None
    with evaluating(model):
        for batch in source.batches(0):
            if group.sum(stopped())[0]:
                raise Abandoned
            loss, state = cast(Learner, model).loss(_mine(batch, model, group), state)
            state = state if source.carries else None
            if group.counts(batch):
                total, items = total + loss.total.item(), items + loss.items
    total, count = group.sum(total, items)
    if not count:
        raise SequenceError("The validation data holds nothing to predict; give it more.")
    return total / count


def _mine(batch: Batch, model: nn.Module, group: Group) -> Batch:
    return group.share(batch).to(device_of(model))


def device_of(model: nn.Module) -> torch.device:
    """Where a model's weights are."""
    found: Any = next(model.parameters())
    return cast(torch.device, found.device)
