"""Hyperparameter search with Optuna."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from torch import nn

from sluice.extras import MissingExtraError
from sluice.files import StrPath, require_writable
from sluice.sequence.batch import BatchSource
from sluice.sequence.errors import SequenceError, TrainingDivergedError
from sluice.sequence.training import Progress, TrainingConfig, train

if TYPE_CHECKING:
    import optuna

Propose = Callable[["optuna.Trial"], tuple[nn.Module, TrainingConfig]]
_BROKEN = "broken off"


@dataclass(frozen=True)
class SearchTrial:
    """One training of a search: its settings and lowest validation loss (None without one)."""

    number: int
    settings: Mapping[str, object]
    loss: float | None
    status: Literal["complete", "pruned", "diverged"]


@dataclass(frozen=True)
class SearchResult:
    """The trials of a search, in order, and the best one."""

    trials: tuple[SearchTrial, ...]

    @property
    def best(self) -> SearchTrial:
        """The complete training with the lowest validation loss.

        Raises:
            SequenceError: no training is complete.
        """
        complete = [one for one in self.trials if one.status == "complete" and one.loss is not None]
        if not complete:
            raise SequenceError("No training of this search is complete; run more trials.")
        return min(complete, key=lambda one: one.loss or 0.0)


def search(
    propose: Propose,
    training: BatchSource,
    validation: BatchSource,
    *,
    trials: int,
    folder: StrPath | None = None,
    sampler: Literal["tpe", "random"] = "tpe",
    prune: bool = True,
    seed: int = 0,
    on_trial: Callable[[SearchTrial], None] = lambda trial: None,
) -> SearchResult:
    """Train with settings that Optuna proposes (Akiba et al. 2019), for `trials` trials.

    With a `folder` the search is stored in `folder / "search.db"` and resumes where it was
    interrupted: the interrupted trial starts again with the same settings. Ctrl-C ends the search
    and returns what is complete. Only one process at a time may run a search.

    Args:
        propose: gets settings from the trial (`trial.suggest_float("learning_rate", 1e-4, 0.1,
            log=True)`), and builds a model and a `TrainingConfig` from them.
        training, validation: as for `train`.
        trials: the number of trials, with those of earlier calls on the same folder.
        sampler: `"tpe"` learns from earlier trials (Bergstra et al. 2011); `"random"` does not
            (Bergstra & Bengio 2012).
        prune: stop a trial whose validation loss is above the median of the others at that point.
        seed: for the proposals.
        on_trial: called after each trial.

    Raises:
        MissingExtraError: the library `optuna` is not installed.
        OSError: the folder cannot be written to.
    """
    study = _open_study(folder, sampler, prune, seed)
    _requeue_running(study)
    while len(found := _collect_result(study).trials) < trials:
        trial = study.ask()
        if not _run_trial(study, trial, propose(trial), training, validation):
            break
        on_trial(_collect_result(study).trials[len(found)])
    return _collect_result(study)


def _run_trial(
    study: optuna.Study,
    trial: optuna.Trial,
    proposed: tuple[nn.Module, TrainingConfig],
    training: BatchSource,
    validation: BatchSource,
) -> bool:
    """One training; False if it was interrupted."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    def report(progress: Progress) -> None:
        if progress.has_new_validation and progress.validation_loss is not None:
            trial.report(progress.validation_loss, round(1000 * progress.fraction))
            if trial.should_prune():
                raise TrialPruned

    model, config = proposed
    try:
        result = train(model, training, validation, config, on_progress=report)
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except TrainingDivergedError:
        study.tell(trial, state=TrialState.FAIL)
    else:
        if result.stop_reason == "interrupted":
            _requeue_trial(study, trial.number)
            return False
        study.tell(trial, result.validation_loss)
    return True


def _open_study(folder: StrPath | None, sampler: str, prune: bool, seed: int) -> optuna.Study:
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("optuna", "search") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    if folder is not None:
        require_writable(folder)
        storage = f"sqlite:///{Path(folder) / 'search.db'}"
    pruner = optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner()
    study = optuna.create_study(
        storage=storage, study_name="search", pruner=pruner, load_if_exists=True
    )
    # The same seed would propose the same settings again after resuming.
    kinds = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    study.sampler = kinds[sampler](seed=seed + 1000 * len(study.trials))
    return study


def _requeue_running(study: optuna.Study) -> None:
    """Queue the settings of a trial again that was running when its process was killed."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        _requeue_trial(study, trial.number)


def _requeue_trial(study: optuna.Study, number: int) -> None:
    from optuna.trial import TrialState

    study.set_user_attr(_BROKEN, [*study.user_attrs.get(_BROKEN, []), number])
    study.enqueue_trial(study.trials[number].params)
    study.tell(number, state=TrialState.FAIL)


def _collect_result(study: optuna.Study) -> SearchResult:
    ends: dict[str, Literal["complete", "pruned", "diverged"]]
    ends = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "diverged"}
    broken = study.user_attrs.get(_BROKEN, [])
    return SearchResult(
        tuple(
            SearchTrial(trial.number, trial.params, trial.value, ends[trial.state.name])
            for trial in study.trials
            if trial.state.name in ends and trial.number not in broken
        )
    )
