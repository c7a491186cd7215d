"""Settings sought by training with many of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
    """One training of a search: its settings, and the lowest validation loss, if it has one."""

    number: int
    settings: Mapping[str, Any]
    loss: float | None
    status: Literal["whole", "pruned", "diverged"]


@dataclass(frozen=True)
class SearchResult:
    """What a search has tried, in order, and the best of it."""

    trials: tuple[SearchTrial, ...]

    @property
    def best(self) -> SearchTrial:
        """The whole training with the lowest validation loss.

        Raises:
            SequenceError: none has come to its end.
        """
        whole = [one for one in self.trials if one.status == "whole" and one.loss is not None]
        if not whole:
            raise SequenceError("No training of this search has come to its end; try more.")
        return min(whole, key=lambda one: one.loss or 0.0)


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
    on_trial: Callable[[SearchTrial], None] = lambda tried: None,
) -> SearchResult:
    """Train with settings that Optuna proposes (Akiba et al. 2019), until `trials` have been tried.

    With a `folder` the search is kept in `folder / "search.db"`, and goes on where it was broken
    off: the training at hand then begins anew, with the same settings. Ctrl-C ends the search
    with what it has. One process at a time works on a search.

    Args:
        propose: asks the trial for settings (`trial.suggest_float("learning_rate", 1e-4, 0.1,
            log=True)`) and makes a model and a plan of them.
        training, validation: as for `train`.
        trials: how many settings, those of earlier calls on the same folder included.
        sampler: `"tpe"` learns from what was tried (Bergstra et al. 2011); `"random"` does not
            (Bergstra & Bengio 2012).
        prune: end what, halfway, has a validation loss above the median of the others'.
        seed: of the proposals.
        on_trial: called after each training.

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
    """One training; False where somebody has asked to end."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    def report(progress: Progress) -> None:
        if progress.has_new_validation and progress.validation_loss is not None:
            trial.report(progress.validation_loss, round(1000 * progress.fraction))
            if trial.should_prune():
                raise TrialPruned

    model, plan = proposed
    try:
        outcome = train(model, training, validation, plan, on_progress=report)
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except TrainingDivergedError:
        study.tell(trial, state=TrialState.FAIL)
    else:
        if outcome.stop_reason == "interrupted":
            _requeue_trial(study, trial.number)
            return False
        study.tell(trial, outcome.validation_loss)
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
    # A seed alone would propose, after a break, what was tried before it.
    kinds = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    study.sampler = kinds[sampler](seed=seed + 1000 * len(study.trials))
    return study


def _requeue_running(study: optuna.Study) -> None:
    """What a killed process was training is broken off, and its settings are next."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        _requeue_trial(study, trial.number)


def _requeue_trial(study: optuna.Study, number: int) -> None:
    from optuna.trial import TrialState

    study.set_user_attr(_BROKEN, [*study.user_attrs.get(_BROKEN, []), number])
    study.enqueue_trial(study.trials[number].params)
    study.tell(number, state=TrialState.FAIL)


def _collect_result(study: optuna.Study) -> SearchResult:
    ends: dict[str, Literal["whole", "pruned", "diverged"]]
    ends = {"COMPLETE": "whole", "PRUNED": "pruned", "FAIL": "diverged"}
    broken = study.user_attrs.get(_BROKEN, [])
    return SearchResult(
        tuple(
            SearchTrial(trial.number, trial.params, trial.value, ends[trial.state.name])
            for trial in study.trials
            if trial.state.name in ends and trial.number not in broken
        )
    )
