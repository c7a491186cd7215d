"""`sluice train tunes --from`: training on from a model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from sluice.cli import app
from sluice.cli.progress import TrainingDisplay
from sluice.sequence import Checkpoint


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", "tunes", *map(str, arguments)])


def train_successfully(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.abc"
    path.write_text(
        "\n".join(
            f"X:{number}\nT:Own {chr(65 + number)}\nM:6/8\nL:1/8\nK:C\n"
            f"|:^F{'CDEFGABc'[number % 8]}G c2{'cdefg'[number // 8]}|c3 F3:|\n"
            for number in range(20)
        )
    )
    return path


@pytest.fixture
def base(book: Path, tmp_path: Path) -> Path:
    train_successfully(
        "--corpus", book, "--hidden", 8, "--steps", 4, "--out", tmp_path / "base"
    )  # fmt: skip
    return tmp_path / "base" / "tunes.safetensors"


def test_a_model_file_is_trained_on(book: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    train_successfully("--corpus", book, "--from", base, "--steps", 3, "--out", out)
    config = Checkpoint.load(out / "tunes.safetensors").model.config
    assert config == Checkpoint.load(base).model.config and config.hidden_size == 8


def test_an_interrupted_training_is_resumed_from_its_own_model(
    book: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("--corpus", book, "--from", base, "--steps", 6)
    train_successfully(*asked, "--out", tmp_path / "whole")
    show, shown = TrainingDisplay.show, []

    def interrupt(self: TrainingDisplay, progress: object) -> None:
        shown.append(progress)
        show(self, progress)  # type: ignore[arg-type]
        if len(shown) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingDisplay, "show", interrupt)
    assert "To resume" in train_successfully(*asked, "--out", tmp_path / "out")
    monkeypatch.setattr(TrainingDisplay, "show", show)
    train_successfully("--resume", "--out", tmp_path / "out")
    first, second = (
        Checkpoint.load(tmp_path / name / "tunes.safetensors").model.state_dict()
        for name in ("whole", "out")
    )
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize("option", [("--hidden", 9), ("--layers", 2), ("--dropout", 0.1)])
def test_the_sizes_are_the_models(option: tuple[str, object], tmp_path: Path) -> None:
    result = run("--from", "shipped", *option, "--out", tmp_path / "out")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"{option[0]} does not apply to --from" in result.stderr


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    result = run("--from", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "nowhere" in result.stderr
