"""Trials of a search: proposed by Optuna, trained here, pruned, resumed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torch import nn

from sluice.files import StrPath
from sluice.sequence.batch import BatchSource
from sluice.sequence.errors import TrainingDivergedError
from sluice.sequence.search.results import SearchResult, SearchTrial, TrialStatus
from sluice.sequence.search.storage import open_study
from sluice.sequence.search.workers import Worker, get_worker_name, list_valid_trials
from sluice.sequence.training import Progress, TrainingConfig, train
from sluice.sequence.training.signals import StopSignal

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Proposal:
    """What a trial trains: a model, how, and the batches if they depend on the settings too."""

    model: nn.Module
    config: TrainingConfig
    training: BatchSource
    validation: BatchSource


Propose = Callable[["optuna.Trial"], tuple[nn.Module, TrainingConfig]]
_SEED_STRIDE = 1_000_003


def search(
    propose: Propose,
    training: BatchSource,
    validation: BatchSource,
    *,
    trials: int,
    folder: StrPath | None = None,
    storage: str | None = None,
    sampler: Literal["tpe", "random"] = "tpe",
    prune: bool = True,
    seed: int = 0,
    on_trial: Callable[[SearchTrial], None] = lambda trial: None,
) -> SearchResult:
    """Train with settings that Optuna proposes (Akiba et al. 2019), for `trials` trials.

    With a `folder` or `storage` the search is stored and resumes where it was interrupted: an
    interrupted trial starts again with the same settings. Any number of processes, on one machine
    or several, may run the same search at once; each takes the next trial until there are
    `trials`. A trial whose process is gone is run again by another one. Ctrl-C ends this process's
    part and returns what is complete.

    A trial's settings depend on `seed`, its place in the search and the trials that ended before
    it. So one process repeats a search exactly, however often it was interrupted; several do not,
    as their trials end in another order each time.

    Args:
        propose: gets settings from the trial (`trial.suggest_float("learning_rate", 1e-4, 0.1,
            log=True)`), and builds a model and a `TrainingConfig` from them.
        training, validation: as for `train`.
        trials: the number of trials, with those of earlier calls and other processes.
        folder: for Optuna's journal file, `search.journal`.
        storage: the path of a journal file elsewhere, or the URL of a database.
        sampler: `"tpe"` learns from earlier trials (Bergstra et al. 2011); `"random"` does not
            (Bergstra & Bengio 2012).
        prune: stop a trial whose validation loss is above the median of the others at that point.
        seed: for the proposals.
        on_trial: called after each trial of this process.

    Raises:
        MissingExtraError: the library `optuna`, or that of the database, is not installed.
        SequenceError: the storage cannot be opened or is damaged.
        OSError: the folder cannot be written to.
    """

    def make_proposal(trial: optuna.Trial) -> Proposal:
        return Proposal(*propose(trial), training, validation)

    study = open_study(folder, storage, prune=prune)
    return run_trials(study, make_proposal, trials, sampler=sampler, seed=seed, on_trial=on_trial)


def run_trials(
    study: optuna.Study,
    propose: Callable[[optuna.Trial], Proposal],
    trials: int,
    *,
    sampler: Literal["tpe", "random"] = "tpe",
    seed: int = 0,
    on_trial: Callable[[SearchTrial], None] = lambda trial: None,
    on_progress: Callable[[int, Progress], None] = lambda number, progress: None,
) -> SearchResult:
    """Run trials of a study until there are `trials`, or until interrupted; as `search`.

    `on_progress` is called with the trial's number after each step of its training.
    """
    stop = StopSignal()
    with stop.catch_signals((signal.SIGINT, signal.SIGTERM)), Worker(study) as worker:
        worker.requeue_lost_trials()
        while not stop.is_requested and (claimed := worker.claim_trial(trials)) is not None:
            trial, place = claimed
            study.sampler = _make_sampler(sampler, seed, place)
            try:
                proposed = propose(trial)
            except Exception:  # settings that no model can have are not tried again
                worker.drop(trial.number)
                raise
            if not _run_trial(worker, trial, proposed, on_progress):
                break
            on_trial(_describe(study.trials[trial.number]))
            worker.requeue_lost_trials()
        return collect_result(study, worker.count_others())


def _make_sampler(name: str, seed: int, place: int) -> optuna.samplers.BaseSampler:
    """A sampler for one trial, so that its settings do not depend on who ran the others."""
    from optuna.samplers import RandomSampler, TPESampler

    own = (seed * _SEED_STRIDE + place) % 2**32
    return RandomSampler(own) if name == "random" else TPESampler(seed=own, multivariate=False)


def _run_trial(
    worker: Worker,
    trial: optuna.Trial,
    proposed: Proposal,
    on_progress: Callable[[int, Progress], None],
) -> bool:
    """One training; False if it was interrupted."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    study = worker.study

    def report(progress: Progress) -> None:
        worker.beat(trial)
        on_progress(trial.number, progress)
        if progress.has_new_validation and progress.validation_loss is not None:
            trial.report(progress.validation_loss, round(1000 * progress.fraction))
            if trial.should_prune():
                raise TrialPruned

    try:
        result = train(
            proposed.model,
            proposed.training,
            proposed.validation,
            proposed.config,
            on_progress=report,
        )
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except TrainingDivergedError:
        study.tell(trial, state=TrialState.FAIL)
    else:
        if result.stop_reason == "interrupted":
            worker.requeue(trial.number)
            return False
        study.tell(trial, result.validation_loss)
    return True


def collect_result(study: optuna.Study, running_elsewhere: int = 0) -> SearchResult:
    """The trials that have ended."""
    ended = [one for one in list_valid_trials(study) if one.state.is_finished()]
    return SearchResult(tuple(map(_describe, ended)), running_elsewhere)


def _describe(trial: optuna.trial.FrozenTrial) -> SearchTrial:
    ends: dict[str, TrialStatus]
    ends = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "diverged"}
    seconds = trial.duration.total_seconds() if trial.duration is not None else 0.0
    return SearchTrial(
        trial.number,
        dict(trial.params),
        trial.value,
        ends[trial.state.name],
        seconds,
        get_worker_name(trial),
    )
