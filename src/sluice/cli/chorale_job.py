"""The training of a model of several voices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.cli.errors import fail
from sluice.cli.options import value_or
from sluice.cli.training_job import MonitorFactory, RefuseUnused, TrainingJob

if TYPE_CHECKING:
    from sluice.cli.train_options import TrainOptions
    from sluice.sequence import Progress, TrainingResult


def build_chorale_job(
    options: TrainOptions, checkpoint: Path, refuse_unused: RefuseUnused
) -> TrainingJob:
    """Bach's chorales, or a user's files of MusicXML, MIDI or piano rolls."""
    from sluice.chorales import corpus, training

    refuse_unused("voices")
    for name, option in (("base", "--from"), ("bptt", "--bptt"), ("precision", "--precision")):
        if getattr(options, name) is not None:
            fail(f"{option} does not apply to chorales; leave it out")
    collection = corpus.load_chorales(options.corpus or None)
    split = corpus.split_chorales(collection)
    usual = training.ChoraleModelConfig()
    shape = replace(
        usual,
        hidden_size=value_or(options.hidden, usual.hidden_size),
        num_layers=value_or(options.layers, usual.num_layers),
        dropout=value_or(options.dropout, usual.dropout),
        batch_size=value_or(options.batch, usual.batch_size),
        window=value_or(options.seq_len, usual.window),
        cell=value_or(options.cell, usual.cell),
    )
    config = options.build_config(training.make_training_config(seconds=1.0))

    def train(
        *,
        folder: Path,
        resume: bool,
        tensorboard: bool,
        monitor: MonitorFactory | None,
        on_progress: Callable[[Progress], None],
    ) -> TrainingResult:
        return training.train(
            split,
            checkpoint,
            config,
            model_config=shape,
            folder=folder,
            resume=resume,
            tensorboard=tensorboard,
            monitor=monitor,
            on_progress=on_progress,
        )

    return TrainingJob(
        f"{collection.load_report.to_text()}\n{split.report()}",
        config,
        "nats per step",
        train,
        split.fingerprint(),
        suggestion=f"To compose: sluice compose --voices --checkpoint {checkpoint}",
    )
