from pathlib import Path

import pytest
import torch

from sluice.sequence import Checkpoint, SequenceError, compute_loss_per_token
from sluice.tunes.composition import training
from sluice.tunes.composition.composer import Composer
from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.corpus.statistics import compute_statistics, from_dict
from sluice.tunes.errors import TuneError
from sluice.tunes.notation.model_tokens import ModelTokens

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
    spelling = ModelTokens.of_vocabulary(loaded.vocabulary)
    assert spelling.has_counts
    validation = [
        loaded.vocabulary.encode(spelling.encode(tune.tokens, tune.rhythm))
        for tune in prepared.split.validation
    ]
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


@pytest.fixture
def base(book: Path, tmp_path: Path) -> Path:
    """A model of the book's tunes."""
    path = tmp_path / "base.safetensors"
    config = training.make_training_config(epochs=12)
    training.train(training.prepare_dataset([book]), path, config, model_config=SMALL)
    return path


def test_training_on_keeps_what_the_model_knows_and_adds_what_it_lacks(
    base: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.abc"
    own.write_text(
        "\n".join(
            f"X:{number}\nT:Own {chr(65 + number)}\nM:6/8\nL:1/8\nK:C\n"
            f"|:^F{'CDEFGABc'[number % 8]}G c2{'cdefg'[number // 8]}|c3 F3:|\n"
            for number in range(20)
        )
    )
    dataset, out = training.prepare_dataset([own]), tmp_path / "own.safetensors"
    before, config = Checkpoint.load(base), training.make_training_config(epochs=2)
    training.train(dataset, out, config, base=before)
    after = Checkpoint.load(out)
    known = before.vocabulary.tokens
    assert after.vocabulary.tokens[: len(known)] == known
    assert {"M:6/8", "^F"} <= set(after.vocabulary.tokens[len(known) :])
    assert after.model.config.hidden_size == before.model.config.hidden_size == 32
    assert Checkpoint.load(base).vocabulary == before.vocabulary


def test_training_on_starts_from_the_weights(book: Path, base: Path, tmp_path: Path) -> None:
    dataset, losses = training.prepare_dataset([book]), {}
    for name, start in (("new", None), ("trained", Checkpoint.load(base))):
        config = training.make_training_config(epochs=1, from_trained=start is not None)
        result = training.train(dataset, tmp_path / name, config, model_config=SMALL, base=start)
        losses[name] = result.validation_loss
    untouched = training.compute_nats_per_token(Checkpoint.load(base), dataset.split.validation)
    assert losses["trained"] <= untouched + 1e-3 < losses["new"] - 1


def test_nats_per_token_are_those_of_a_plain_sum(book: Path, base: Path) -> None:
    loaded = Checkpoint.load(base)
    tunes = training.prepare_dataset([book]).split.validation
    total = count = 0.0
    spelling = ModelTokens.of_vocabulary(loaded.vocabulary)
    for tune in tunes:
        ids = [1, *loaded.vocabulary.encode(spelling.encode(tune.tokens, tune.rhythm)), 2]
        with torch.inference_mode():
            logits, _ = loaded.model(torch.tensor(ids[:-1])[:, None])
        for row, target in zip(logits[:, 0].double(), ids[1:], strict=True):
            total -= (row[target] - row.exp().sum().log()).item()
            count += 1
    assert training.compute_nats_per_token(loaded, tunes) == pytest.approx(total / count, abs=1e-5)
