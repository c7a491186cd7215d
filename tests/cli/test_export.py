"""`sluice export`: from a model file to a file of another engine."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch

from command import run, sentence
from last_value_model import build_checkpoint
from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    shape = LanguageModelConfig(vocabulary_size=6, embedding_size=8, hidden_size=8, num_layers=1)
    path = tmp_path / "model.safetensors"
    Checkpoint(LanguageModel(shape), Vocabulary(tuple("abc"))).save(path)
    return path


@pytest.mark.parametrize(
    "options", [pytest.param((), marks=pytest.mark.exhaustive), ("--stream", "--int8")]
)
def test_a_file_and_its_loss(model: Path, options: tuple[str, ...], tmp_path: Path) -> None:
    data = tmp_path / "text.txt"
    data.write_text("abcabccba" * 20)
    said = run("export", model, *options, "--check", data)
    assert said.exit_code == 0, said.output
    assert model.with_suffix(".onnx").stat().st_size > 1000
    for part in ("Written: ", "differs from the model by at most", "Reads: tokens (", "Run it: "):
        assert part in said.stdout
    own, theirs = map(float, re.findall(r"(?:model|file) (\d\.\d+)", said.stdout))
    assert abs(own - theirs) < (0.01 if options else 1e-4)


def test_c(model: Path) -> None:
    said = run("export", model, "--to", "c")
    assert said.exit_code == 0, said.output
    assert "of constants" in said.stdout and model.with_suffix(".h").exists()
    assert "--stream does not apply" in sentence(run("export", model, "--to", "c", "--stream"))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_module_and_its_loss(model: Path, tmp_path: Path) -> None:
    data = tmp_path / "text.txt"
    data.write_text("abcabccba" * 20)
    said = run("export", model, "--to", "js", "--check", data)
    assert said.exit_code == 0, said.output
    assert "differs from the model by at most" in said.stdout
    assert 'import { createState, generate, step } from "./model.js"' in said.stdout
    own, theirs = map(float, re.findall(r"(?:model|file) (\d\.\d+)", said.stdout))
    assert abs(own - theirs) < 1e-4
    assert "--stream does not apply" in sentence(run("export", model, "--to", "js", "--stream"))


def test_without_node_it_is_said(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(model.parent))
    said = run("export", model, "--to", "js", "--int8")
    assert said.exit_code == 0 and "There is no node here, so it was not run." in said.stdout
    assert "which is not installed" in sentence(run("export", model, "--to", "js", "--check", "a"))


def test_pages(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run("export", model, "--to", "html")
    assert said.exit_code == 0 and "Run it: open model.html in a browser" in said.stdout
    assert "How the text begins" in model.with_suffix(".html").read_text()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # no node, which would take seconds
    said = run("export", "tunes", "--to", "html", "--int8")
    assert said.exit_code == 0 and "Tunes by a network" in Path("tunes.html").read_text()
    assert Path("tunes.html").stat().st_size < 7_000_000
    assert "--check does not apply" in sentence(
        run("export", model, "--to", "html", "--check", "a")
    )


def test_torch(model: Path) -> None:
    said = run("export", model, "--to", "torch")
    assert said.exit_code == 0, said.output
    assert "from model import load" in said.stdout and model.with_suffix(".pt").exists()
    assert "no form for an embedding" in sentence(run("export", model, "--to", "rtneural"))


def test_what_is_refused(model: Path, tmp_path: Path) -> None:
    assert "must not be the model itself" in sentence(run("export", model, "--out", model))
    forecaster = tmp_path / "forecaster.safetensors"
    build_checkpoint().save(forecaster)
    assert "not of a Forecaster" in sentence(run("export", forecaster, "--to", "keras"))
    assert "compares losses of language models" in sentence(
        run("export", forecaster, "--check", forecaster)
    )
    assert "missing.safetensors" in sentence(run("export", tmp_path / "missing.safetensors"))
