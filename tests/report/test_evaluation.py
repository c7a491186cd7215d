"""`sluice evaluate` on tokens and chords: which steps count, baselines, what is said."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from command import run, sentence
from sluice.report import EvaluationReport, evaluate_model
from sluice.report.evaluation.known_steps import KnownSteps
from sluice.sequence import Checkpoint, DataError, LanguageModel, LanguageModelConfig, Vocabulary
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.metrics.score_table import ScoreTable
from sluice.sequence.models import ChoraleConfig, ChoraleModel


@pytest.fixture
def model(tmp_path: Path) -> Path:
    vocabulary = Vocabulary(tuple("abc "), "characters")
    config = LanguageModelConfig(
        len(vocabulary), embedding_size=4, hidden_size=6, num_layers=1, dropout=0.0
    )
    torch.manual_seed(0)
    path = tmp_path / "model.safetensors"
    Checkpoint(
        LanguageModel(config), vocabulary, preprocessing={"load_options": {"kind": "text"}}
    ).save(path)
    return path


def cost(path: Path, parts: list[str], ends: bool = True) -> tuple[float, int]:
    """Nats and tokens of texts, each read from the initial state, the last one to its END."""
    checkpoint = Checkpoint.load(path)
    nats, items = 0.0, 0
    for number, part in enumerate(parts):
        ids = checkpoint.vocabulary.encode_text(part)
        ids = [*([1] if number == 0 else []), *ids, *([2] if number == len(parts) - 1 else [])]
        with torch.no_grad():
            logits, _ = checkpoint.model(torch.tensor(ids[:-1])[:, None])
        logs = logits[:, 0].double().log_softmax(dim=-1)
        nats -= float(logs.gather(1, torch.tensor(ids[1:])[:, None]).sum())
        items += len(ids) - 1
    return nats, items


def scores(report: EvaluationReport) -> dict[str, dict[str, float]]:
    rows = report.tables[0].to_records()
    return {str(row["method"]): row for row in rows}  # type: ignore[misc]


def test_a_text_and_its_bits_per_character(model: Path, tmp_path: Path) -> None:
    text = "a cab abba cab " * 20
    (tmp_path / "data.txt").write_text(text)
    report = evaluate_model(Checkpoint.load(model), tmp_path / "data.txt")
    nats, items = cost(model, [text])
    found = scores(report)["model"]
    assert items == len(text) + 1
    assert found["nats per token"] == pytest.approx(nats / items, rel=1e-5)
    assert found["perplexity"] == pytest.approx(math.exp(nats / items), rel=1e-5)
    assert found["bits per character"] == pytest.approx(nats / math.log(2) / len(text), rel=1e-5)
    assert [*scores(report)] == ["model", "unigram", "bigram"]
    assert scores(report)["bigram"]["perplexity"] < scores(report)["unigram"]["perplexity"]


def test_unknown_tokens_are_left_out_and_counted(model: Path, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("a cab\nabba?? cab")
    report = evaluate_model(Checkpoint.load(model), tmp_path / "data.txt")
    nats, items = cost(model, ["a cab", "abba", " cab"])
    # Of "abba" and " cab" the first token has no known one before it.
    assert items == 5 + 3 + 4 and "12 tokens predicted" in report.notes[0]
    assert scores(report)["model"]["nats per token"] == pytest.approx(nats / items, rel=1e-5)
    assert report.notes[1] == "3 tokens that the model does not know were left out."


def test_nothing_known_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("XYZ")
    with pytest.raises(DataError, match="the model knows no two tokens"):
        evaluate_model(Checkpoint.load(model), tmp_path / "data.txt")


def test_known_steps_against_a_loop() -> None:
    draws = np.random.default_rng(0)
    for _ in range(50):
        ids = draws.choice([1, 3, 4, 5], size=draws.integers(0, 12), p=[0.3, 0.3, 0.2, 0.2])
        pairs = list(zip([1, *ids], [*ids, 2], strict=True))
        expected = [(a, b) for k, (a, b) in enumerate(pairs) if b != 1 and (a != 1 or k == 0)]
        steps = KnownSteps.of(RaggedArray.of([ids]), whole=False)
        read = [steps.read(run, 0, int(n)) for run, n in enumerate(steps.lengths)]
        found = [pair for before, after in read for pair in zip(before, after, strict=True)]
        assert found == expected and steps.unknown == (ids == 1).sum()


def test_piano_rolls(tmp_path: Path) -> None:
    model = ChoraleModel(ChoraleConfig(88, hidden_size=4, num_layers=1))
    Checkpoint(model, columns=tuple(f"key {k}" for k in range(88))).save(tmp_path / "m.safetensors")
    rolls = [[[60, 64], [62]] * 4] * 3
    (tmp_path / "a.json").write_text(json.dumps({"train": rolls, "valid": rolls, "test": rolls}))
    report = evaluate_model(Checkpoint.load(tmp_path / "m.safetensors"), tmp_path / "a.json")
    # Two chords take turns, and the first follows silence: none of a step's keys sounded before.
    assert scores(report)["the step before"]["frame accuracy"] == 0.0
    assert report.notes[0].endswith("9 pieces, 72 steps.")


def test_the_command(model: Path, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("a cab abba " * 30)
    out = tmp_path / "new" / "report.json"
    result = run("evaluate", model, tmp_path / "data.txt", "--out", out)
    assert result.exit_code == 0, result.output
    assert "bits per character" in result.output and f"Written: {out}" in result.output
    assert [*json.loads(out.read_text())["tables"]] == ["scores"]
    assert "no file or folder" in sentence(run("evaluate", model, tmp_path / "none.txt"))


def test_figures_that_are_not_finite_are_null(tmp_path: Path) -> None:
    table = ScoreTable("scores", ("method", "x"), (("model", math.nan), ("other", math.inf)))
    EvaluationReport("Tagger", "a.csv", [table]).save(tmp_path / "a.json")
    rows = json.loads((tmp_path / "a.json").read_text())["tables"]["scores"]
    assert rows == [{"method": "model", "x": None}, {"method": "other", "x": None}]
