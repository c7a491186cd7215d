import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sequence.training.test_update import Filter, FixedBatches, batch, plan
from sluice.extras import MissingExtraError
from sluice.sequence import SequenceError
from sluice.sequence.search import SearchResult, SearchTrial, search
from sluice.sequence.search.storage import open_study, remove_torn_line

pytest.importorskip("optuna")
ONE = FixedBatches([batch(5)])


def propose(trial: Any) -> tuple[nn.Module, Any]:
    rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    return Filter(), plan(epochs=8, learning_rate=rate, validations=4)


def settings(found: SearchResult) -> list[float]:
    return [one.settings["rate"] for one in found.trials]


def test_the_best_trial_equals_training_with_its_settings(tmp_path: Path) -> None:
    trials: list[SearchTrial] = []
    found = search(
        propose, ONE, ONE, trials=6, sampler="random", prune=False, on_trial=trials.append
    )
    assert list(found.trials) == trials
    assert len(set(settings(found))) == 6
    losses = [one.loss for one in found.trials]
    assert found.best.loss == min(loss for loss in losses if loss is not None)
    from sluice.sequence import train

    repeated = train(
        Filter(), ONE, ONE,
        plan(epochs=8, learning_rate=found.best.settings["rate"], validations=4),
    )  # fmt: skip
    assert repeated.validation_loss == pytest.approx(found.best.loss)


def test_an_interrupted_search_is_resumed(tmp_path: Path) -> None:
    def stop(trial: Any) -> tuple[nn.Module, Any]:
        if trial.number == 3:
            propose(trial)
            raise SystemExit  # as a killed process: the trial stays as it is
        return propose(trial)

    with pytest.raises(SystemExit):
        search(stop, ONE, ONE, trials=6, folder=tmp_path, sampler="random", prune=False)
    study = open_study(tmp_path, None, prune=False)
    broken = study.trials[3].params["rate"]
    found = search(propose, ONE, ONE, trials=6, folder=tmp_path, sampler="random", prune=False)
    assert len(found.trials) == len(set(settings(found))) == 6
    assert settings(found)[3] == broken
    whole = search(propose, ONE, ONE, trials=6, sampler="random", prune=False)
    assert settings(found) == settings(whole)
    assert search(propose, ONE, ONE, trials=6, folder=tmp_path) == found


def test_an_interrupt_ends_the_search_with_its_trials(tmp_path: Path) -> None:
    def ask(trial: Any) -> tuple[nn.Module, Any]:
        model, chosen = propose(trial)
        if trial.number == 2:

            def interrupt(*_: object) -> None:
                asking.remove()
                os.kill(os.getpid(), signal.SIGINT)

            asking = model.readout.register_forward_hook(interrupt)
        return model, chosen

    found = search(ask, ONE, ONE, trials=5, folder=tmp_path, prune=False)
    assert len(found.trials) == 2
    assert len(search(propose, ONE, ONE, trials=5, folder=tmp_path, prune=False).trials) == 5


def test_bad_trials_are_pruned_and_diverged_ones_are_counted() -> None:
    def worsens(trial: Any) -> tuple[nn.Module, Any]:
        model, chosen = propose(trial)
        if trial.number >= 5:  # the median of five is known by then
            model.readout.bias.data.fill_(torch.nan if trial.number == 6 else 50.0)
            chosen = plan(epochs=8, learning_rate=1e-6, validations=4)
        return model, chosen

    found = search(worsens, ONE, ONE, trials=7, sampler="random")
    assert [one.status for one in found.trials[5:]] == ["pruned", "diverged"]
    assert found.trials[6].loss is None
    assert found.best.number < 5


def test_a_search_without_complete_trials_has_no_best() -> None:
    def diverge(trial: Any) -> tuple[nn.Module, Any]:
        model, chosen = propose(trial)
        model.readout.bias.data.fill_(torch.nan)
        return model, chosen

    found = search(diverge, ONE, ONE, trials=2)
    with pytest.raises(SequenceError, match="No training of this search"):
        _ = found.best


def test_a_torn_last_line_of_the_journal_is_cut_off(tmp_path: Path) -> None:
    journal = tmp_path / "search.journal"
    found = search(propose, ONE, ONE, trials=2, folder=tmp_path, prune=False)
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":7,"worker_id":')
    assert search(propose, ONE, ONE, trials=2, folder=tmp_path, prune=False) == found
    journal.write_bytes(b"x" * 9000)
    remove_torn_line(journal)
    assert journal.read_bytes() == b""


@pytest.mark.parametrize("content", [b"not a journal\n", b"[1]\n", b"{}\n", b"\0\xff\n" * 9])
def test_a_damaged_journal_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "search.journal").write_bytes(content)
    with pytest.raises(SequenceError, match="cannot be opened"):
        search(propose, ONE, ONE, trials=1, folder=tmp_path)


def test_another_space_is_refused(tmp_path: Path) -> None:
    open_study(tmp_path, None, prune=True, space="hidden=8..64")
    with pytest.raises(SequenceError, match=r"a search of hidden=8\.\.64, got layers=1\.\.3"):
        open_study(tmp_path, None, prune=True, space="layers=1..3")


def test_an_unknown_database_is_refused() -> None:
    with pytest.raises(SequenceError, match="cannot be opened"):
        search(propose, ONE, ONE, trials=1, storage="nothing://here")


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"sluice-rnn\[search\]"):
        search(propose, ONE, ONE, trials=1)
