"""`sluice train --from` and `--resume` for every kind of data."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from command import run
from sluice.cli.progress import TrainingDisplay
from sluice.sequence import Checkpoint

TINY = ("--hidden", 8, "--layers", 1, "--dropout", 0, "--batch", 4)
WORDS = "the cat sat on a mat and saw two birds in one tree".split()


def write_chorales(path: Path, seed: int) -> None:
    draw = random.Random(seed)
    piece = [[[48 + draw.randrange(12), 60 + draw.randrange(12)] for _ in range(9)] for _ in "abcd"]
    path.write_text(json.dumps({"train": piece, "valid": piece[:2]}))


def write_series(path: Path, seed: int) -> None:
    draw = random.Random(seed)
    rows = [f"{k},{t},{draw.random():.4f},{'ab'[k % 2]}" for k in range(12) for t in range(6)]
    path.write_text("\n".join(["id,time,level,label", *rows]) + "\n")


def write_text(path: Path, seed: int) -> None:
    path.write_text(" ".join(random.Random(seed).choices(WORDS, k=600)))


def write_pairs(path: Path, seed: int) -> None:
    draw = random.Random(seed)
    lines = [draw.choices(WORDS, k=4) for _ in range(60)]
    path.write_text("".join(f"{' '.join(one)}\t{' '.join(one[::-1])}\n" for one in lines))


KINDS: dict[str, tuple[str, Callable[[Path, int], None], tuple[object, ...]]] = {
    "rolls": (".json", write_chorales, ("--kind", "rolls")),
    "labels": (".csv", write_series, ()),
    "words": (".txt", write_text, ("--tokenize", "words")),
    "subwords": (".txt", write_text, ("--tokenize", "subwords")),
    "pairs": (".tsv", write_pairs, ("--tokenize", "words")),
}


def train(*arguments: object) -> str:
    done = run("train", *arguments)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def load(folder: str) -> Checkpoint:
    return Checkpoint.load(Path(folder) / "model.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_trained_on_from(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    suffix, write, options = KINDS[kind]
    write(Path(f"one{suffix}"), 0)
    write(Path(f"two{suffix}"), 1)
    train(f"one{suffix}", *TINY, *options, "--steps", 3, "--out", "base")
    given = () if "--tokenize" in options else options
    report = train(f"two{suffix}", *given, "--from", "base/model.safetensors", "--steps", 2,
                   "--out", "tuned")  # fmt: skip
    assert "Trained on from base/model.safetensors" in report
    base, tuned = load("base"), load("tuned")
    assert type(tuned.model) is type(base.model) and tuned.model.config == base.model.config
    assert (tuned.vocabulary, tuned.labels, tuned.columns) == (
        base.vocabulary,
        base.labels,
        base.columns,
    )
    before, after = base.model.state_dict(), tuned.model.state_dict()
    moved = [float((after[name] - before[name]).abs().max()) for name in before]
    assert 0 < max(moved) < 0.05  # two steps of a rate of 0.001, from where it stood


@pytest.mark.parametrize("kind", ["pairs", "rolls", "labels"])
def test_an_interrupted_training_is_resumed_bit_for_bit(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    suffix, write, options = KINDS[kind]
    write(Path(f"data{suffix}"), 0)
    asked = (f"data{suffix}", *TINY[:4], "--dropout", 0.3, "--batch", 4, *options, "--steps", 7)
    train(*asked, "--out", "whole")
    show, shown = TrainingDisplay.show, []

    def interrupt(self: TrainingDisplay, progress: object) -> None:
        shown.append(progress)
        show(self, progress)  # type: ignore[arg-type]
        if len(shown) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingDisplay, "show", interrupt)
    assert "To resume" in train(*asked, "--out", "parts")
    monkeypatch.setattr(TrainingDisplay, "show", show)
    train(f"data{suffix}", "--resume", "--out", "parts")
    first, second = (load(name).model.state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_book_of_tunes_says_how_to_train_for_composing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tunes = [f"X:{k}\nT:{k}\nM:6/8\nL:1/8\nK:C\n|:{'CDEFGABc'[k % 8]}3 c3:|\n" for k in range(12)]
    Path("book.abc").write_text("\n".join(tunes))
    assert "sluice train tunes --corpus book.abc" in train("book.abc", *TINY, "--steps", 2)
