"""`sluice forecast`: from a model file and a table to a table and a picture."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from PIL import Image

from command import run, sentence
from last_value_model import build_checkpoint


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    build_checkpoint().save(path)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "d.csv"
    rows = [f"2024-01-01T{hour:02}:00,{hour}" for hour in range(20)]
    path.write_text("\n".join(["time,level", *rows]) + "\n")
    return path


def test_a_table_and_a_picture(model: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run("forecast", model, table, "--out", out, "--interval", 80, "--theme", "dark")
    assert said.exit_code == 0, said.output
    lines = (out / "forecast.csv").read_text().splitlines()
    assert lines[0] == "series,time,target,forecast,q10,q90"
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["d", f"2024-01-01T{hour}:00", "level", "19"] for hour in (20, 21, 22)
    ]
    for part in ("Ordered by: time.", "3 steps of level", "intervals of 80 %", "forecast.csv"):
        assert part in said.stdout
    with Image.open(out / "forecast.png") as picture:
        assert picture.getpixel((0, 0)) == (0x16, 0x18, 0x1D, 255)


def test_files_may_be_named(model: Path, table: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "a" / "b.csv", tmp_path / "c.svg"
    said = run("forecast", model, table, "--out", out, "--picture", picture, "--steps", 1)
    assert said.exit_code == 0, said.output
    assert len(out.read_text().splitlines()) == 2
    assert picture.read_text().lstrip().startswith("<?xml")
    assert not out.with_suffix(".png").exists()


def test_a_future_file(table: Path, tmp_path: Path) -> None:
    model = tmp_path / "priced.safetensors"
    options: dict[str, object] = {"targets": (1,), "known": (0,), "horizon": 2}
    build_checkpoint(("price", "level"), **options).save(model)  # type: ignore[arg-type]
    table.write_text("time,price,level\n2024-01-01,3,5\n2024-01-02,3,6\n")
    future = tmp_path / "prices.csv"
    future.write_text("time,price\n2024-01-02,3\n2024-01-03,2\n2024-01-04,2\n")
    said = run("forecast", model, table, "--future", future, "--out", tmp_path / "f.csv")
    assert said.exit_code == 0, said.output
    rows = [line.split(",")[1:4] for line in (tmp_path / "f.csv").read_text().splitlines()[1:]]
    assert rows == [["2024-01-03", "level", "6"], ["2024-01-04", "level", "6"]]
    error = sentence(run("forecast", model, table, "--out", tmp_path / "g.csv"))
    assert "price" in error and "0 rows" in error
    future.write_text("time,price\n2024-01-09,3\n2024-01-10,2\n")
    error = sentence(run("forecast", model, table, "--future", future, "--out", tmp_path))
    assert "give the rows between them" in error
    assert not (tmp_path / "g.csv").exists()


def test_refusals(model: Path, table: Path, tmp_path: Path) -> None:
    def refused(*options: object) -> str:
        return sentence(run("forecast", model, table, "--out", tmp_path / "o", *options))

    assert "--interval must be one of 80" in refused("--interval", 95)
    assert "--only must be one of d, got 'shop'" in refused("--only", "shop")
    assert "no columns that are known ahead" in refused("--future", table)
    assert "--out must be a .csv file or a folder" in refused("--out", tmp_path / "o.txt")
    assert "a picture must be a .svg" in refused("--picture", tmp_path / "o.gif")
    table.write_text("time,height\n2024-01-01,3\n2024-01-02,3\n")
    assert "level" in refused()
    table.write_text("time,level\n2024-01-01,\n2024-01-02,\n")
    assert "no value" in refused()
    assert not (tmp_path / "o" / "forecast.csv").exists()


def test_evaluation_at_rolling_origins(model: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "d.csv", tmp_path / "scores.json"
    path.write_text("time,level\n" + "".join(f"{step},{2 * step}\n" for step in range(100)))
    said = run("evaluate", model, path, "--held-out", 0.2, "--stride", 5, "--out", out)
    assert said.exit_code == 0, said.output
    # Origins at 80, 85, 90 and 95; the last value is 2, 4 and 6 below what comes.
    assert "4 origins in the last 20 % of 1 series" in said.stdout
    scores = json.loads(out.read_text())["tables"]
    assert [one["MAE"] for one in scores["by step"]] == [2, 4, 6]
    assert [one["MASE"] for one in scores["by step"]] == [1, 2, 3]
    assert "exclude each other" in sentence(
        run("evaluate", model, path, "--stride", 5, "--origins", 5)
    )
    assert "--held-out must be between" in sentence(run("evaluate", model, path, "--held-out", 2))


def test_a_training_says_how_to_forecast(tmp_path: Path) -> None:
    path, out = tmp_path / "d.csv", tmp_path / "out"
    rows = [f"{hour},{hour % 6}" for hour in range(200)]
    path.write_text("\n".join(["time,level", *rows]))
    said = run(
        "train", path, "--horizon", 3, "--hidden", 4, "--layers", 1, "--steps", 2, "--seq-len", 12,
        "--out", out,
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    (line,) = [line for line in said.stdout.splitlines() if "To forecast" in line]
    _, _, command = line.partition(": sluice ")
    said = run(*shlex.split(command), "--out", tmp_path / "f")
    assert said.exit_code == 0, said.output
    assert (tmp_path / "f" / "forecast.csv").read_text().count("\n") == 4
    assert "were trained" not in said.stdout
    said = run("evaluate", out / "model.safetensors", path, "--origins", 3)
    assert "data that the model was trained on" in " ".join(said.stdout.split())
