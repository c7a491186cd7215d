"""Which process runs which trial, and the trials of processes that are gone.

A worker writes its name into each trial that it runs, and a heartbeat while it trains. A trial is
lost if its process on this machine is gone, or if its heartbeat stood still for a while; its
settings are then queued again. Clocks of different machines are not compared.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna

HEARTBEAT_SECONDS = 15.0
"""How often a worker writes that it lives."""
LOST_SECONDS = 300.0
"""How long the heartbeat of another machine's trial stands still until it counts as lost."""
_WORKER, _HEARTBEAT, _INTERRUPTED = "worker", "heartbeat", "interrupted"
_active: set[str] = set()
"""The workers of this process."""


class Worker:
    """One process that runs trials of a study, inside a ``with`` block."""

    def __init__(self, study: optuna.Study) -> None:
        self.study = study
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._token = uuid.uuid4().hex
        self._place = [_find_machine(), os.getpid(), _find_start(os.getpid())]
        self._beats = 0
        self._last_beat = time.monotonic()
        self._seen: dict[int, tuple[object, float]] = {}

    def __enter__(self) -> Worker:
        _active.add(self._token)
        return self

    def __exit__(self, *error: object) -> None:
        _active.discard(self._token)

    def claim_trial(self, trials: int) -> tuple[optuna.Trial, int] | None:
        """A trial to run and its place among all; None if `trials` are taken.

        Queued settings come first. Interrupted trials do not count in the place.
        """
        if len(list_valid_trials(self.study)) >= trials and not self._has_waiting():
            return None
        trial = self.study.ask()
        trial.set_user_attr(
            _WORKER, {"name": self.name, "token": self._token, "place": self._place}
        )
        # Two workers may both have seen the last one free: the lower number has it.
        place = sum(one.number < trial.number for one in list_valid_trials(self.study))
        if place >= trials:
            self.drop(trial.number)
            return None
        return trial, place

    def beat(self, trial: optuna.Trial) -> None:
        """Write that this worker lives, if the last time is a while ago."""
        if time.monotonic() - self._last_beat >= HEARTBEAT_SECONDS:
            self._beats += 1
            trial.set_user_attr(_HEARTBEAT, self._beats)
            self._last_beat = time.monotonic()

    def requeue_lost_trials(self) -> None:
        """Queue the settings of trials again whose process is gone."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if self._is_lost(trial):
                self.requeue(trial.number)

    def requeue(self, number: int) -> None:
        """Take a running trial back, and queue its settings; once, whoever does it."""
        settings = self.study.trials[number].params
        if self.drop(number):
            self.study.enqueue_trial(settings)

    def count_others(self) -> int:
        """How many trials other workers are running now."""
        from optuna.trial import TrialState

        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return sum(one.user_attrs.get(_WORKER, {}).get("token") != self._token for one in running)

    def drop(self, number: int) -> bool:
        """Mark a trial as interrupted; False if another worker was quicker."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        self.study.set_user_attr(f"{_INTERRUPTED} {number}", True)
        try:
            self.study.tell(number, state=TrialState.FAIL)
        except (UpdateFinishedTrialError, ValueError):
            return False
        return True

    def _has_waiting(self) -> bool:
        from optuna.trial import TrialState

        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def _is_lost(self, trial: optuna.trial.FrozenTrial) -> bool:
        worker = trial.user_attrs.get(_WORKER)
        if worker is not None and worker["token"] in _active:
            return False
        if worker is not None and worker["place"][0] == self._place[0] and os.name == "posix":
            _, pid, start = worker["place"]
            return bool(pid == os.getpid() or _find_start(pid) != start)
        beat, now = trial.user_attrs.get(_HEARTBEAT), time.monotonic()
        last, since = self._seen.setdefault(trial.number, (beat, now))
        if beat != last:
            self._seen[trial.number] = (beat, now)
            return False
        return now - since > LOST_SECONDS


def list_valid_trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that were not interrupted, in order."""
    attributes = study.user_attrs
    return [
        one
        for one in study.get_trials(deepcopy=False)
        if f"{_INTERRUPTED} {one.number}" not in attributes
    ]


def get_worker_name(trial: optuna.trial.FrozenTrial) -> str:
    """The process that ran a trial, as `host:pid`."""
    return str(trial.user_attrs.get(_WORKER, {}).get("name", ""))


def _find_machine() -> str:
    """This machine, and where the system has them, its numbering of processes and its start."""
    parts = [socket.gethostname()]
    with suppress(OSError):  # a system without /proc
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _find_start(pid: int) -> str:
    """When a process started, which tells it from a later one of the same number; or "" if gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    if os.name != "posix":
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"
