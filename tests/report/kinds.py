"""A small untrained model of each kind with its data, as files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import torch

from sluice.sequence import Checkpoint, Vocabulary, load_data, make_task
from sluice.sequence.models import LabelsConfig, Seq2Seq, Seq2SeqConfig, Tagger

SIZES = {"hidden_size": 8, "num_layers": 1}
Saved = tuple[Path, Path]
"""The files of a model and of its data."""


def save_task(folder: Path, data: Path, load: dict[str, object], **options: object) -> Saved:
    """The model that `sluice train` makes for a file, as it is before training."""
    task = make_task(load_data(data, **load), **{**SIZES, **options})  # type: ignore[arg-type]
    path = folder / f"{data.stem}.safetensors"
    task.checkpoint.save(path)
    return path, data


def save_text(folder: Path, unit: str = "characters") -> Saved:
    data = folder / f"{unit}.txt"
    data.write_text('Tyger Tyger, "burning" bright,\nIn the forests of the night;\n' * 20)
    return save_task(folder, data, {"unit": unit})


def save_forecaster(folder: Path, **options: object) -> Saved:
    data = folder / "power.csv"
    rows = [
        f"2025-03-{1 + h // 24:02}T{h % 24:02}:00,{math.sin(h / 4):.2f},{400 + 90 * (h % 9):.0f}"
        for h in range(200)
    ]
    rows[7] = rows[7].split(",")[0] + ",," + rows[7].split(",")[2]
    data.write_text("when,temperature,load\n" + "\n".join(rows) + "\n")
    return save_task(folder, data, {"time": "when", "target": ["load"]}, horizon=3, **options)


def save_classifier(folder: Path) -> Saved:
    data = folder / "gestures.csv"
    rows = [
        f"g{n},{t},{math.cos(t * (1 + n % 2)):.3f},{t / 9 + n % 2:.3f},{'arc' if n % 2 else 'line'}"
        for n in range(24)
        for t in range(9 + n % 4)
    ]
    data.write_text("series,t,x,y,gesture\n" + "\n".join(rows) + "\n")
    return save_task(folder, data, {"id": "series", "time": "t", "label": "gesture"})


def save_tagger(folder: Path) -> Saved:
    data = folder / "steps.csv"
    rows = [
        f"p{n},{math.sin(t * (1 + t // 20)):.3f},{'run' if t // 20 else ('' if t == 3 else 'walk')}"
        for n in range(12)
        for t in range(40)
    ]
    data.write_text("id,up,label\n" + "\n".join(rows) + "\n")
    return save_task(folder, data, {})


def save_chorale(folder: Path) -> Saved:
    data = folder / "pieces.json"
    pieces = [[[60 + n, 64, 67], [60 + n, 64, 67], [], [62, 65 + n]] * 4 for n in range(12)]
    data.write_text(json.dumps(pieces))
    return save_task(folder, data, {})


def save_pairs(folder: Path) -> Saved:
    data = folder / "numbers.tsv"
    lines = ["one\t1", "one two\t1 2", "two one two\t2 1 2", "two\t"]
    data.write_text("\n".join(lines) + "\n")
    sources, targets = Vocabulary(("one", "two")), Vocabulary(("1", "2"))
    torch.manual_seed(0)
    config = Seq2SeqConfig(len(sources), len(targets), embedding_size=4, **SIZES)  # type: ignore[arg-type]
    path = folder / "numbers.safetensors"
    Checkpoint(Seq2Seq(config), sources, target_vocabulary=targets).save(path)
    return path, data


def save_tagged_words(folder: Path) -> Saved:
    data = folder / "sentences.tsv"
    data.write_text("the cat sees\tDET NOUN VERB\nsees the dog\tVERB DET NOUN\n" * 3)
    words = Vocabulary(("cat", "dog", "sees", "the"))
    config = LabelsConfig(3, vocabulary_size=len(words), embedding_size=4, **SIZES)  # type: ignore[arg-type]
    torch.manual_seed(0)
    path = folder / "sentences.safetensors"
    Checkpoint(Tagger(config), words, labels=("DET", "NOUN", "VERB")).save(path)
    return path, data


SAVED: dict[str, Callable[[Path], Saved]] = {
    "characters": save_text,
    "words": lambda folder: save_text(folder, "words"),
    "subwords": lambda folder: save_text(folder, "subwords"),
    "series": save_forecaster,
    "labels": save_classifier,
    "step labels": save_tagger,
    "rolls": save_chorale,
    "pairs": save_pairs,
    "tagged words": save_tagged_words,
}
