"""Training: batches in, the weights of the lowest validation loss out."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import nn

from sluice.files import StrPath
from sluice.insight import Monitor
from sluice.insight.monitor.journal import JOURNAL
from sluice.nn.settings import LayerSettings
from sluice.sequence.batch import BatchSource
from sluice.sequence.errors import SequenceError, TrainingDivergedError
from sluice.sequence.training.config import TrainingConfig
from sluice.sequence.training.processes import ProcessGroup, own_folder
from sluice.sequence.training.progress import (
    Progress,
    StopReason,
    TrainingResult,
)
from sluice.sequence.training.reporter import ProgressReporter
from sluice.sequence.training.resume import DATA, hash_sources
from sluice.sequence.training.schedules import ScheduleState
from sluice.sequence.training.signals import StopSignal
from sluice.sequence.training.state_saver import Checkpointer
from sluice.sequence.training.truncation import Chunk, DataPosition, split_into_chunks
from sluice.sequence.training.update import NonFiniteError, Updater
from sluice.sequence.training.validation import EvaluationInterruptedError
from sluice.sequence.training.validator import Validator, write_weights

VALIDATION_SHARE = 0.15
"""Of a budget of time, the part that validations may take; the first and the last always are."""
_STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def train(
    model: nn.Module,
    training: BatchSource,
    validation: BatchSource,
    config: TrainingConfig,
    *,
    folder: StrPath | None = None,
    resume: bool = False,
    fingerprint: str | None = None,
    tensorboard: bool = False,
    monitor: Monitor | Callable[[nn.Module], Monitor] | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_best: Callable[[float], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> TrainingResult:
    """Train `model` in place; it ends with the weights of the lowest validation loss.

    Validation happens `config.validations` times, evenly over the budget, the last time at its
    end. Ctrl-C (and SIGTERM and SIGHUP, for one process) ends training early but cleanly: after the
    current step, with a last validation if there was none before. If `on_progress` raises, a
    checkpoint is saved first (for one process).

    If `torch.distributed` is initialised, every process calls this with the same arguments and
    takes its share of each batch; rank 0 alone writes and reports.

    Args:
        model: a `TrainableModel`.
        training, validation: where batches come from.
        config: how long to train, and how.
        folder: for checkpoints (`last-*.state`, two of them) and `best.safetensors`.
        resume: continue from the last complete checkpoint in `folder`, if there is one, as if the
            run had never been interrupted: with a budget of epochs or steps, bit for bit. The
            budget may be larger than it was, also after the training has ended: the learning rate
            is then that of the new budget, from the step that is reached.
        fingerprint: of the data and of all names that give them meaning; a training is resumed
            with the same alone. If None, it is made of what `training` and `validation` hold.
        tensorboard: also write curves to `folder / "tensorboard"`.
        monitor: looks into the model's layers while it is trained, or the function that makes one
            of the model, such as `sluice.insight.Monitor` itself. What it sees goes to TensorBoard
            too; without a journal of its own it writes `folder / "monitor.jsonl"`.
        on_progress: called after every step.
        on_best: called with each new lowest validation loss, while `model` holds its weights; use
            it to save them in your own format, instead of `best.safetensors`.
        clock: monotonic seconds.

    Raises:
        SequenceError: no batches, or nothing in them to predict; `tensorboard` without a folder.
        TrainingDivergedError: a loss or gradient is NaN or infinite; the message says where it
            began. The model holds the best weights so far.
        CheckpointError: no checkpoint is complete, or it belongs to another config, model or data;
            or, without `resume`, `folder` holds a training that has not ended.
        FolderInUseError: another process trains in `folder`.
        MissingExtraError: `tensorboard` without that library.
        OSError: the folder cannot be written to; what was written before stays valid.

    >>> from sluice.sequence import BucketBatches, LanguageModel, LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> data = BucketBatches([[3, 4, 5], [6, 7]] * 4, batch_size=4, seed=0)
    >>> train(model, data, data, TrainingConfig(epochs=2)).steps
    4
    """
    for name, source in (("training", training), ("validation", validation)):
        if not len(source):
            raise SequenceError(f"The {name} data needs at least one batch, but it has none.")
    folder = None if folder is None else Path(folder)
    if tensorboard and folder is None:
        raise SequenceError("TensorBoard's curves need a folder; give training one.")
    if on_best is None and folder is not None:
        on_best = partial(write_weights, folder, model)
    if folder is not None and fingerprint is None:
        fingerprint = hash_sources(training, validation)
    with own_folder(folder):
        return _Trainer(
            model,
            training,
            validation,
            config,
            folder=folder,
            resume=resume,
            fingerprint=fingerprint,
            curves=folder / "tensorboard" if tensorboard and folder is not None else None,
            monitor=monitor,
            on_progress=on_progress,
            on_best=on_best,
            clock=clock,
        ).run()


class _Trainer:
    """One training from its first step to its last; rank 0 alone calls back and writes."""

    def __init__(
        self,
        model: nn.Module,
        training: BatchSource,
        validation: BatchSource,
        config: TrainingConfig,
        *,
        folder: Path | None,
        resume: bool,
        fingerprint: str | None,
        curves: Path | None,
        monitor: Monitor | Callable[[nn.Module], Monitor] | None,
        on_progress: Callable[[Progress], None],
        on_best: Callable[[float], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self.model, self.training, self.config = model, training, config
        self.group, self.stop_signal = ProcessGroup(), StopSignal()
        is_first = self.group.rank == 0
        torch.manual_seed(config.seed + self.group.rank)
        _set_precision(model, config)
        self.updater = Updater(model, config, self.group)
        self.validator = Validator(
            model, validation, self.group, self.updater.average, on_best if is_first else None
        )
        settings = {
            **config.export_settings(),
            "training batches": len(training),
            "validation batches": len(validation),
            DATA: fingerprint,
        }
        self.checkpointer = Checkpointer(
            folder, config, settings, self.group, training, self.updater, self.validator
        )
        self.state = self.checkpointer.restore(resume=resume)
        self.reporter = ProgressReporter(
            on_progress if is_first else None, curves if is_first else None, self.state.steps
        )
        self.monitor = self._make_monitor(monitor, folder) if is_first else None
        self.clock, self.start_time = clock, clock() - self.state.seconds

    def run(self) -> TrainingResult:
        # Among several processes SIGTERM is how a launcher ends the others when one has died.
        alone = self.group.world_size == 1
        signals = _STOP_SIGNALS if alone else (signal.SIGINT,)
        self.model.train()
        try:
            with self.reporter, self.stop_signal.catch_signals(signals):
                if self.state.best_loss is not None:
                    self.validator.rewrite_best(self.state.best_loss)
                stop_reason = self.state.stop_reason or self._run_steps()
            self._close_monitor(stop_reason)
        except NonFiniteError as error:
            self._close_monitor("diverged")
            raise self._make_divergence_error(error) from None
        finally:
            self.validator.restore_best()
        return self.state.to_result(stop_reason)

    def _make_monitor(
        self, monitor: Monitor | Callable[[nn.Module], Monitor] | None, folder: Path | None
    ) -> Monitor | None:
        if monitor is None:
            return None
        made = monitor if isinstance(monitor, Monitor) else monitor(self.model)
        if made.journal is None and folder is not None:
            made.journal = folder / JOURNAL
        made.subscribe(self.reporter.report_observation)
        made.begin(self.state.steps)
        return made

    def _close_monitor(self, reason: str) -> None:
        if self.monitor is not None:
            self.monitor.close(reason)

    def _run_steps(self) -> StopReason:
        try:
            self._validate_if_due()  # a checkpoint may lie between a step and its validation
            updates = self._iterate_updates()
            while (stop_reason := self._find_stop_reason()) is None:
                self._update_once(next(updates))
                self._report(has_new_validation=self._validate_if_due())
                if self._find_stop_reason() is None and self._should_stop():
                    return self._handle_interrupt()
                self.checkpointer.save_if_due(self.state)
        except EvaluationInterruptedError:
            return self._handle_interrupt()
        self.state.stop_reason = stop_reason
        self.checkpointer.save(self.state)
        return stop_reason

    def _iterate_updates(self) -> Iterator[list[Chunk]]:
        """The chunks of each update, without end."""
        position = DataPosition(self.state.epoch, self.state.batch, self.state.chunk)
        while True:
            yield from self._iterate_epoch(position)
            position = DataPosition(position.epoch + 1)

    def _iterate_epoch(self, position: DataPosition) -> Iterator[list[Chunk]]:
        chunks: list[Chunk] = []
        epoch = position.epoch
        for chunk in split_into_chunks(
            self.training, self.config.bptt_stride, position, self.group
        ):
            chunks.append(chunk)
            epoch = chunk.next_position.epoch
            if len(chunks) == self.config.accumulation_steps or epoch > position.epoch:
                yield chunks
                chunks = []
        if epoch == position.epoch:
            raise SequenceError(
                f"The training data has len() {len(self.training)}, but its batches() gave fewer "
                "batches; the two must agree."
            )

    def _update_once(self, chunks: list[Chunk]) -> None:
        state = self.state
        state.learning_rate = self.config.learning_rate_at(self._compute_schedule_state())
        observe = partial(self.monitor.observe, step=state.steps + 1) if self.monitor else None
        result = self.updater.update(chunks, state.learning_rate, self._measure_seconds, observe)
        state.epoch, state.batch, state.chunk = chunks[-1].next_position
        state.gradient_norm, state.seconds = result.gradient_norm, result.seconds
        state.steps += 1
        state.tokens += result.items
        mean = result.total / max(result.items, 1)
        state.loss = mean if state.steps == 1 else 0.95 * state.loss + 0.05 * mean

    def _validate_if_due(self) -> bool:
        due = math.floor(self._compute_schedule_state().fraction * self.config.validations)
        if due <= self.state.validations:
            return False
        if due < self.config.validations and self._is_too_slow_to_validate():
            self.state.skipped_validations += due - self.state.validations
            self.state.validations = due
            return False
        begun = self._measure_seconds()
        self.validator.validate(
            self.state, self.config.schedule, lambda: self.stop_signal.is_requested
        )
        spent = self.group.all_reduce_sum(self._measure_seconds() - begun)[0]
        self.state.validation_seconds += spent / self.group.world_size
        self.state.measured_validations += 1
        self.state.validations = due
        return True

    def _is_too_slow_to_validate(self) -> bool:
        """Whether this validation and the last one would take more than their share of a time."""
        state, seconds = self.state, self.config.seconds
        if seconds is None or not state.measured_validations:
            return False
        mean = state.validation_seconds / state.measured_validations
        return state.validation_seconds + 2 * mean > VALIDATION_SHARE * seconds

    def _find_stop_reason(self) -> StopReason | None:
        if self.state.validations >= self.config.validations:
            return "budget"
        patience = self.config.patience
        out_of_patience = patience is not None and self.state.stale_validations >= patience
        return "patience" if out_of_patience else None

    def _should_stop(self) -> bool:
        return self.group.all_reduce_sum(self.stop_signal.is_requested)[0] > 0

    def _handle_interrupt(self) -> StopReason:
        """Save a checkpoint, and validate if there is no result yet; that is not in the file."""
        self.checkpointer.save(self.state)
        if self.state.best_loss is None:
            self.validator.validate(self.state, self.config.schedule)
        return "interrupted"

    def _make_divergence_error(self, error: NonFiniteError) -> TrainingDivergedError:
        best = self.state.best_loss
        kept = f"best validation loss {best:.3f}" if best is not None else "none yet"
        return TrainingDivergedError(
            f"The {error.what} after step {self.state.steps}: {error.where}; train again with a "
            f"learning rate below {self.config.learning_rate:g} (weights kept: {kept})."
        )

    def _measure_seconds(self) -> float:
        return self.clock() - self.start_time

    def _compute_schedule_state(self) -> ScheduleState:
        return self.state.compute_schedule_state(self.config, len(self.training))

    def _report(self, *, has_new_validation: bool) -> None:
        schedule = self._compute_schedule_state()
        try:
            self.reporter.report(self.state.to_progress(schedule, has_new_validation))
        except KeyboardInterrupt:
            self.stop_signal.is_requested = True
        except Exception:  # a closed terminal, say
            if self.group.world_size == 1:
                self.checkpointer.save(self.state)
            raise


def _set_precision(model: nn.Module, config: TrainingConfig) -> None:
    for layer in model.modules():
        if config.precision is not None and isinstance(layer, LayerSettings):
            layer.precision = config.precision
