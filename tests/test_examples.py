"""The examples run, in a small form, and write the pictures that the documentation shows."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sluice.chorales.corpus import load_chorales

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_of_examples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples")
    example("vanishing").main(tmp_path, steps=8, hidden=4, updates=3, runs=2)
    assert capsys.readouterr().out.count("after 8 steps") == 4
    example("reading").main(tmp_path, hidden=4, updates=2)
    small = {"cells": ["Elman", "GRU"], "lags": [2], "seeds": 1, "rates": [0.01], "steps": 2}
    example("comparing").main(tmp_path, **small)
    assert "Elman stops learning at lag 2" in capsys.readouterr().out
    example("ablating").main(tmp_path, hidden=4, updates=2)
    assert "lstm.l0 forget open: " in capsys.readouterr().out
    example("start").main(tmp_path, steps=4, hidden=4, updates=1)
    example("state_machine").main(tmp_path, updates=(1, 1, 30, 1))
    assert "trained on n up to 10" in capsys.readouterr().out
    headers = {path.name: path.read_bytes()[:8] for path in tmp_path.iterdir()}
    looks = {"looking.png", "looking-series.png", "looking-attention.png", "watching.png"}
    others = {"forecast.png", "translation-attention.png", "chorale-units.png"}
    maps = {f"translation-attention-{one}.png" for one in ("lstm", "convs2s", "transformer")}
    assert {*headers, *looks, *others, *maps} == {path.name for path in PICTURES.glob("*.png")}
    assert set(headers.values()) == {b"\x89PNG\r\n\x1a\n"}


def test_the_units_of_a_chorale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    music21 = pytest.importorskip("music21")
    bach = Path(music21.__file__).parent / "corpus" / "bach"
    read = load_chorales([bach / "bwv66.6.mxl", bach / "bwv269.mxl", bach / "bwv281.mxl"])
    module = example("chorale_units")
    shares = module.main(tmp_path, read.rolls)
    assert "units; best three units of each" in capsys.readouterr().out
    assert (tmp_path / "chorale-units.png").read_bytes()[:4] == b"\x89PNG"
    assert all(((one >= 0) & (one <= 1)).all() for one in shares.values())
    # Of 1, 3 | 4, 8 the variance is 6.5, and 4 of it lies between the means 2 and 6.
    activities, groups = np.array([[1.0], [4], [3], [8]]), np.array([7, 2, 7, 2])
    assert module.explain_variance(activities, groups) == pytest.approx(4 / 6.5)


@pytest.mark.exhaustive
@pytest.mark.skipif(
    shutil.which("chromium") is None or importlib.util.find_spec("playwright") is None,
    reason="needs Chromium and playwright",
)
def test_the_picture_of_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples")
    example("looking").main(tmp_path, hidden=4, updates=2)
    example("looking_kinds").main(tmp_path, hidden=4, epochs=1, weeks=3)
    assert _size_of(tmp_path / "looking.png") == _size_of(PICTURES / "looking.png")
    for name in ("looking-series.png", "looking-attention.png"):
        assert _size_of(tmp_path / name)[:4] == _size_of(PICTURES / name)[:4]  # as wide
    assert (tmp_path / "looking.html").read_text().startswith("<!doctype html>")


def test_the_picture_of_a_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = example("watching").main(tmp_path, hidden=4, updates=48)
    assert {one.value for one in monitor.diagnoses} == {"c", "forget"}
    said = capsys.readouterr().out
    assert "The forget gate of lstm.l1 is shut for good in 4 of 4 units" in said
    assert (
        not list(tmp_path.iterdir()) or (tmp_path / "watching.png").read_bytes()[:4] == b"\x89PNG"
    )


def _size_of(picture: Path) -> bytes:
    """Width and height, as a PNG's header has them."""
    return picture.read_bytes()[16:24]


@pytest.mark.exhaustive
def test_the_sketches_of_the_page_are_current(tmp_path: Path) -> None:
    example("sketches").main(tmp_path)
    page = (ROOT / "docs" / "equations-and-sketches.md").read_text()
    names = {path.name for path in tmp_path.iterdir()}
    assert set(re.findall(r"\(pictures/([^)]+)\)", page)) == names
    assert {*names, "chorale.svg"} == {path.name for path in PICTURES.glob("*.svg")}
    for name in names:
        assert (tmp_path / name).read_bytes() == (PICTURES / name).read_bytes()


def test_the_search_of_cells_is_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna")
    searching = example("cell_search")
    searching.VARIANTS = dict(list(searching.VARIANTS.items())[3:5])
    for trials in (1, 2):
        searching.main(tmp_path, trials=trials, steps=6, updates=4)
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines[1:]] == ["NOG", "NIAF"]


def test_the_text_example_learns_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "poem.txt"
    file.write_text("Tyger Tyger, burning bright,\nIn the forests of the night;\n" * 60)
    small = ["--seconds", "1", "--hidden", "8", "--layers", "1", "--dropout", "0"]
    example("text").main([str(file), *small])
    out = capsys.readouterr().out
    assert "3,480 characters" in out
    found = re.search(r"^(\d\.\d{3}) nats per character on 349 of validation$", out, re.MULTILINE)
    assert found and float(found[1]) < math.log(len(set(file.read_text())))


def test_chorales_are_measured_on_their_test_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = [[[60, 64, 67, 72], [62, 65, 69, 74]] * 4] * 3
    file = tmp_path / "pieces.json"
    file.write_text(json.dumps({"train": pieces, "valid": pieces, "test": pieces[:2]}))
    example("chorales").main([str(file), "--seconds", "1", "--hidden", "8"])
    out = capsys.readouterr().out
    assert "16 measured" in out  # two pieces of eight steps
    assert "nats per step" in out


def test_a_series_is_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("statsmodels")
    example("series").main([str(tmp_path), "--steps", "3", "--hidden", "4"])
    out = capsys.readouterr().out
    assert "1 series of 526 steps" in out
    assert "444 values forecast" in out  # twelve from each of 37 months
    assert "last season (12 steps)" in out
    assert "published: 0.26" in out
    rows = (tmp_path / "forecast.csv").read_text().splitlines()
    assert len(rows) == 13
    assert "2002-01" in rows[1]
    assert (tmp_path / "forecast.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
