"""The passes of an observed step: a tape that also keeps what ran, to run a part of it again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sluice.insight.recording.recorder import Tape
from sluice.insight.recording.selection import Selection
from sluice.run.recording.recorded_pass import Recording
from sluice.run.spec import RunSpec


@dataclass(frozen=True)
class ObservedPass:
    """What ran, and what brings its sequences into the caller's order; None where they are."""

    spec: RunSpec
    order: Tensor | None

    def find_valid(self, rows: Tensor) -> Tensor | None:
        """Which steps of the caller's sequences ``rows`` count, ``(time, rows)``; None for all."""
        valid = self.spec.valid_mask
        if valid is None:
            return None
        valid = valid.squeeze(-1)
        valid = valid if self.order is None else valid.index_select(1, self.order)
        return valid.index_select(1, rows.to(valid.device))


class MonitorTape(Tape):
    """A tape of all named values that keeps the specs of the passes too."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model, Selection(None, None, False, False, 1), None)
        self._passes: dict[tuple[str, int], list[ObservedPass]] = {}

    def __enter__(self) -> MonitorTape:
        super().__enter__()
        return self

    def on_pass(self, layer: object, place: int, recording: Recording, spec: RunSpec) -> None:
        """As `Tape.on_pass`."""
        super().on_pass(layer, place, recording, spec)
        recording.keeps_read = False  # each is read once: the next takes its memory
        found = ObservedPass(spec, recording.order)
        self._passes.setdefault(self._key(layer, place), []).append(found)

    def find_pass(self, name: str, place: int, steps: int) -> ObservedPass | None:
        """The recorded call of a module's place, or the calls that it consists of as one.

        None where they do not make up ``steps`` steps.
        """
        found = list[ObservedPass]()
        for one in reversed(self._passes.get((self._modules[name]._name, place), [])):
            found.insert(0, one)
            if sum(len(one.spec.x) for one in found) >= steps:
                break
        if sum(len(one.spec.x) for one in found) != steps:
            return None
        return found[0] if len(found) == 1 else _join([one.spec for one in found])


def _join(specs: list[RunSpec]) -> ObservedPass | None:
    """Calls that continue each other as one; None where that takes more than their inputs."""
    first = specs[0]
    if any(one.lengths is not None or one.resets is not None or one.reverse for one in specs):
        return None
    if any(len(mask) > 1 for one in specs for mask in one.masks):
        return None
    inputs = tuple(torch.cat(parts) for parts in zip(*(one.inputs for one in specs), strict=True))
    x = torch.cat([one.x for one in specs])
    return ObservedPass(replace(first, x=x, inputs=inputs), None)


@dataclass(frozen=True)
class SequenceMarks:
    """Which steps of the looked-at sequences count, in the caller's order.

    Attributes:
        rows: the numbers of the sequences in the batch.
        valid: ``(time, rows)``, boolean; None for all.
    """

    rows: Tensor
    valid: Tensor | None

    def select(self, values: Tensor) -> Tensor:
        """Of ``(time, batch, width)`` the steps that count, ``(steps, width)``."""
        found = values.index_select(1, self.rows.to(values.device))
        return found.flatten(0, 1) if self.valid is None else found[self.valid]


def choose_rows(batch: int, count: int) -> Tensor:
    """At most ``count`` of ``batch`` sequences, evenly, the first among them.

    >>> choose_rows(32, 4).tolist(), choose_rows(3, 8).tolist()
    ([0, 8, 16, 24], [0, 1, 2])
    """
    kept = min(batch, count)
    return torch.arange(kept) * batch // max(kept, 1)
