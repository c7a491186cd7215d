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

from sluice.files import remove_leftovers, require_writable, write_whole
from sluice.nn.settings import Settings
from sluice.sequence.batch import Source
from sluice.sequence.errors import SequenceError, TrainingDiverged
from sluice.sequence.training import resume as resuming
from sluice.sequence.training.checkpoints import Checkpoints
from sluice.sequence.training.evaluate import Abandoned, evaluate
from sluice.sequence.training.pieces import Piece, Place, pieces
from sluice.sequence.training.plan import Plan
from sluice.sequence.training.processes import Group
from sluice.sequence.training.progress import Ended, Ledger, Outcome, Progress
from sluice.sequence.training.schedules import Plateau, Stand
from sluice.sequence.training.stop import Stop
from sluice.sequence.training.update import NotFinite, Updates

BEST = "best.safetensors"


def train(
    model: nn.Module,
    training: Source,
    validation: Source,
    plan: Plan,
    *,
    folder: Path | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_best: Callable[[float], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Train `model` in place; it ends with the weights of the lowest validation loss.

    Validation happens `plan.validations` times, evenly over the budget, the last time at its
    end. Ctrl-C (and SIGTERM, for one process) ends training early but cleanly: after the step at
    hand, with a last validation if there was none before.

    Where `torch.distributed` is initialised, every process calls this with the same arguments
    and takes its share of each batch; rank 0 alone writes and reports.

    Args:
        model: a `Learner`.
        training, validation: where batches come from.
        plan: how long, and how.
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
        TrainingDiverged: a loss or gradient that is NaN or infinite, with where it began; the
            model holds the best weights so far.
        CheckpointError: nothing to go on from is whole, or it belongs to another plan or model;
            or, without `resume`, `folder` holds a training that has not ended.
        MissingExtra: `tensorboard` without that library.
        OSError: the folder cannot be written to; what was written before stays good.
    """
    for name, source in (("training", training), ("validation", validation)):
        if not len(source):
            raise SequenceError(f"The {name} data needs at least one batch, and has none.")
    run = _Run(model, training, validation, plan, clock)
    run.tell(on_progress, on_best, folder)
    if folder is not None:
        run.take_up(folder, resume)
    if tensorboard:
        run.draw_curves()
    return run.to_the_end()


class _Run:
    """One training from its first step to its last."""

    folder: Path | None = None

    def __init__(
        self,
        model: nn.Module,
        training: Source,
        validation: Source,
        plan: Plan,
        clock: Callable[[], float],
    ) -> None:
        self.model, self.training, self.validation = model, training, validation
        self.plan, self.group, self.stop, self.ledger = plan, Group(), Stop(), Ledger()
        torch.manual_seed(plan.seed + self.group.rank)
        _set_precision(model, plan)
        self.updates = Updates(model, plan, self.group)
        self.best_weights: dict[str, Tensor] = {}
        self.saved = 0, 0.0
        self.at_the_end = ExitStack()
        self.clock, self.started = clock, clock()

    def tell(
        self,
        on_progress: Callable[[Progress], None],
        on_best: Callable[[float], None] | None,
        folder: Path | None,
    ) -> None:
        """Who is told of steps and of new lowest losses: rank 0 alone tells."""
        self.listeners = [on_progress] if self.group.rank == 0 else []
        default = self._write_best if folder is not None else lambda loss: None
        self.on_best = (on_best or default) if self.group.rank == 0 else lambda loss: None

    def take_up(self, folder: Path, resume: bool) -> None:
        """Go on from what a folder holds, or begin anew in it."""
        require_writable(folder)
        self.folder = folder
        shapes = {name: list(tensor.shape) for name, tensor in self.model.state_dict().items()}
        state = resuming.found(
            folder, self.group, resume=resume, plan=self._decides(), shapes=shapes
        )
        remove_leftovers(folder, BEST)
        if state is not None:
            self._restore(state)

    def draw_curves(self) -> None:
        if self.folder is None:
            raise SequenceError("TensorBoard's curves need a folder; give training one.")
        from sluice.sequence.training.board import Board

        if self.group.rank == 0:
            board = Board(self.folder / "tensorboard", self.ledger.steps)
            self.listeners.insert(0, board.show)  # on_progress may ask to stop
            self.at_the_end.callback(board.close)

    def to_the_end(self) -> Outcome:
        # Among several processes SIGTERM is how a launcher ends the others when one has died.
        signals = (signal.SIGINT, signal.SIGTERM) if self.group.size == 1 else (signal.SIGINT,)
        self.model.train()
        try:
            with self.at_the_end, self.stop.listening(signals):
                ended = self.ledger.ended or self._steps()
        except NotFinite as fault:
            raise self._diverged(fault) from None
        finally:
            if self.best_weights:
                self.model.load_state_dict(self.best_weights)
            self.model.eval()
        ledger = self.ledger
        assert ledger.best is not None
        return Outcome(ledger.best, ledger.steps, ledger.tokens, ledger.seconds, ended)

    def _steps(self) -> Ended:
        try:
            self._validate_if_due()  # a checkpoint may lie between a step and its validation
            updates = self._next_pieces()
            while (over := self._over()) is None:
                self._step(next(updates))
                validated = self._validate_if_due()
                self._report(validated)
                if self._over() is None and self._stopped():
                    return self._interrupted()
                if self._save_is_due():
                    self._save()
        except Abandoned:
            return self._interrupted()
        self.ledger.ended = over
        self._save()
        return over

    def _next_pieces(self) -> Iterator[list[Piece]]:
        """Without end, what each update is made of."""
        place = Place(self.ledger.epoch, self.ledger.batch, self.ledger.piece)
        while True:
            together: list[Piece] = []
            epoch = place.epoch
            for piece in pieces(self.training, self.plan.updates_every, place, self.group):
                together.append(piece)
                epoch = piece.then.epoch
                if len(together) == self.plan.accumulate or epoch > place.epoch:
                    yield together
                    together = []
            if epoch == place.epoch:
                raise SequenceError(
                    f"The training data said it has {len(self.training)} batches an epoch, but "
                    "gave fewer; its len() and batches() must agree."
                )
            place = Place(epoch)

    def _step(self, together: list[Piece]) -> None:
        ledger = self.ledger
        ledger.learning_rate = self.plan.learning_rate_at(self._stand())
        done = self.updates.update(together, ledger.learning_rate, self._elapsed)
        ledger.epoch, ledger.batch, ledger.piece = together[-1].then
        ledger.gradient_norm, ledger.seconds = done.norm, done.seconds
        ledger.steps += 1
        ledger.tokens += done.items
        mean = done.total / max(done.items, 1)
        ledger.loss = mean if ledger.steps == 1 else 0.95 * ledger.loss + 0.05 * mean

    def _validate_if_due(self) -> bool:
        due = math.floor(self._stand().part * self.plan.validations)
        if due <= self.ledger.validations:
            return False
        self._validate(lambda: self.stop.wanted)
        self.ledger.validations = due
        return True

    def _validate(self, stopped: Callable[[], bool] = lambda: False) -> None:
        average, ledger = self.updates.average, self.ledger
        with average.inside() if average is not None and average.count else nullcontext():
            loss = evaluate(self.model, self.validation, group=self.group, stopped=stopped)
            if not math.isfinite(loss):
                raise NotFinite(f"validation loss became {loss}", "the weights have grown too far")
            ledger.latest, ledger.waited = loss, ledger.waited + 1
            if ledger.best is None or loss < ledger.best:
                ledger.best, ledger.waited = loss, 0
                weights = self.model.state_dict()
                self.best_weights = {name: value.clone() for name, value in weights.items()}
                with _unwatched():
                    self.on_best(loss)
        schedule = self.plan.schedule
        if isinstance(schedule, Plateau) and ledger.waited:
            ledger.falls += ledger.waited % schedule.patience == 0

    def _over(self) -> Ended | None:
        if self.ledger.validations >= self.plan.validations:
            return "budget"
        patience = self.plan.patience
        return "patience" if patience is not None and self.ledger.waited >= patience else None

    def _stopped(self) -> bool:
        return self.group.sum(self.stop.wanted)[0] > 0

    def _interrupted(self) -> Ended:
        """Leave a checkpoint of where the run was, which a last validation is no part of."""
        self._save()
        if self.ledger.best is None:
            self._validate()
        return "interrupted"

    def _diverged(self, fault: NotFinite) -> TrainingDiverged:
        ledger = self.ledger
        kept = f"best validation loss {ledger.best:.3f}" if ledger.best is not None else "none yet"
        return TrainingDiverged(
            f"The {fault.what} after step {ledger.steps}: {fault.where}; train again with a "
            f"learning rate below {self.plan.learning_rate:g} (weights kept: {kept})."
        )

    def _elapsed(self) -> float:
        return self.clock() - self.started

    def _stand(self) -> Stand:
        """How far training has come."""
        ledger, plan = self.ledger, self.plan
        epoch = ledger.epoch + ledger.batch / len(self.training)
        if plan.seconds is not None:
            part = ledger.seconds / plan.seconds
        elif plan.steps is not None:
            part = ledger.steps / plan.steps
        else:
            assert plan.epochs is not None
            done = ledger.epoch * len(self.training) + ledger.batch
            part = done / (plan.epochs * len(self.training))
        return Stand(min(part, 1.0), epoch, ledger.falls)

    def _report(self, validated: bool) -> None:
        ledger, stand = self.ledger, self._stand()
        seconds, part = ledger.seconds, stand.part
        progress = Progress(
            step=ledger.steps,
            part=part,
            epoch=stand.epoch,
            seconds=seconds,
            seconds_left=seconds * (1 - part) / part if part > 0 else math.inf,
            tokens_per_second=ledger.tokens / seconds if seconds > 0 else 0.0,
            loss=ledger.loss,
            validation=ledger.latest,
            best=ledger.best,
            validated=validated,
            learning_rate=ledger.learning_rate,
            gradient_norm=ledger.gradient_norm,
        )
        try:
            with _unwatched():
                for show in self.listeners:
                    show(progress)
        except KeyboardInterrupt:
            self.stop.wanted = True

    def _write_best(self, loss: float) -> None:
        assert self.folder is not None
        weights = {name: value.contiguous() for name, value in self.best_weights.items()}
        write_whole(self.folder / BEST, save(weights, {"validation": json.dumps(loss)}))

    def _save_is_due(self) -> bool:
        steps, seconds = self.ledger.steps - self.saved[0], self.ledger.seconds - self.saved[1]
        every = self.plan.save_steps
        return seconds >= self.plan.save_seconds or (every is not None and steps >= every)

    def _save(self) -> None:
        if self.folder is None:
            return
        own = self.group.gather(self.updates.own())
        self.saved = self.ledger.steps, self.ledger.seconds
        if self.group.rank == 0:
            state = {
                "plan": json.dumps(self._decides()),
                "ledger": asdict(self.ledger),
                "shared": self.updates.as_plain(),
                "best": self.best_weights,
                "own": own,
            }
            Checkpoints(self.folder).save(self.ledger.steps, state)

    def _restore(self, state: dict[str, Any]) -> None:
        own, rank = state["own"], self.group.rank
        # States carried and random numbers belong to one way of sharing the batches out.
        self.updates.restore(state["shared"], own[rank] if len(own) == self.group.size else None)
        self.ledger, self.best_weights = Ledger(**state["ledger"]), state["best"]
        self.started = self.clock() - self.ledger.seconds
        self.saved = self.ledger.steps, self.ledger.seconds

    def _decides(self) -> dict[str, Any]:
        sizes = {"training batches": len(self.training), "validation batches": len(self.validation)}
        return {**self.plan.decides(), **sizes}


def _unwatched() -> AbstractContextManager[None]:
    """Random numbers drawn inside the ``with`` block are not missing in the training's."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()))


def _set_precision(model: nn.Module, plan: Plan) -> None:
    for layer in model.modules():
        if plan.precision is not None and isinstance(layer, Settings):
            layer.precision = plan.precision
