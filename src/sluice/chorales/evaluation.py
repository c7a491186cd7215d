"""A model of chorales judged on scores: what `sluice evaluate` prints of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sluice.chorales.batches import select_notes, shift_steps
from sluice.chorales.corpus import load_chorales, split_chorales
from sluice.chorales.models import read_grid, require_chorale_model
from sluice.chorales.readers.files import read_rolls
from sluice.chorales.roll import Roll
from sluice.chorales.training import compute_nats_per_step
from sluice.files import StrPath
from sluice.report.evaluation import EvaluationReport
from sluice.sequence import Checkpoint
from sluice.sequence.data.report import pluralize
from sluice.sequence.errors import DataError
from sluice.sequence.metrics.score_table import ScoreTable
from sluice.sequence.models.biaxial import BiaxialModel

TEST_PART = "chorales"
"""In place of a path: the test part of the chorales in music21."""


def evaluate_chorales(checkpoint: Checkpoint, data: StrPath) -> EvaluationReport:
    """Nats a time step, beside those of notes that know only what they did a step before.

    The baseline's probabilities are how often a note, whichever, goes from one state to another
    in the data themselves.

    Args:
        checkpoint: of `sluice train chorales`.
        data: files of MusicXML, MIDI or piano rolls, a folder of these, or "chorales" for the test
            part of those in music21.

    Raises:
        ChoraleError: another model, or one of an earlier version.
        DataError: nothing that can be read, or no piece within the model's notes.
        MissingExtraError: what a format needs is not installed.
    """
    model, grid = require_chorale_model(checkpoint), read_grid(checkpoint)
    if str(data) == TEST_PART:
        collection = load_chorales(grid=grid)
        rolls, notes = split_chorales(collection).test, [f"The test part of {TEST_PART}."]
    else:
        collection = read_rolls(data, grid=grid)
        rolls, notes = collection.rolls, collection.load_report.to_text().splitlines()
    if any(roll.grid != grid or roll.strikes < model.config.strikes for roll in rolls):
        raise DataError(
            f"{data} does not say which notes are struck, which the model predicts; give MusicXML "
            "or MIDI."
        )
    low, high = model.config.lowest, model.config.lowest + model.config.features - 1
    inside = [roll for roll in rolls if low <= roll.span[0] and roll.span[1] <= high]
    if not inside:
        raise DataError(
            f"{data} has no piece within the notes {low} to {high} (MIDI numbers) that the model "
            "knows."
        )
    if len(inside) < len(rolls):
        outside = pluralize(len(rolls) - len(inside), "piece")
        notes.append(f"{outside} left out, with notes beyond the model's, {low} to {high}.")
    metered = bool(checkpoint.metadata.get("is_metered", True))
    judged = tuple(replace(roll, is_metered=roll.is_metered and metered) for roll in inside)
    found = compute_nats_per_step(model, judged)
    usual = _count_changes(model, judged)
    names = ("notes", "sounding")
    table = ScoreTable(
        "scores",
        ("method", "nats per step", "of which notes sound"),
        (
            ("model", *(found[name] for name in names)),
            ("each note by its step before", *(usual[name] for name in names)),
        ),
        title=f"{sum(map(len, judged)):,} steps",
    )
    return EvaluationReport(type(model).__name__, str(data), (table,), notes)


def _count_changes(model: BiaxialModel, rolls: Sequence[Roll]) -> dict[str, float]:
    """Nats a step of a Markov chain that all notes share, counted in the data."""
    config = model.config
    low, high = config.lowest, config.lowest + config.features - 1
    counts = np.zeros((config.states, config.states))
    for roll in rolls:
        states = select_notes(roll, low, high, config.strikes)
        places = (shift_steps(states).astype(int).ravel(), states.astype(int).ravel())
        np.add.at(counts, places, 1)
    sounding = np.stack([counts[:, 0], counts[:, 1:].sum(axis=1)], axis=1)
    steps = sum(map(len, rolls))
    return {"notes": _sum_nats(counts) / steps, "sounding": _sum_nats(sounding) / steps}


def _sum_nats(counts: NDArray[np.float64]) -> float:
    """Of choices that are as frequent as counted, in each row."""
    whole = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, whole, out=np.ones_like(counts), where=counts > 0)
    return float(-(counts * np.log(shares)).sum())
