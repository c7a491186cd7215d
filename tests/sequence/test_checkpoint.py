import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import sluice
from sluice.sequence import (
    Checkpoint,
    CheckpointError,
    LanguageModel,
    LanguageModelConfig,
    Vocabulary,
)
from sluice.sequence.models import (
    KINDS,
    ChoraleConfig,
    ChoraleModel,
    Classifier,
    Forecaster,
    ForecasterConfig,
    LabelsConfig,
    Seq2Seq,
    Seq2SeqConfig,
    Tagger,
)

VOCABULARY = Vocabulary(("a", "b", "c"))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    checkpoint(tied=False).save(path)
    return path


def checkpoint(**changes: Any) -> Checkpoint:
    config = LanguageModelConfig(6, embedding_size=8, hidden_size=8, num_layers=1, **changes)
    return Checkpoint(LanguageModel(config), VOCABULARY, {"loss": 1.25, "note": "é"})


@pytest.mark.parametrize("tied", [False, True])
def test_there_and_back(tmp_path: Path, tied: bool) -> None:
    before, path = checkpoint(tied=tied), tmp_path / "weights"
    before.save(path)
    after = Checkpoint.load(path, vocabulary=VOCABULARY)
    assert after.vocabulary == VOCABULARY
    assert after.metadata == {"loss": 1.25, "note": "é"}
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
    assert "not a model of Sluice" in refusal(saved)


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
    assert "expected embedding.weight of shape (6, 128), got (6, 8)" in refusal(saved)
    rewrite(saved, weights)
    assert "expected layers.bias_hh_l1 of shape (32,), got none" in refusal(saved)


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
    assert "the model does not know 'd'" in refusal(saved, vocabulary=Vocabulary(("a", "d")))
    assert "the model has more" in refusal(saved, vocabulary=Vocabulary(("a", "b")))


def test_model_and_vocabulary_must_fit() -> None:
    model = checkpoint().model
    with pytest.raises(CheckpointError, match="needs 6 tokens, got 5 as vocabulary"):
        Checkpoint(model, Vocabulary(("a", "b")), {})


