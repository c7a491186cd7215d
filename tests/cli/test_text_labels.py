"""Texts with labels on the command line: trained, judged, predicted, trained on from."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

from command import run, sentence
from sluice.sequence import Checkpoint, LabelledTexts, load_data
from sluice.sequence.models import Classifier

GOOD, BAD = "great lovely bright warm".split(), "awful dull poor bleak".split()
OTHER = "the film was a story with some music".split()
TINY = ("--hidden", 16, "--layers", 1, "--dropout", 0, "--learning-rate", 0.02)


def write_reviews(path: Path, number: int, seed: int) -> list[tuple[str, str]]:
    """Texts in which one word alone decides the label."""
    draw, rows = random.Random(seed), list[tuple[str, str]]()
    for _ in range(number):
        words, label = draw.choices(OTHER, k=5), draw.choice(("negative", "positive"))
        words[draw.randrange(5)] = draw.choice(GOOD if label == "positive" else BAD)
        rows.append((" ".join(words), label))
    path.write_text("review\tsentiment\n" + "".join(f"{a}\t{b}\n" for a, b in rows))
    return rows


def accuracy(truth: list[str], found: list[str]) -> float:
    return sum(map(str.__eq__, truth, found)) / len(truth)


def macro_f1(truth: list[str], found: list[str]) -> float:
    """The mean over classes of 2 TP / (2 TP + FP + FN)."""
    scores = []
    for name in {*truth}:
        pairs = [(one == name, other == name) for one, other in zip(truth, found, strict=True)]
        right = pairs.count((True, True))
        wrong = pairs.count((True, False)) + pairs.count((False, True))
        scores.append(2 * right / (2 * right + wrong))
    return sum(scores) / len(scores)


def test_a_made_problem_is_learnt_and_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_reviews(Path("reviews.tsv"), 300, 0)
    trained = run("train", "reviews.tsv", *TINY, "--epochs", 6, "--tokenize", "words")
    assert trained.exit_code == 0, trained.output
    shown = " ".join(trained.output.split())
    assert "the text is in 'review', its label in 'sentiment'" in shown
    assert "sluice predict reviews-out/model.safetensors FILE" in shown
    model = "reviews-out/model.safetensors"
    checkpoint = Checkpoint.load(model, kind=Classifier)
    assert checkpoint.labels == ("negative", "positive")

    rows = write_reviews(Path("held.tsv"), 100, 1)
    predicted = run("predict", model, "held.tsv", "--out", "labels.csv")
    assert predicted.exit_code == 0, predicted.output
    with Path("labels.csv").open() as file:
        held = [*csv.DictReader(file)]
    assert [one["label"] for one in held] == [label for _, label in rows]
    truth, ours = [label for _, label in rows], [one["predicted"] for one in held]
    assert accuracy(truth, ours) > 0.97
    evaluated = run("evaluate", model, "held.tsv", "--out", "scores.json")
    assert evaluated.exit_code == 0, evaluated.output
    row = json.loads(Path("scores.json").read_text())["tables"]["scores"][0]
    assert row["accuracy"] == pytest.approx(accuracy(truth, ours))
    assert row["macro F1"] == pytest.approx(macro_f1(truth, ours))

    Path("new.txt").write_text("".join(f"{text}\n" for text, _ in rows))
    unlabelled = run("predict", model, "new.txt", "--out", "new.csv")
    assert unlabelled.exit_code == 0, unlabelled.output
    with Path("new.csv").open() as file:
        assert [one["predicted"] for one in csv.DictReader(file)] == ours

    again = run("train", "held.tsv", "--from", model, "--epochs", 1, "--out", "tuned")
    assert again.exit_code == 0, again.output
    tuned = Checkpoint.load("tuned/model.safetensors", kind=Classifier)
    assert tuned.vocabulary == checkpoint.vocabulary
    page = run("look", model, "held.tsv", "--out", "page.html")
    assert page.exit_code == 0, page.output


def test_options_of_tables_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_reviews(Path("reviews.tsv"), 40, 0)
    refused = sentence(run("train", "reviews.tsv", "--label", "sentiment"))
    assert "--label does not apply to texts with labels" in refused and "--columns" in refused
    read = load_data("reviews.tsv")
    assert isinstance(read, LabelledTexts) and len(read) == 40
