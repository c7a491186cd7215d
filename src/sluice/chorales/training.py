"""Training a biaxial model on pieces in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sluice.chorales.batches import RollBatches
from sluice.chorales.corpus import ChoraleSplit
from sluice.chorales.models import require_clock
from sluice.chorales.roll import CLOCK_WIDTH, Roll
from sluice.files import StrPath
from sluice.insight import Monitor
from sluice.sequence import Checkpoint, Progress, TrainingConfig, TrainingResult
from sluice.sequence import train as train_sequences
from sluice.sequence.errors import DataError
from sluice.sequence.models.base import evaluation_mode
from sluice.sequence.models.biaxial import (
    BiaxialConfig,
    BiaxialModel,
    compute_sounding_losses,
)
from sluice.sequence.models.model_memory import build_model


@dataclass(frozen=True)
class ChoraleModelConfig:
    """The sizes of a model of chorales, and how many windows of how many steps a batch holds."""

    hidden_size: int = 128
    num_layers: int = 2
    note_hidden_size: int = 64
    note_layers: int = 2
    descending: bool = False
    dropout: float = 0.2
    batch_size: int = 4
    window: int = 64
    cell: str = "lstm"


def make_training_config(
    seconds: float | None = None, epochs: float | None = None, seed: int = 0
) -> TrainingConfig:
    """The training configuration: `seconds` long, or `epochs` times over the data.

    Raises:
        SequenceError: a budget that is missing or not positive.
    """
    return TrainingConfig(
        seconds=seconds, epochs=epochs, seed=seed, learning_rate=0.005, validations=8
    )


def make_model(split: ChoraleSplit, config: ChoraleModelConfig, seed: int = 0) -> BiaxialModel:
    """An untrained model with the notes that the pieces use, of whatever part."""
    rolls = [*split.training, *split.validation, *split.test]
    spans = [span for span in (roll.span for roll in rolls) if span[0] <= span[1]]
    if not spans:
        raise DataError("The pieces hold no notes; give others.")
    low, high = min(span[0] for span in spans), max(span[1] for span in spans)
    torch.manual_seed(seed)
    return build_model(
        BiaxialModel,
        BiaxialConfig(
            features=high - low + 1,
            lowest=low,
            clock=CLOCK_WIDTH,
            strikes=all(roll.strikes for roll in rolls),
            hidden_size=config.hidden_size,
            num_layers=config.num_layers,
            note_hidden_size=config.note_hidden_size,
            note_layers=config.note_layers,
            descending=config.descending,
            dropout=config.dropout,
            cell=config.cell,
        ),
    )


def train(
    split: ChoraleSplit,
    checkpoint: StrPath,
    config: TrainingConfig,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    model_config: ChoraleModelConfig | None = None,
    metadata: Mapping[str, Any] | None = None,
    folder: StrPath | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    monitor: Callable[[nn.Module], Monitor] | None = None,
) -> TrainingResult:
    """Train a model and write its best weights to the file `checkpoint`.

    Training reads windows of pieces, at every epoch cut elsewhere and in other keys; validation
    reads whole pieces in their own.

    Args:
        split: the pieces.
        checkpoint: the file, written whole at every new lowest validation loss.
        config: as for `sluice.sequence.train`.
        on_progress: called as by `sluice.sequence.train`.
        model_config: the sizes; default `ChoraleModelConfig()`.
        metadata: more to be written into the file.
        folder, resume, tensorboard, monitor: as for `sluice.sequence.train`.

    Raises:
        SequenceError: a loss that is not finite.
        OSError: the file cannot be written.
    """
    shape = model_config or ChoraleModelConfig()
    model = make_model(split, shape, config.seed)
    first = split.training[0]
    facts = {
        "grid": first.grid,
        "is_metered": all(roll.is_metered for roll in split.training),
        **(metadata or {}),
    }
    fingerprint = split.fingerprint()

    def save_best(loss: float) -> None:
        Checkpoint(
            model,
            metadata={**facts, "validation": loss},
            columns=name_columns(model),
            data_fingerprint=fingerprint,
        ).save(checkpoint)

    training = _make_batches(
        model, split.training, shape.batch_size, config.seed, steps=shape.window, transposes=True
    )
    return train_sequences(
        model,
        training,
        _make_batches(model, split.validation, 8, 0),
        config,
        folder=folder,
        resume=resume,
        fingerprint=fingerprint,
        tensorboard=tensorboard,
        monitor=monitor,
        on_progress=on_progress,
        on_best=save_best,
    )


def name_columns(model: BiaxialModel) -> tuple[str, ...]:
    """The MIDI numbers of a model's notes, as the columns of its file."""
    first = model.config.lowest
    return tuple(str(pitch) for pitch in range(first, first + model.config.features))


def _make_batches(
    model: BiaxialModel,
    rolls: tuple[Roll, ...],
    batch_size: int,
    seed: int,
    *,
    steps: int | None = None,
    transposes: bool = False,
) -> RollBatches:
    require_clock(model)
    low = model.config.lowest
    high = low + model.config.features - 1
    return RollBatches(rolls, low, high, batch_size, seed, steps, transposes, model.config.strikes)


def compute_nats_per_step(model: BiaxialModel, rolls: tuple[Roll, ...]) -> dict[str, float]:
    """The negative log-likelihood of whole pieces, in nats a time step.

    "notes" is that of silent, held or struck notes; "sounding" that of notes that sound or do
    not, which is what the literature on piano rolls reports. The first step of a piece counts;
    it is predicted from silence. A mean over all steps of all pieces.
    """
    totals, steps = {"notes": 0.0, "sounding": 0.0}, 0
    with evaluation_mode(model):
        for batch in _make_batches(model, rolls, 8, 0).batches(0):
            found = model.step_losses(batch)
            known = found.items > 0
            roll = batch.targets.nan_to_num()
            sounding = compute_sounding_losses(found.outputs.double(), roll)
            totals["notes"] += float(found.losses.double().sum())
            totals["sounding"] += float(sounding[known].sum())
            steps += int(found.items.sum())
    return {name: total / steps for name, total in totals.items()}
