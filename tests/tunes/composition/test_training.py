from pathlib import Path

import pytest
import torch

from sluice.sequence import Checkpoint, SequenceError, compute_loss_per_token
from sluice.tunes.composition import training
from sluice.tunes.composition.composer import Composer
from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.corpus.statistics import compute_statistics, from_dict
from sluice.tunes.errors import TuneError

SMALL = training.TuneModelConfig(hidden_size=32)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Forty tunes of two bars, each of its own family."""
    torch.set_num_threads(1)
    tunes = []
    for number in range(40):
        low, high = "CDEFGABc"[number % 8], "cdefg"[number // 8]
        tunes.append(
            f"X:{number}\nT:Number {chr(65 + number % 8)}{chr(65 + number // 8)}\n"
            f"M:4/4\nL:1/8\nK:C\n|:{low}{high}{low}2 EGce|c2{high}{low} {low}4:|\n"
        )
    path = tmp_path / "book.abc"
    path.write_text("\n".join(tunes))
    return path


def test_the_file_holds_the_best_weights_and_the_corpus_figures(book: Path, tmp_path: Path) -> None:
    prepared = training.prepare_dataset([book])
    weights = tmp_path / "out" / "tunes.safetensors"
    outcome = training.train(
        prepared, weights, training.make_training_config(epochs=12), model_config=SMALL
    )
    loaded = Checkpoint.load(weights)
    validation = [loaded.vocabulary.encode(tune.tokens) for tune in prepared.split.validation]
    assert compute_loss_per_token(loaded.model, validation) == pytest.approx(
        outcome.validation_loss, abs=1e-5
    )
    assert outcome.validation_loss < 0.7 * torch.log(torch.tensor(len(loaded.vocabulary))).item()
    index = TuneIndex([tune.tokens[2:] for tune in prepared.split.training])
    expected = compute_statistics(prepared.split.validation, index)
    assert from_dict(loaded.metadata["corpus"]) == expected
    assert len(loaded.metadata["training"]) == len(prepared.split.training) == 38
    assert loaded.metadata["titles"] == [tune.title for tune in prepared.split.training]
    known = prepared.split.training[5]
    nearest = Composer.load(weights).index.find_nearest(known.tokens[2:])
    assert nearest is not None and nearest.title == known.title


def test_the_model_trains_in_the_requested_precision(book: Path, tmp_path: Path) -> None:
    prepared, plan = training.prepare_dataset([book]), training.make_training_config(epochs=4)
    losses = {
        precision: training.train(
            prepared,
            tmp_path / precision,
            plan,
            model_config=SMALL,
            precision=precision,
        ).validation_loss
        for precision in ("float32", "bfloat16")
    }
    assert losses["bfloat16"] == pytest.approx(losses["float32"], abs=0.02)
    assert losses["bfloat16"] != losses["float32"]


def test_a_plan_needs_one_budget() -> None:
    with pytest.raises(SequenceError, match="exactly one of seconds, epochs and steps"):
        training.make_training_config()


def test_reading_is_reported(book: Path) -> None:
    report = training.prepare_dataset([book]).report()
    assert report.startswith("40 of 40 tunes read, 0 dropped.")
    assert "40 families, the largest of 1 tunes" in report


def test_one_tune_is_too_few(tmp_path: Path) -> None:
    path = tmp_path / "one.abc"
    path.write_text("X:1\nM:4/4\nK:C\nCDEF|\n")
    with pytest.raises(TuneError, match="give more tunes"):
        training.prepare_dataset([path])
