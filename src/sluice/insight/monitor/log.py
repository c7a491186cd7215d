"""Which faults are said, and when they are taken back: those that last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sluice.insight.monitor.diagnosis import Diagnosis

_Key = tuple[str, str, str]
_OF_A_WINDOW = ("no gradient", "shut gate", "open gate", "dead units", "unread units")
"""Kinds that are about all observations of a window, and have lasted by the time they are seen."""


@dataclass(frozen=True)
class DiagnosisChange:
    """What an observation changed: what is newly said, and what is taken back."""

    raised: tuple[Diagnosis, ...]
    withdrawn: tuple[Diagnosis, ...]


class DiagnosisLog:
    """Keeps what is wrong: a fault is said once, when it has lasted, and taken back in the end.

    Args:
        patience: how many observations in a row must have a fault, or be without it.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self._active: dict[_Key, Diagnosis] = {}
        self._seen: dict[_Key, int] = {}
        self._missing: dict[_Key, int] = {}

    @property
    def active(self) -> tuple[Diagnosis, ...]:
        """What is wrong, with the newest figures."""
        return tuple(self._active.values())

    def add(self, faults: Iterable[Diagnosis], step: int) -> DiagnosisChange:
        """The faults of the next observation."""
        found = {one.key: one for one in faults}
        self._seen = {key: self._seen.get(key, 0) + 1 for key in found}
        raised = []
        for key, one in found.items():
            if key in self._active:
                self._active[key] = replace(one, step=self._active[key].step)
            elif one.kind in _OF_A_WINDOW or self._seen[key] >= self.patience:
                self._active[key] = replace(one, step=step)
                raised.append(self._active[key])
        self._missing = {
            key: self._missing.get(key, 0) + 1 for key in self._active if key not in found
        }
        over = [key for key, count in self._missing.items() if count >= self.patience]
        return DiagnosisChange(tuple(raised), tuple(self._active.pop(key) for key in over))