@pytest.mark.parametrize("dtype", [None, "float16", "int8"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_any_kind_there_and_back(tmp_path: Path, kind: str, dtype: Any) -> None:
    before, inputs = EXAMPLES[kind]()
    path = tmp_path / "weights"
    before.save(path, dtype=dtype)
    after = sluice.load_checkpoint(path)
    assert replace(after, model=before.model) == before
    assert type(after.model) is type(before.model)
    assert after.model.config == before.model.config and not after.model.training
    expected, found = before.model.eval()(*inputs)[0], after.model(*inputs)[0]
    assert found.dtype == torch.float32
    exact = {} if dtype else {"rtol": 0, "atol": 0}
    spread = expected.std().item()
    torch.testing.assert_close(found, expected, **(exact or {"rtol": 0, "atol": 0.05 * spread}))
    assert dtype is None or not found.equal(expected)


def sizes(**changes: Any) -> dict[str, Any]:
    return {"embedding_size": 8, "hidden_size": 8, "num_layers": 1, **changes}


def tokens(*shape: int) -> torch.Tensor:
    return torch.randint(3, 6, shape)


class Own(sluice.Cell):
    candidate = sluice.Gate()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        return dict(h=0.5 * h + 0.5 * sluice.tanh(self.candidate(x, h)))


def example_of_forecaster() -> tuple[Checkpoint, Any]:
    config = ForecasterConfig(2, targets=(1,), horizon=2, **sizes(cell=Own, zoneout={"h": 0.1}))
    model = Forecaster(config)
    model.mean.copy_(torch.tensor([1000.0, 1e-6])), model.deviation.fill_(3)
    kept = Checkpoint(model, columns=("rain", "wind"), preprocessing={"hours": [1, 2]})
    return kept, (1000 + 3 * torch.randn(4, 3, 2),)


EXAMPLES: dict[str, Any] = {
    "LanguageModel": lambda: (checkpoint(cell="SLSTM", layer_norm=True), (tokens(5, 2),)),
    "Classifier": lambda: (
        Checkpoint(Classifier(LabelsConfig(2, features=3, **sizes())), labels=("no", "yes")),
        (torch.randn(4, 3, 3),),
    ),
    "Tagger": lambda: (
        Checkpoint(Tagger(LabelsConfig(2, vocabulary_size=6, **sizes())), VOCABULARY),
        (tokens(4, 3),),
    ),
    "Forecaster": example_of_forecaster,
    "ChoraleModel": lambda: (
        Checkpoint(ChoraleModel(ChoraleConfig(5, **sizes()))),
        (torch.rand(4, 3, 5).round(),),
    ),
    "Seq2Seq": lambda: (
        Checkpoint(
            Seq2Seq(Seq2SeqConfig(6, 4, **sizes())),
            VOCABULARY,
            target_vocabulary=Vocabulary(("x",)),
        ),
        (tokens(4, 3), torch.full((3, 3), 3)),
    ),
}


def test_smaller_files(tmp_path: Path) -> None:
    large = Checkpoint(LanguageModel(LanguageModelConfig(6, hidden_size=128)), VOCABULARY)
    found = {}
    for dtype in (None, "float16", "int8"):
        large.save(tmp_path / "weights", dtype=dtype)
        found[dtype] = (tmp_path / "weights").stat().st_size
    assert found["int8"] < 0.3 * found[None] < found["float16"] < 0.52 * found[None]


def test_a_file_of_the_first_version(saved: Path) -> None:
    config = {"vocabulary_size": 6, "embedding_size": 8, "hidden_size": 8, "num_layers": 1}
    config |= {"cell": "lstm", "dropout": 0.2, "tied": False}
    weights = load_file(saved)
    rewrite(saved, weights, config=json.dumps(config))
    after = sluice.load_checkpoint(saved)
    assert after.vocabulary == VOCABULARY and after.model.config.dropout == 0.2
    assert after.model.readout.weight.equal(weights["readout.weight"])


def test_what_the_file_says_of_itself(saved: Path) -> None:
    with safe_open(saved, framework="pt") as file:
        found = file.metadata()
    assert (found["format"], found["kind"]) == ("sluice model", "LanguageModel")
    assert found["library_version"] == sluice.__version__


@pytest.mark.parametrize("changes", [{"format_version": "3"}, {"kind": "Oracle"}])
def test_a_file_of_a_later_version(saved: Path, changes: dict[str, str]) -> None:
    with safe_open(saved, framework="pt") as file:
        metadata = file.metadata()
    save_file(load_file(saved), saved, {**metadata, "library_version": "9.1", **changes})
    message = refusal(saved)
    assert "written by Sluice 9.1" in message and "update it to read this file" in message


def test_another_kind_than_needed(saved: Path) -> None:
    assert "holds a LanguageModel, expected a Tagger" in refusal(saved, kind=Tagger)


def test_tokens_for_a_model_of_values(tmp_path: Path) -> None:
    kept, _ = EXAMPLES["ChoraleModel"]()
    kept.save(tmp_path / "weights")
    assert "without a vocabulary" in refusal(tmp_path / "weights", vocabulary=VOCABULARY)


@pytest.mark.parametrize(
    ("kind", "names", "message"),
    [
        ("Tagger", {}, "needs 6 tokens, got 0 as vocabulary"),
        ("Classifier", {"labels": ("a", "b", "c")}, "needs 2 labels, got 3 as labels"),
        ("ChoraleModel", {"columns": ("a",)}, "needs 5 columns, got 1 as columns"),
        ("ChoraleModel", {"vocabulary": VOCABULARY}, "needs 0 tokens, got 6 as vocabulary"),
        ("Seq2Seq", {"vocabulary": VOCABULARY}, "needs 4 tokens, got 0 as target_vocabulary"),
    ],
)
def test_names_must_fit_the_model(kind: str, names: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        Checkpoint(EXAMPLES[kind]()[0].model, **names)


def test_a_full_disk_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint(cell="gru").save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_weights_that_cannot_be_made_small_leave_the_old_file(saved: Path) -> None:
    before, wild = saved.read_bytes(), checkpoint()
    torch.nn.init.constant_(wild.model.readout.weight, 1e6)
    with pytest.raises(CheckpointError, match="save without dtype"):
        wild.save(saved, dtype="float16")
    assert saved.read_bytes() == before


def test_an_unwritable_folder_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here first")
    with pytest.raises(OSError, match="file"):
        checkpoint().save(tmp_path / "file" / "weights")
    assert (tmp_path / "file").read_text() == "here first"
