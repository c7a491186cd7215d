"""Reports on a forecaster and on a translator, with pictures of what they show of their data.

    python examples/looking_kinds.py docs/pictures

Trains both within a minute, on data made here: the load of a power grid by the hour, and English
sentences with their French, whose adjectives of colour stand behind their nouns. Writes a model,
its data and its page for each, and ``looking-series.png`` and ``looking-attention.png`` by Chromium
where that and Playwright are installed.
"""

from __future__ import annotations

import csv
import math
import random
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path

import torch
from looking import photograph

from sluice.report.page import build_report
from sluice.report.page.load import load_inputs
from sluice.sequence import (
    Checkpoint,
    PairBatches,
    TrainingConfig,
    Vocabulary,
    load_data,
    make_task,
    train,
)
from sluice.sequence.models import Seq2Seq, Seq2SeqConfig

HORIZON = 24
NOUNS = {"house": ("maison", 1), "car": ("voiture", 1), "dog": ("chien", 0), "cat": ("chat", 0)}
COLOURS = {"red": ("rouge", "rouge"), "white": ("blanc", "blanche"), "black": ("noir", "noire")}
SIZES = {"small": ("petit", "petite"), "big": ("grand", "grande")}
ARTICLES = {"the": ("le", "la"), "a": ("un", "une")}
VERBS = {"sees": "voit", "wants": "veut", "draws": "dessine"}
SHOWN = "the red house sees a small black dog", "la maison rouge voit un petit chien noir"


def main(folder: Path, hidden: int = 32, epochs: int = 12, weeks: int = 12) -> None:
    """Write models, data, pages and pictures into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    pages = {
        "series": (train_forecaster(folder, hidden, epochs, weeks), 200, 1),
        "attention": (train_translator(folder, hidden, epochs), 2, 0),
    }
    chromium = shutil.which("chromium")
    for name, ((model, data), step, zooms) in pages.items():
        page = folder / f"looking-{name}.html"
        build_report(load_inputs(model, data), title=data.stem.capitalize()).save(page)
        if chromium:
            picture = folder / f"looking-{name}.png"
            photograph(page, picture, chromium, step=step, part="s-view", zooms=zooms)


def train_forecaster(folder: Path, hidden: int, epochs: int, weeks: int) -> tuple[Path, Path]:
    """A model of the load of the next day, and its data as CSV."""
    data, model = folder / "load.csv", folder / "load.safetensors"
    with data.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "temperature", "load"])
        rows.writerows(make_loads(random.Random(1), weeks))
    task = make_task(
        load_data(data, time="time", target=("load",)),
        horizon=HORIZON,
        seq_len=7 * 24,
        hidden_size=hidden,
        num_layers=1,
        dropout=0.0,
    )
    train(
        task.model,
        task.training,
        task.validation,
        TrainingConfig(epochs=8 * epochs, learning_rate=5e-3),
    )
    task.calibrate()
    task.checkpoint.save(model)
    return model, data


def make_loads(rng: random.Random, weeks: int) -> list[tuple[str, float, int]]:
    """Hours with their temperature and load: two humps a day, less at the weekend, less if warm."""
    rows, warmth = [], 0.0
    for hour in range(weeks * 7 * 24):
        day, weekend = hour % 24, hour // 24 % 7 >= 5
        warmth = 0.98 * warmth + rng.gauss(0, 0.5)
        temperature = 11 + 5 * math.sin((day - 9) / 12 * math.pi) + warmth
        humps = 90 * math.sin((day - 7) / 12 * math.pi) + 45 * math.sin((day - 3) / 6 * math.pi)
        load = 420 + humps * (0.6 if weekend else 1) - 80 * weekend - 6 * (temperature - 11)
        load += rng.gauss(0, 6)
        time = (datetime(2025, 3, 3) + timedelta(hours=hour)).isoformat(" ", "minutes")
        rows.append((time, round(temperature, 1), round(load)))
    return rows


def train_translator(folder: Path, hidden: int, epochs: int) -> tuple[Path, Path]:
    """A model of French sentences with their English given, and some as lines with a tab."""
    rng = random.Random(1)
    pairs = [make_sentence(rng) for _ in range(1500)]
    sources, targets = ([side.split() for side in sides] for sides in zip(*pairs, strict=True))
    english, french = Vocabulary.of(sources), Vocabulary.of(targets)
    config = Seq2SeqConfig(
        len(english), len(french), hidden_size=hidden, num_layers=1, embedding_size=16, dropout=0.2
    )
    translator = Seq2Seq(config)
    read = [english.encode(tokens) for tokens in sources]
    written = [french.encode(tokens) for tokens in targets]
    train(
        translator,
        PairBatches(read[100:], written[100:], 32, 0),
        PairBatches(read[:100], written[:100], 32, 0),
        TrainingConfig(epochs=epochs, learning_rate=5e-3),
    )
    data, model = folder / "translation.tsv", folder / "translation.safetensors"
    data.write_text("".join(f"{a}\t{b}\n" for a, b in [SHOWN, *pairs[:50]]), encoding="utf-8")
    Checkpoint(translator, english, target_vocabulary=french).save(model)
    return model, data


def make_sentence(rng: random.Random) -> tuple[str, str]:
    """An English sentence and its French."""
    (first, premier), (second, deuxieme) = make_phrase(rng), make_phrase(rng)
    verb = rng.choice(list(VERBS))
    return f"{first} {verb} {second}", f"{premier} {VERBS[verb]} {deuxieme}"


def make_phrase(rng: random.Random) -> tuple[str, str]:
    """An article, perhaps a size and a colour, and a noun: in French the colour comes last."""
    noun, article = rng.choice(list(NOUNS)), rng.choice(list(ARTICLES))
    size, colour = rng.choice(["", *SIZES]), rng.choice(["", *COLOURS])
    word, gender = NOUNS[noun]
    french = [
        ARTICLES[article][gender],
        SIZES[size][gender] if size else "",
        word,
        COLOURS[colour][gender] if colour else "",
    ]
    return " ".join(filter(None, (article, size, colour, noun))), " ".join(filter(None, french))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
