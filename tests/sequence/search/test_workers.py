"""Several processes at one search."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from sluice.sequence.search import search, workers
from sluice.sequence.search.storage import open_study
from sluice.sequence.search.workers import Worker

pytest.importorskip("optuna")
TESTS = Path(__file__).parents[2]
SCRIPT = """
import sys, time
import torch
from pathlib import Path
from sequence.search.test_study import ONE, propose
from sluice.sequence.search import search
torch.set_num_threads(1)
folder, trials, hangs_at = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
(folder / f"ready-{sys.argv[4]}").touch()
while not (folder / "go").exists():
    time.sleep(0.01)

def ask(trial):
    proposed = propose(trial)
    if trial.number >= hangs_at:
        (folder / "hanging").touch()
        time.sleep(600)
    # The other one leaves a trial to the one that hangs, however quick it is.
    while hangs_at == 1000 and trial.number >= 4 and not (folder / "hanging").exists():
        time.sleep(0.01)
    return proposed

search(ask, ONE, ONE, trials=trials, folder=folder, prune=False, sampler="random")
"""


def start(folder: Path, trials: int, name: str, hangs_at: int = 1000) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(trials), str(hangs_at), name],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
    )


def wait_for(path: Path) -> None:
    end = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.01)


@pytest.mark.slow
def test_two_processes_share_the_trials_and_a_killed_one_loses_none(tmp_path: Path) -> None:
    one, two = start(tmp_path, 12, "one"), start(tmp_path, 12, "two", hangs_at=5)
    for name in ("one", "two"):
        wait_for(tmp_path / f"ready-{name}")
    (tmp_path / "go").touch()
    wait_for(tmp_path / "hanging")
    assert one.wait(120) == 0
    two.send_signal(signal.SIGKILL)
    two.wait(120)
    study = open_study(tmp_path, None, prune=False)
    (lost,) = (trial for trial in study.trials if trial.state.name == "RUNNING")
    rate = lost.params["rate"]

    from sequence.search.test_study import ONE, propose

    found = search(propose, ONE, ONE, trials=12, folder=tmp_path, prune=False, sampler="random")
    assert [one.status for one in found.trials] == ["complete"] * 12
    rates = Counter(one.settings["rate"] for one in found.trials)
    assert len(rates) == 12
    assert rates[rate] == 1
    assert found.trials[-1].settings["rate"] == rate
    assert found.running_elsewhere == 0
    names = Counter(one.worker for one in found.trials)
    assert sum(names.values()) == 12
    assert len(names) >= 2


def test_the_lower_number_has_the_last_trial() -> None:
    study = open_study(None, None, prune=False)
    with Worker(study) as one, Worker(study) as two:
        first = one.claim_trial(1)
        assert first is not None
        assert two.claim_trial(1) is None
        # As if both had seen it free at once.
        assert study.ask().number == 1
        two.drop(1)
        assert one.count_others() == 0
        assert two.count_others() == 1


def test_a_trial_of_another_machine_is_lost_when_its_heartbeat_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = open_study(None, None, prune=False)
    there = {"name": "far:1", "token": "x", "place": ["far", 1, "0"]}
    trial = study.ask()
    rate = trial.suggest_float("rate", 0, 1)
    trial.set_user_attr("worker", there)
    clock = [100.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: clock[0])
    with Worker(study) as worker:
        worker.requeue_lost_trials()
        clock[0] += workers.LOST_SECONDS - 1
        trial.set_user_attr("heartbeat", 1)
        worker.requeue_lost_trials()
        clock[0] += workers.LOST_SECONDS - 1
        worker.requeue_lost_trials()
        assert study.trials[0].state.name == "RUNNING"
        clock[0] += 2
        worker.requeue_lost_trials()
        assert study.trials[0].state.name == "FAIL"
        claimed = worker.claim_trial(1)
        assert claimed is not None
        again, place = claimed
        assert place == 0
        assert again.suggest_float("rate", 0, 1) == rate
