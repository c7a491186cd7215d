"""Training: batches in, the weights of the lowest validation loss out."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from sluice.files import StrPath, remove_temporary_files, require_writable, write_atomically
from sluice.nn.settings import LayerSettings
from sluice.sequence.batch import BatchSource
from sluice.sequence.errors import SequenceError, TrainingDivergedError
from sluice.sequence.training import resume as resuming
from sluice.sequence.training.checkpoints import CheckpointManager
from sluice.sequence.training.config import TrainingConfig
from sluice.sequence.training.processes import ProcessGroup
from sluice.sequence.training.progress import Progress, StopReason, TrainerState, TrainingResult
from sluice.sequence.training.schedules import Plateau, ScheduleState
from sluice.sequence.training.signals import StopSignal
from sluice.sequence.training.truncation import Chunk, DataPosition, split_into_chunks
from sluice.sequence.training.update import NonFiniteError, Updater
from sluice.sequence.training.validation import EvaluationInterruptedError, evaluate

BEST = "best.safetensors"


def train(
    model: nn.Module,
    training: BatchSource,
    validation: BatchSource,
    config: TrainingConfig,
    *,
    folder: StrPath | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_best: Callable[[float], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> TrainingResult:
    """Train `model` in place; it ends with the weights of the lowest validation loss.

    Validation happens `plan.validations` times, evenly over the budget, the last time at its
    end. Ctrl-C (and SIGTERM, for one process) ends training early but cleanly: after the step at
    hand, with a last validation if there was none before.

    Where `torch.distributed` is initialised, every process calls this with the same arguments
    and takes its share of each batch; rank 0 alone writes and reports.

    Args:
        model: a `TrainableModel`.
        training, validation: where batches come from.
        config: how long, and how.
        folder: for checkpoints (`last-*.state`, two of them) and `best.safetensors`.
        resume: go on from the last whole checkpoint in `folder`, if there is one, as if the run
            had never been broken: with a budget of epochs or steps, bit for bit.
        tensorboard: also write curves to `folder / "tensorboard"`.
        on_progress: called after every step.
        on_best: called with each new lowest validation loss, while `model` holds its weights:
            the place to save them in a form of one's own, in place of `best.safetensors`.
        clock: seconds, never going back.

    Raises:
        SequenceError: no batches, or nothing in them to predict.
        TrainingDivergedError: a loss or gradient that is NaN or infinite, with where it began; the
            model holds the best weights so far.
        CheckpointError: nothing to go on from is whole, or it belongs to another plan or model;
            or, without `resume`, `folder` holds a training that has not ended.
        MissingExtraError: `tensorboard` without that library.
        OSError: the folder cannot be written to; what was written before stays good.
    """
    for name, source in (("training", training), ("validation", validation)):
        if not len(source):
            raise SequenceError(f"The {name} data needs at least one batch, and has none.")
    run = _Trainer(model, training, validation, config, clock)
    folder = None if folder is None else Path(folder)
    run.set_callbacks(on_progress, on_best, folder)
    if folder is not None:
        run.resume_or_start(folder, resume)
    if tensorboard:
        run.enable_tensorboard()
    return run.run()


class _Trainer:
    """One training from its first step to its last."""

    folder: Path | None = None

    def __init__(
        self,
        model: nn.Module,
        training: BatchSource,
        validation: BatchSource,
        config: TrainingConfig,
        clock: Callable[[], float],
    ) -> None:
        self.model, self.training, self.validation = model, training, validation
        self.config, self.group, self.stop_signal, self.trainer_state = (
            config,
            ProcessGroup(),
            StopSignal(),
            TrainerState(),
        )
        torch.manual_seed(config.seed + self.group.rank)
        _set_precision(model, config)
        self.updates = Updater(model, config, self.group)
        self.best_weights: dict[str, Tensor] = {}
        self.last_save = 0, 0.0
        self.exit_stack = ExitStack()
        self.clock, self.start_time = clock, clock()

    def set_callbacks(
        self,
        on_progress: Callable[[Progress], None],
        on_best: Callable[[float], None] | None,
        folder: Path | None,
    ) -> None:
        """Who is told of steps and of new lowest losses: rank 0 alone tells."""
        self.callbacks = [on_progress] if self.group.rank == 0 else []
        default = self._write_best if folder is not None else lambda loss: None
        self.on_best = (on_best or default) if self.group.rank == 0 else lambda loss: None

    def resume_or_start(self, folder: Path, resume: bool) -> None:
        """Go on from what a folder holds, or begin anew in it."""
        require_writable(folder)
        self.folder = folder
        shapes = {name: list(tensor.shape) for name, tensor in self.model.state_dict().items()}
        state = resuming.load_resume_state(
            folder, self.group, resume=resume, settings=self._export_settings(), shapes=shapes
        )
        remove_temporary_files(folder, BEST)
        if state is not None:
            self._restore(state)

    def enable_tensorboard(self) -> None:
        if self.folder is None:
            raise SequenceError("TensorBoard's curves need a folder; give training one.")
        from sluice.sequence.training.tensorboard import TensorBoardWriter

        if self.group.rank == 0:
            board = TensorBoardWriter(self.folder / "tensorboard", self.trainer_state.steps)
            self.callbacks.insert(0, board.write)  # on_progress may ask to stop
            self.exit_stack.callback(board.close)

    def run(self) -> TrainingResult:
        # Among several processes SIGTERM is how a launcher ends the others when one has died.
        signals = (
            (signal.SIGINT, signal.SIGTERM) if self.group.world_size == 1 else (signal.SIGINT,)
        )
        self.model.train()
        try:
            with self.exit_stack, self.stop_signal.catch_signals(signals):
                ended = self.trainer_state.ended or self._run_steps()
        except NonFiniteError as fault:
            raise self._make_divergence_error(fault) from None
        finally:
            if self.best_weights:
                self.model.load_state_dict(self.best_weights)
            self.model.eval()
        ledger = self.trainer_state
        assert ledger.best is not None
        return TrainingResult(ledger.best, ledger.steps, ledger.tokens, ledger.seconds, ended)

    def _run_steps(self) -> StopReason:
        try:
            self._validate_if_due()  # a checkpoint may lie between a step and its validation
            updates = self._iterate_updates()
            while (over := self._find_stop_reason()) is None:
                self._update_once(next(updates))
                validated = self._validate_if_due()
                self._report(validated)
                if self._find_stop_reason() is None and self._should_stop():
                    return self._handle_interrupt()
                if self._is_save_due():
                    self._save()
        except EvaluationInterruptedError:
            return self._handle_interrupt()
        self.trainer_state.ended = over
        self._save()
        return over

    def _iterate_updates(self) -> Iterator[list[Chunk]]:
        """Without end, what each update is made of."""
        place = DataPosition(
            self.trainer_state.epoch, self.trainer_state.batch, self.trainer_state.piece
        )
        while True:
            together: list[Chunk] = []
            epoch = place.epoch
            for piece in split_into_chunks(
                self.training, self.config.bptt_stride, place, self.group
            ):
                together.append(piece)
                epoch = piece.next_position.epoch
                if len(together) == self.config.accumulate or epoch > place.epoch:
                    yield together
                    together = []
            if epoch == place.epoch:
                raise SequenceError(
                    f"The training data said it has {len(self.training)} batches an epoch, but "
                    "gave fewer; its len() and batches() must agree."
                )
            place = DataPosition(epoch)

    def _update_once(self, chunks: list[Chunk]) -> None:
        ledger = self.trainer_state
        ledger.learning_rate = self.config.learning_rate_at(self._compute_schedule_state())
        done = self.updates.update(chunks, ledger.learning_rate, self._measure_seconds)
        ledger.epoch, ledger.batch, ledger.piece = chunks[-1].next_position
        ledger.gradient_norm, ledger.seconds = done.gradient_norm, done.seconds
        ledger.steps += 1
        ledger.tokens += done.items
        mean = done.total / max(done.items, 1)
        ledger.loss = mean if ledger.steps == 1 else 0.95 * ledger.loss + 0.05 * mean

    def _validate_if_due(self) -> bool:
        due = math.floor(self._compute_schedule_state().fraction * self.config.validations)
        if due <= self.trainer_state.validations:
            return False
        self._validate(lambda: self.stop_signal.is_requested)
        self.trainer_state.validations = due
        return True

    def _validate(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        average, ledger = self.updates.average, self.trainer_state
        with average.apply_average() if average is not None and average.count else nullcontext():
            loss = evaluate(self.model, self.validation, group=self.group, should_stop=should_stop)
            if not math.isfinite(loss):
                raise NonFiniteError(
                    f"validation loss became {loss}", "the weights have grown too far"
                )
            ledger.latest, ledger.waited = loss, ledger.waited + 1
            if ledger.best is None or loss < ledger.best:
                ledger.best, ledger.waited = loss, 0
                weights = self.model.state_dict()
                self.best_weights = {name: value.clone() for name, value in weights.items()}
                with _preserve_rng():
                    self.on_best(loss)
        schedule = self.config.schedule
        if isinstance(schedule, Plateau) and ledger.waited:
            ledger.falls += ledger.waited % schedule.patience == 0

    def _find_stop_reason(self) -> StopReason | None:
        if self.trainer_state.validations >= self.config.validations:
            return "budget"
        patience = self.config.patience
        return (
            "patience" if patience is not None and self.trainer_state.waited >= patience else None
        )

    def _should_stop(self) -> bool:
        return self.group.all_reduce_sum(self.stop_signal.is_requested)[0] > 0

    def _handle_interrupt(self) -> StopReason:
        """Leave a checkpoint of where the run was, which a last validation is no part of."""
        self._save()
        if self.trainer_state.best is None:
            self._validate()
        return "interrupted"

    def _make_divergence_error(self, fault: NonFiniteError) -> TrainingDivergedError:
        ledger = self.trainer_state
        kept = f"best validation loss {ledger.best:.3f}" if ledger.best is not None else "none yet"
        return TrainingDivergedError(
            f"The {fault.what} after step {ledger.steps}: {fault.where}; train again with a "
            f"learning rate below {self.config.learning_rate:g} (weights kept: {kept})."
        )

    def _measure_seconds(self) -> float:
        return self.clock() - self.start_time

    def _compute_schedule_state(self) -> ScheduleState:
        """How far training has come."""
        ledger, plan = self.trainer_state, self.config
        epoch = ledger.epoch + ledger.batch / len(self.training)
        if plan.seconds is not None:
            part = ledger.seconds / plan.seconds
        elif plan.steps is not None:
            part = ledger.steps / plan.steps
        else:
            assert plan.epochs is not None
            done = ledger.epoch * len(self.training) + ledger.batch
            part = done / (plan.epochs * len(self.training))
        return ScheduleState(min(part, 1.0), epoch, ledger.falls)

    def _report(self, validated: bool) -> None:
        ledger, stand = self.trainer_state, self._compute_schedule_state()
        seconds, part = ledger.seconds, stand.fraction
        progress = Progress(
            step=ledger.steps,
            fraction=part,
            epoch=stand.epoch,
            seconds=seconds,
            seconds_left=seconds * (1 - part) / part if part > 0 else math.inf,
            tokens_per_second=ledger.tokens / seconds if seconds > 0 else 0.0,
            loss=ledger.loss,
            validation_loss=ledger.latest,
            best_loss=ledger.best,
            has_new_validation=validated,
            learning_rate=ledger.learning_rate,
            gradient_norm=ledger.gradient_norm,
        )
        try:
            with _preserve_rng():
                for show in self.callbacks:
                    show(progress)
        except KeyboardInterrupt:
            self.stop_signal.is_requested = True

    def _write_best(self, loss: float) -> None:
        assert self.folder is not None
        weights = {name: value.contiguous() for name, value in self.best_weights.items()}
        write_atomically(self.folder / BEST, save(weights, {"validation": json.dumps(loss)}))

    def _is_save_due(self) -> bool:
        steps, seconds = (
            self.trainer_state.steps - self.last_save[0],
            self.trainer_state.seconds - self.last_save[1],
        )
        every = self.config.save_steps
        return seconds >= self.config.save_seconds or (every is not None and steps >= every)

    def _save(self) -> None:
        if self.folder is None:
            return
        own = self.group.all_gather(self.updates.export_rank_state())
        self.last_save = self.trainer_state.steps, self.trainer_state.seconds
        if self.group.rank == 0:
            state = {
                "plan": json.dumps(self._export_settings()),
                "ledger": asdict(self.trainer_state),
                "shared": self.updates.export_shared_state(),
                "best": self.best_weights,
                "own": own,
            }
            CheckpointManager(self.folder).save(self.trainer_state.steps, state)

    def _restore(self, state: dict[str, Any]) -> None:
        own, rank = state["own"], self.group.rank
        # States carried and random numbers belong to one way of sharing the batches out.
        self.updates.restore_state(
            state["shared"], own[rank] if len(own) == self.group.world_size else None
        )
        self.trainer_state, self.best_weights = TrainerState(**state["ledger"]), state["best"]
        self.start_time = self.clock() - self.trainer_state.seconds
        self.last_save = self.trainer_state.steps, self.trainer_state.seconds

    def _export_settings(self) -> dict[str, Any]:
        sizes = {"training batches": len(self.training), "validation batches": len(self.validation)}
        return {**self.config.export_settings(), **sizes}


def _preserve_rng() -> AbstractContextManager[None]:
    """Random numbers drawn inside the ``with`` block are not missing in the training's."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()))


def _set_precision(model: nn.Module, config: TrainingConfig) -> None:
    for layer in model.modules():
        if config.precision is not None and isinstance(layer, LayerSettings):
            layer.precision = config.precision
