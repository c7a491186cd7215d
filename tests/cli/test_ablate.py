"""`sluice ablate`: the report on a small language model, and the options it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from command import run, sentence
from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary


@pytest.fixture
def model(tmp_path: Path) -> Path:
    vocabulary = Vocabulary(tuple("abc "))
    config = LanguageModelConfig(
        len(vocabulary), "gru", embedding_size=4, hidden_size=6, num_layers=1
    )
    torch.manual_seed(0)
    Checkpoint(LanguageModel(config), vocabulary, {}).save(tmp_path / "model.safetensors")
    (tmp_path / "data.txt").write_text("a cab a cab abba cab " * 30)
    return tmp_path / "model.safetensors"


def test_the_report(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("ablate", model, tmp_path / "data.txt", "--out", out, "--group", 4, "--length", 9)
    assert result.exit_code == 0, result.output
    assert "3 held-out parts, 631 tokens. The intact model:" in result.output
    for label in ("layers.l0 update shut", "layers.l0 candidate mean", "layers.l0 units 4–5"):
        assert label in result.output
    report = json.loads((out / "ablation.json").read_text())
    # Two gates three ways, a candidate two, and units 0 to 3 and 4 to 5.
    assert len(report["effects"]) == 2 * 3 + 2 + 2
    losses = [effect["loss"] for effect in report["effects"]]
    assert losses == sorted(losses, reverse=True)
    assert report["generated"][0]["label"] == "whole" and len(report["generated"]) == 11
    assert {path.name for path in out.iterdir()} == {
        "ablation.json", "ablation.png", "ablation.svg",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "none"}, "There is no file of weights"),
        ({"data": "none.txt"}, "There is no file or folder"),
        ({"data": "other.txt"}, "of which the model knows every token"),
        ({"--group": 0}, "group must be at least 1 unit, got 0"),
        ({"--out": "data.txt"}, "check the path and its permissions"),
    ],
)
def test_invalid_options_are_refused(
    change: dict[str, object], message: str, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.txt").write_text("xyz")
    arguments: dict[str, object] = {
        "model": model.name,
        "data": "data.txt",
        "--out": "out",
    } | change
    for name in ("model", "data", "--out"):
        arguments[name] = tmp_path / str(arguments[name])
    options = [
        part for name, value in arguments.items() if name[0] == "-" for part in (name, value)
    ]
    assert message in sentence(run("ablate", arguments["model"], arguments["data"], *options))
