"""Beginnings of one tune side by side in a model: read on, branched and dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sluice.sequence.batch import ModelState
from sluice.sequence.generation.engine import Engine, concatenate_rows, select_rows
from sluice.tunes.composition.monitor import GenerationMonitor

Logits = NDArray[np.float64]
_CHUNK = 32
"""Tokens that are read at once where nobody needs what comes between."""


@dataclass(frozen=True)
class ModelRows:
    """States after some sequences, and the logits of their next tokens, (rows, vocabulary)."""

    states: ModelState
    logits: Logits

    def select(self, rows: Sequence[int]) -> ModelRows:
        """Some of the rows; one may be taken several times."""
        chosen = list(rows)
        return ModelRows(
            select_rows(self.states, torch.tensor(chosen, dtype=torch.int64)), self.logits[chosen]
        )

    @staticmethod
    def concatenate(parts: Sequence[ModelRows]) -> ModelRows:
        """All rows of all parts."""
        states = concatenate_rows([part.states for part in parts])
        return ModelRows(states, np.concatenate([part.logits for part in parts]))


def read_beginning(engine: Engine, ids: Sequence[int], monitor: GenerationMonitor) -> ModelRows:
    """One row that has read these ids from where the engine stands."""
    for start in range(0, len(ids) - 1, _CHUNK):
        some = ids[start : min(start + _CHUNK, len(ids) - 1)]
        engine.feed(torch.tensor(some)[:, None])
        monitor.advance(len(some))
    logits = read_token(engine, ids[-1:])
    monitor.advance()
    return ModelRows(engine.read(), logits)


def read_token(engine: Engine, ids: Sequence[int]) -> Logits:
    """Let each row read an id; the logits of the next, (rows, vocabulary)."""
    logits: Logits = engine.logits(torch.tensor(ids)).double().numpy()
    return logits


def normalise(logits: Logits) -> Logits:
    """Logarithms of probabilities, each row by itself."""
    shifted: Logits = logits - logits.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def read_given(
    engine: Engine,
    rows: ModelRows,
    given: Sequence[Sequence[int]],
    weights: Sequence[float],
    monitor: GenerationMonitor,
    limits: Sequence[tuple[int, int]] = (),
) -> tuple[list[int], list[float], ModelRows]:
    """Let each row read its own ids, and add their log-probabilities to its weight.

    Args:
        engine: of the model.
        rows: where to go on from.
        given: the ids of each row, one at least.
        weights: of each row.
        monitor: counts each place.
        limits: pairs of a place and how many rows are read on from there, those that weigh most;
            where there is a limit, all rows must have ids of one length. A single one is not read
            to its end.

    Returns:
        The numbers of the rows that are left, in order, with their weights and what they are now.
    """
    weight = np.array(weights, dtype=np.float64)
    most = dict(limits)
    active, logits, place = list(range(len(given))), rows.logits, 0
    done: list[int] = []
    finished: list[ModelRows] = []
    engine.write(rows.states)
    while active:
        ids = [given[number][place] for number in active]
        weight[active] += normalise(logits)[range(len(active)), ids]
        if (limit := most.get(place, len(active))) < len(active):
            kept = sorted(np.argsort(-weight[active], kind="stable")[:limit].tolist())
            active, ids = [active[row] for row in kept], [ids[row] for row in kept]
            engine.write(select_rows(engine.read(), torch.tensor(kept)))
            if limit == 1:
                return active, weight[active].tolist(), ModelRows(engine.read(), logits[kept])
        logits, place = read_token(engine, ids), place + 1
        ended = [row for row, number in enumerate(active) if len(given[number]) == place]
        if ended:
            now = ModelRows(engine.read(), logits)
            finished.append(now.select(ended))
            done += [active[row] for row in ended]
            going = [row for row in range(len(active)) if row not in ended]
            active, logits = [active[row] for row in going], logits[going]
            if going:
                engine.write(now.select(going).states)
        monitor.advance()
    order = sorted(range(len(done)), key=done.__getitem__)
    numbers = [done[row] for row in order]
    return numbers, weight[numbers].tolist(), ModelRows.concatenate(finished).select(order)
