"""Comparisons: verdicts on synthetic runs, resuming, errors, and the written files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice import Cell, Gate, tanh
from sluice.report.comparison import (
    Comparison,
    ComparisonError,
    ComparisonProgress,
    TrialResult,
    TrialSpec,
    compare,
)
from sluice.report.comparison.settings import ComparisonSettings, load_cells
from sluice.report.tasks import list_tasks

SMALL: dict[str, Any] = dict(
    cells=("Elman", "GRU"), lags=(4, 2), seeds=2, rates=(0.01,), steps=3, hidden=4, batch=2
)
SETTINGS = ComparisonSettings(
    cells=load_cells(["Elman", "LSTM"]),
    task=list_tasks()["recall"],
    lags=(5, 10, 20),
    seeds=3,
    rates=(0.1, 0.2),
    hidden=4,
    steps=100,
    batch=2,
    match="hidden",
    start="chrono",
)


def fake_run(job: TrialSpec, solved: int | None, score: float = 0.3) -> TrialResult:
    """A run that ended after ``solved`` updates or all 100; its gradients depend on the seed."""
    last = solved or 100
    updates = list(range(0, last + 1, 10))
    losses: list[float | None] = [1.0 - 0.001 * update + job.seed for update in updates]
    scores: list[float | None] = [0.25] * (len(updates) - 1) + [score if solved is None else 1.0]
    flow = [10.0**-job.seed, 1.0]
    return TrialResult(
        **job._asdict(), hidden=4, parameters=60, equations="", updates=updates, losses=losses,
        scores=scores, arrives=[1.0] * len(updates), before=flow, after=[0.0, 2.0],
        solved=solved, seconds=1.0,
    )  # fmt: skip


def comparison() -> Comparison:
    """Elman solves lag 5, and lag 10 in one run of three; LSTM solves all, faster at one rate."""
    runs = {}
    for job in SETTINGS.list_trials():
        solved: int | None = 50 if job.rate == 0.1 else 30
        if job.cell == "Elman" and job.lag >= 10:
            solved = 40 if job.lag == 10 and job.seed == 1 and job.rate == 0.2 else None
        runs[job] = fake_run(job, solved, 0.3 + job.rate)
    return Comparison(SETTINGS, runs, "done")


def test_verdicts_and_rates() -> None:
    found = comparison()
    assert {run.rate for run in found.select_runs("Elman", 10)} == {0.2}  # solved once
    assert {run.rate for run in found.select_runs("Elman", 20)} == {0.2}  # the better score
    assert {run.rate for run in found.select_runs("LSTM", 20)} == {0.2}  # the sooner
    elman, lstm = found.verdicts()
    assert elman == ("Elman", 5, 10, pytest.approx(0.1), 0.0)
    assert lstm == ("LSTM", 20, None, pytest.approx(0.1), 0.0)
    assert "Elman stops learning at lag 10; there 1e-01 of" in str(elman)
    assert "LSTM learns every lag up to 20" in str(lstm)
    # At lag 10 one of three Elman runs succeeds; at 20 none does.
    assert found.find_discriminating_lag() == 20
    np.testing.assert_allclose(found.scores("Elman"), [[1, 1, 1], [0.5, 1, 0.5], [0.5] * 3])


def test_curves_continue_after_a_run_has_ended() -> None:
    updates, losses = comparison().curves("Elman", 10)
    np.testing.assert_array_equal(updates, np.arange(0, 101, 10))
    np.testing.assert_allclose(losses[0], 1.0 - 0.001 * updates)
    np.testing.assert_allclose(losses[1], 2.0 - 0.001 * np.minimum(updates, 40))
    assert comparison().flows("Elman", 10, "after").tolist() == [[0.0, 2.0]] * 3


def test_pictures_show_medians_bands_and_levels() -> None:
    found = comparison()
    figures = found.figures("dark")
    above, before, _ = figures["comparison"].axes
    elman, lstm, chance, solved = above.lines
    np.testing.assert_allclose(elman.get_ydata(), [1.0, 0.5, 0.5])
    np.testing.assert_allclose(lstm.get_ydata(), [1.0, 1.0, 1.0])
    assert (chance.get_ydata()[0], solved.get_ydata()[0]) == (0.25, 0.95)
    band = above.collections[0].get_paths()[0].vertices
    at_ten = band[band[:, 0] == 10][:, 1]
    assert (at_ten.min(), at_ten.max()) == (0.5, 1.0)
    assert before.get_title(loc="left") == "lag 20, before training"
    np.testing.assert_allclose(before.lines[0].get_ydata(), [0.1, 1.0])
    assert [axes.get_title(loc="left") for axes in figures["curves"].axes] == [
        "lag 5", "lag 10", "lag 20",
    ]  # fmt: skip
    assert len(figures["gradients"].axes) == 6
    with pytest.raises(ValueError, match="nothing to draw yet"):
        Comparison(SETTINGS, {}, "interrupted").figures()
    with pytest.raises(ValueError, match="'light' or 'dark'"):
        found.figures("red")


def plain(found: Comparison) -> list[dict[str, Any]]:
    return [run.to_dict() | {"seconds": 0} for run in found.runs.values()]


def test_an_interrupted_comparison_is_resumed(tmp_path: Path) -> None:
    whole = compare(**SMALL)
    assert [job[:3] for job in whole.runs][:4] == [
        ("Elman", 2, 0), ("GRU", 2, 0), ("Elman", 4, 0), ("GRU", 4, 0),
    ]  # fmt: skip
    ended = 0

    def interrupt(progress: ComparisonProgress) -> None:
        nonlocal ended
        ended += progress.trial is None
        if ended == 3 and progress.trial is not None:
            raise KeyboardInterrupt

    part = compare(**SMALL, out=tmp_path, on_progress=interrupt)
    assert part.stop_reason == "interrupted" and len(part.runs) == 3
    trained: list[TrialSpec] = []

    def follow(progress: ComparisonProgress) -> None:
        if progress.trial is not None:
            trained.append(progress.trial.spec)
        assert 0 <= progress.fraction <= 1

    rest = compare(**SMALL, out=tmp_path, on_progress=follow)
    assert rest.stop_reason == "done" and plain(rest) == plain(whole)
    assert not set(trained) & set(part.runs) and len(set(trained)) == 5
    # A smaller comparison reuses the runs, and nothing is lost from the file.
    less = compare(**SMALL | {"seeds": 1, "cells": ["GRU"]}, out=tmp_path)
    assert [job[:3] for job in less.runs] == [("GRU", 2, 0), ("GRU", 4, 0)]
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 1 + 8


def test_out_of_time() -> None:
    found = compare(**SMALL, seconds=0.0)
    assert (found.stop_reason, found.runs) == ("out of time", {})


def leaky(half: bool) -> Cell:
    class Own(Cell):
        write = Gate()

        def step(self, x: Any, h: Any) -> dict[str, Any]:
            return dict(h=(0.5 if half else 0.9) * h + tanh(self.write(x, h)))

    return Own()


def test_runs_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    settings = SMALL | {"cells": [leaky(half=True)], "lags": [2], "seeds": 1}
    compare(**settings, out=tmp_path)
    before = (tmp_path / "runs.jsonl").read_bytes()
    with pytest.raises(
        ComparisonError, match=r"runs.jsonl holds runs with steps 3, not 4; ask for"
    ):
        compare(**settings | {"steps": 4}, out=tmp_path)
    with pytest.raises(ComparisonError, match="with task 'order', not 'recall'"):
        compare(**settings, task="recall", out=tmp_path)
    with pytest.raises(ComparisonError, match="another cell called Own"):
        compare(**settings | {"cells": [leaky(half=False)]}, out=tmp_path)
    assert (tmp_path / "runs.jsonl").read_bytes() == before
    for content, message in (
        ("nonsense", "cannot be read"),
        ('{"format": "other"}\n', "is not a comparison"),
        (before.decode() + '{"cell": 1}\n', "is damaged"),
    ):
        (tmp_path / "runs.jsonl").write_text(content)
        with pytest.raises(ComparisonError, match=message):
            compare(**settings, out=tmp_path)


def test_written_files() -> None:
    report = json.loads(json.dumps(comparison().to_dict(), allow_nan=False))
    assert report["chosen rates"]["Elman"] == {"5": 0.2, "10": 0.2, "20": 0.2}
    assert len(report["runs"]) == 36 and report["verdicts"][0]["stops"] == 10
    assert report["task"]["chance_score"] == 0.25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": []}, "name at least one"),
        ({"cells": ["elman", "Elman"]}, "Elman is given twice"),
        ({"cells": ["elmann"]}, "cell must be one of atr, .*got 'elmann'"),
        ({"task": "chess"}, "task must be one of recall, order, .*got 'chess'"),
        ({"lags": []}, "at least one lag, got none"),
        ({"lags": [5, 0]}, "at least 2 steps, got 0"),
        ({"lags": [10**9]}, "this machine has"),
        ({"seeds": 0}, "seeds is at least 1, got 0"),
        ({"steps": 0}, "steps is at least 1"),
        ({"rates": []}, "learning rates are numbers above 0"),
        ({"rates": [float("nan")]}, "learning rates are numbers above 0"),
        ({"match": "speed"}, "match is hidden or parameters, got speed"),
        ({"start": "late"}, "start is chrono, forget or plain, got late"),
    ],
)
def test_invalid_comparisons_are_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ComparisonError, match=message):
        compare(**SMALL | change, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_settings_of_a_cell_do_not_depend_on_the_others() -> None:
    alone = replace(SETTINGS, cells=load_cells(["LSTM"]))
    assert (
        alone.sizes("LSTM") == SETTINGS.sizes("LSTM")
        and alone.common_settings() == SETTINGS.common_settings()
    )
