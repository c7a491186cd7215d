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
    BiaxialConfig,
    BiaxialModel,
    ChoraleConfig,
    ChoraleModel,
    Classifier,
    ConvSeq2Seq,
    ConvSeq2SeqConfig,
    Forecaster,
    ForecasterConfig,
    LabelsConfig,
    Seq2Seq,
    Seq2SeqConfig,
    Tagger,
    TransformerSeq2Seq,
    TransformerSeq2SeqConfig,
)

VOCABULARY = Vocabulary(("a", "b", "c"))


@pytest.fixture
def checkpoint_path(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    checkpoint(tied=False).save(path)
    return path


def checkpoint(**changes: Any) -> Checkpoint:
    config = LanguageModelConfig(6, embedding_size=8, hidden_size=8, num_layers=1, **changes)
    return Checkpoint(LanguageModel(config), VOCABULARY, {"loss": 1.25, "note": "é"})


@pytest.mark.parametrize("tied", [False, True])
def test_round_trip(tmp_path: Path, tied: bool) -> None:
    before, path = checkpoint(tied=tied), tmp_path / "weights"
    before.save(path)
    after = Checkpoint.load(path, vocabulary=VOCABULARY)
    assert after.vocabulary == VOCABULARY
    assert after.metadata == {"loss": 1.25, "note": "é"}
    assert after.model.config == before.model.config
    assert not after.model.training
    tokens = torch.tensor([[1, 3, 4]])
    torch.testing.assert_close(after.model(tokens)[0], before.model.eval()(tokens)[0])


def test_the_file_is_plain_safetensors(checkpoint_path: Path) -> None:
    assert load_file(checkpoint_path)["readout.weight"].shape == (6, 8)


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
def test_a_truncated_file(checkpoint_path: Path, keep: int) -> None:
    checkpoint_path.write_bytes(checkpoint_path.read_bytes()[:keep])
    assert "not a complete safetensors file" in refusal(checkpoint_path)


def test_a_file_of_another_format(checkpoint_path: Path) -> None:
    checkpoint_path.write_text("X: 1\nT: no weights\nK: D\nDEF|\n")
    assert "not a complete safetensors file" in refusal(checkpoint_path)


def test_safetensors_of_another_program(checkpoint_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, checkpoint_path)
    assert "not a model of Sluice" in refusal(checkpoint_path)


def rewrite(path: Path, weights: dict[str, torch.Tensor], **changes: str) -> None:
    metadata = {
        "format": "sluice language model 1",
        "config": json.dumps({"vocabulary_size": 6, "embedding_size": 8, "hidden_size": 8}),
        "vocabulary": '["a", "b", "c"]',
        "figures": "{}",
    }
    save_file(weights, path, {**metadata, **changes})


def test_a_weight_is_missing(checkpoint_path: Path) -> None:
    weights = load_file(checkpoint_path)
    rewrite(checkpoint_path, weights, config=json.dumps({"vocabulary_size": 6, "num_layers": 1}))
    assert "expected embedding.weight of shape (6, 128), got (6, 8)" in refusal(checkpoint_path)
    rewrite(checkpoint_path, weights)
    assert "expected layers.bias_hh_l1 of shape (32,), got none" in refusal(checkpoint_path)


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
def test_a_damaged_description(checkpoint_path: Path, changes: dict[str, str]) -> None:
    rewrite(checkpoint_path, load_file(checkpoint_path), **changes)
    assert "is damaged" in refusal(checkpoint_path)


def test_another_vocabulary(checkpoint_path: Path) -> None:
    assert "the model does not know 'd'" in refusal(
        checkpoint_path, vocabulary=Vocabulary(("a", "d"))
    )
    assert "the model has more" in refusal(checkpoint_path, vocabulary=Vocabulary(("a", "b")))


def test_model_and_vocabulary_must_fit() -> None:
    model = checkpoint().model
    with pytest.raises(CheckpointError, match="needs 6 tokens, got 5 as vocabulary"):
        Checkpoint(model, Vocabulary(("a", "b")), {})


@pytest.mark.parametrize("dtype", [None, "float16", "int8"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_round_trip_of_every_kind(tmp_path: Path, kind: str, dtype: Any) -> None:
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
    stored = Checkpoint(model, columns=("rain", "wind"), preprocessing={"hours": [1, 2]})
    return stored, (1000 + 3 * torch.randn(4, 3, 2),)


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
    "BiaxialModel": lambda: (
        Checkpoint(BiaxialModel(BiaxialConfig(features=5, clock=2, note_hidden_size=8, **sizes()))),
        (torch.rand(4, 3, 7).round(), torch.randint(0, 3, (4, 3, 5)).float()),
    ),
    "Seq2Seq": lambda: (
        Checkpoint(
            Seq2Seq(Seq2SeqConfig(6, 4, **sizes())),
            VOCABULARY,
            target_vocabulary=Vocabulary(("x",)),
        ),
        (tokens(4, 3), torch.full((3, 3), 3)),
    ),
    "ConvSeq2Seq": lambda: (
        Checkpoint(
            ConvSeq2Seq(ConvSeq2SeqConfig(6, 6, tied=True, joint=True, **sizes())),
            VOCABULARY,
            target_vocabulary=VOCABULARY,
        ),
        (tokens(4, 3), torch.full((3, 3), 3)),
    ),
    "TransformerSeq2Seq": lambda: (
        Checkpoint(
            TransformerSeq2Seq(TransformerSeq2SeqConfig(6, 4, embedding_size=8, num_layers=1)),
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


def test_a_file_of_the_first_version(checkpoint_path: Path) -> None:
    config = {"vocabulary_size": 6, "embedding_size": 8, "hidden_size": 8, "num_layers": 1}
    config |= {"cell": "lstm", "dropout": 0.2, "tied": False}
    weights = load_file(checkpoint_path)
    rewrite(checkpoint_path, weights, config=json.dumps(config))
    after = sluice.load_checkpoint(checkpoint_path)
    assert after.vocabulary == VOCABULARY and after.model.config.dropout == 0.2
    assert after.model.readout.weight.equal(weights["readout.weight"])


def test_metadata_of_the_file(checkpoint_path: Path) -> None:
    with safe_open(checkpoint_path, framework="pt") as file:
        found = file.metadata()
    assert (found["format"], found["kind"]) == ("sluice model", "LanguageModel")
    assert found["library_version"] == sluice.__version__


@pytest.mark.parametrize("changes", [{"format_version": "3"}, {"kind": "Oracle"}])
def test_a_file_of_a_later_version(checkpoint_path: Path, changes: dict[str, str]) -> None:
    with safe_open(checkpoint_path, framework="pt") as file:
        metadata = file.metadata()
    save_file(
        load_file(checkpoint_path),
        checkpoint_path,
        {**metadata, "library_version": "9.1", **changes},
    )
    message = refusal(checkpoint_path)
    assert "written by Sluice 9.1" in message and "update it to read this file" in message


def test_another_kind_than_needed(checkpoint_path: Path) -> None:
    assert "holds a LanguageModel, expected a Tagger" in refusal(checkpoint_path, kind=Tagger)


def test_tokens_for_a_model_of_values(tmp_path: Path) -> None:
    chorales, _ = EXAMPLES["ChoraleModel"]()
    chorales.save(tmp_path / "weights")
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


def test_a_full_disk_leaves_the_old_file(
    checkpoint_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = checkpoint_path.read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint(cell="gru").save(checkpoint_path)
    assert checkpoint_path.read_bytes() == before
    assert list(checkpoint_path.parent.iterdir()) == [checkpoint_path]


def test_weights_that_cannot_be_compressed_leave_the_old_file(checkpoint_path: Path) -> None:
    before, wild = checkpoint_path.read_bytes(), checkpoint()
    torch.nn.init.constant_(wild.model.readout.weight, 1e6)
    with pytest.raises(CheckpointError, match="save without dtype"):
        wild.save(checkpoint_path, dtype="float16")
    assert checkpoint_path.read_bytes() == before


def test_an_unwritable_folder_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here first")
    with pytest.raises(OSError, match="file"):
        checkpoint().save(tmp_path / "file" / "weights")
    assert (tmp_path / "file").read_text() == "here first"
