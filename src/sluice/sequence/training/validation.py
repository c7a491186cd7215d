"""The mean loss of a model over data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import nn

from sluice.errors import SluiceError
from sluice.sequence.batch import Batch, BatchSource, ModelState, TrainableModel
from sluice.sequence.batching.bucketed import BucketBatches
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import evaluation_mode
from sluice.sequence.training.processes import ProcessGroup


class EvaluationInterruptedError(SluiceError):
    """A stop was requested during evaluation."""


def compute_loss_per_token(
    model: nn.Module, sequences: Sequence[Sequence[int]], batch_size: int = 64
) -> float:
    """Mean cross-entropy in nats per token, `END` included, in evaluation mode."""
    return compute_loss(model, BucketBatches(sequences, batch_size, seed=0))


def compute_loss(
    model: nn.Module,
    source: BatchSource,
    *,
    group: ProcessGroup | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> float:
    """The loss per item over a source's epoch 0, in evaluation mode.

    Args:
        model: a `TrainableModel`.
        source: if it is stateful, the state is carried over.
        group: the processes that share the work; None for this one alone.
        should_stop: called before every batch.

    Raises:
        SequenceError: a source without a single item.
        EvaluationInterruptedError: `should_stop()` was true.

    >>> from sluice.sequence import LanguageModel, LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> 1.5 < compute_loss(model, BucketBatches([[3, 4], [5]], batch_size=2, seed=0)) < 3
    True
    """
    group = group or ProcessGroup()
    total, items = 0.0, 0
    state: ModelState = None
    with evaluation_mode(model):
        for batch in source.batches(0):
            if group.all_reduce_sum(should_stop())[0]:
                raise EvaluationInterruptedError
            loss, state = cast(TrainableModel, model).loss(_take_shard(batch, model, group), state)
            state = state if source.stateful else None
            if group.has_shard(batch):
                total, items = total + loss.total.item(), items + loss.items
    total, count = group.all_reduce_sum(total, items)
    if not count:
        raise SequenceError("The validation data has nothing to predict; add more.")
    return total / count


def _take_shard(batch: Batch, model: nn.Module, group: ProcessGroup) -> Batch:
    return group.shard(batch).to(device_of(model))


def device_of(model: nn.Module) -> torch.device:
    """The device of a model's weights."""
    return next(model.parameters()).device
