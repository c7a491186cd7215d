import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sluice.sequence import (
    Checkpoint,
    CheckpointError,
    LanguageModel,
    ModelConfig,
    Vocabulary,
)

VOCABULARY = Vocabulary(("a", "b", "c"))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    checkpoint(tied=False).save(path)
    return path


def checkpoint(**changes: Any) -> Checkpoint:
    config = ModelConfig(6, embedding_size=8, hidden_size=8, num_layers=1, **changes)
    return Checkpoint(LanguageModel(config), VOCABULARY, {"loss": 1.25, "note": "é"})


@pytest.mark.parametrize("tied", [False, True])
def test_there_and_back(tmp_path: Path, tied: bool) -> None:
    before, path = checkpoint(tied=tied), tmp_path / "weights"
    before.save(path)
    after = Checkpoint.load(path, vocabulary=VOCABULARY)
    assert after.vocabulary == VOCABULARY
    assert after.figures == {"loss": 1.25, "note": "é"}
    assert after.model.config == before.model.config
    assert not after.model.training
    tokens = torch.tensor([[1, 3, 4]])
    torch.testing.assert_close(after.model(tokens)[0], before.model.eval()(tokens)[0])


def test_the_file_is_plain_safetensors(saved: Path) -> None:
    assert load_file(saved)["readout.weight"].shape == (6, 8)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.load(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_no_such_file(tmp_path: Path) -> None:
    assert "train first" in refusal(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_a_truncated_file(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    assert "not a complete safetensors file" in refusal(saved)


def test_something_else_altogether(saved: Path) -> None:
    saved.write_text("X: 1\nT: no weights\nK: D\nDEF|\n")
    assert "not a complete safetensors file" in refusal(saved)


def test_safetensors_of_somebody_else(saved: Path) -> None:
    save_file({"x": torch.zeros(1)}, saved)
    assert "not a model that Sluice saved" in refusal(saved)


def rewrite(path: Path, weights: dict[str, torch.Tensor], **changes: str) -> None:
    metadata = {
        "format": "sluice language model 1",
        "config": json.dumps({"vocabulary_size": 6, "embedding_size": 8, "hidden_size": 8}),
        "vocabulary": '["a", "b", "c"]',
        "figures": "{}",
    }
    save_file(weights, path, {**metadata, **changes})


def test_a_weight_is_missing(saved: Path) -> None:
    weights = load_file(saved)
    rewrite(saved, weights, config=json.dumps({"vocabulary_size": 6, "num_layers": 1}))
    assert "embedding.weight should have the shape (6, 128), but has (6, 8)" in refusal(saved)
    rewrite(saved, weights)
    assert "layers.bias_hh_l1 should have the shape (32,), but has none" in refusal(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"config": "{"},
        {"config": '{"vocabulary_size": 6, "colour": 1}'},
        {"config": '{"vocabulary_size": 6, "cell": "none"}'},
        {"vocabulary": "6"},
        {"figures": "?"},
    ],
)
def test_a_damaged_description(saved: Path, changes: dict[str, str]) -> None:
    rewrite(saved, load_file(saved), **changes)
    assert "is damaged" in refusal(saved)


def test_another_vocabulary(saved: Path) -> None:
    assert "'d' is unknown to the weights" in refusal(saved, vocabulary=Vocabulary(("a", "d")))
    assert "the weights know more" in refusal(saved, vocabulary=Vocabulary(("a", "b")))


def test_model_and_vocabulary_must_fit() -> None:
    model = checkpoint().model
    with pytest.raises(CheckpointError, match="tells 6 tokens apart, but the vocabulary has 5"):
        Checkpoint(model, Vocabulary(("a", "b")), {})


def test_an_unwritable_folder_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here first")
    with pytest.raises(OSError, match="file"):
        checkpoint().save(tmp_path / "file" / "weights")
    assert (tmp_path / "file").read_text() == "here first"
