"""`sluice train` after a training: going on, replacing it, or starting from its model."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path

import pytest
import torch

from command import run, sentence
from sluice.folder_lock import lock_folder
from sluice.sequence import Checkpoint
from sluice.sequence.training.state_files import CheckpointFolder

TINY = ("--hidden", 8, "--layers", 1, "--seq-len", 20, "--batch", 4, "--dropout", 0)


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "t.txt"
    path.write_text("the cat sat on the mat. " * 60)
    return path


def train(*arguments: object) -> str:
    done = run("train", *arguments)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def refuse(*arguments: object) -> str:
    return sentence(run("train", *arguments))


def test_a_finished_training_goes_on_with_more_steps(text: Path) -> None:
    train(text, *TINY, "--steps", 4)
    assert "after 4 steps; choose --resume with a larger budget" in refuse(text, *TINY)
    train(text, "--steps", 8, "--resume")
    (newest, *_) = CheckpointFolder("t-out/training").list_files()
    assert newest.name == f"last-{8:012}.state"
    record = json.loads(Path("t-out/training.json").read_text())
    assert (record["options"]["steps"], record["options"]["hidden"]) == (8, 8)
    less = run("train", text, "--steps", 6, "--resume")
    assert less.exit_code == 2 and "It has had 8 steps already" in " ".join(less.stderr.split())
    assert "Training done" in train(text, "--resume")  # nothing is left to do


def test_a_finished_model_is_replaced_on_request_alone(text: Path) -> None:
    train(text, *TINY, "--steps", 3)
    weights = Path("t-out/model.safetensors")
    before = weights.read_bytes()
    message = refuse(text, *TINY, "--steps", 3, "--seed", 1)
    assert "--resume" in message and "--out" in message and "--overwrite" in message
    assert weights.read_bytes() == before
    train(text, *TINY, "--steps", 3, "--seed", 1, "--overwrite")
    assert weights.read_bytes() != before
    train(text, *TINY, "--steps", 3, "--overwrite")
    assert weights.read_bytes() == before  # equal runs write equal bytes


def test_a_model_of_unknown_origin_is_not_replaced(text: Path) -> None:
    Path("own").mkdir()
    Path("own/model.safetensors").write_bytes(b"precious")
    assert "is there already; choose --out" in refuse(text, *TINY, "--out", "own")
    assert "no training that could be resumed" in refuse(text, "--out", "own", "--resume")
    assert Path("own/model.safetensors").read_bytes() == b"precious"


def test_other_contents_of_the_same_file_are_refused(text: Path) -> None:
    train(text, *TINY, "--steps", 3)
    text.write_text(text.read_text().replace("m", "~"))  # other letters in the same places
    message = refuse(text, "--steps", 6, "--resume")
    assert "was on other data: what" in message and "has changed since" in message


def test_deleted_weights_are_written_again(text: Path) -> None:
    train(text, *TINY, "--steps", 3)
    weights = Path("t-out/model.safetensors")
    before = weights.read_bytes()
    weights.unlink()
    assert "--resume" in refuse(text, *TINY, "--steps", 3)  # its checkpoint holds them
    train(text, "--resume")
    assert weights.read_bytes() == before


def test_a_folder_in_use_is_refused(text: Path) -> None:
    Path("t-out").mkdir()
    with lock_folder("t-out"):
        message = refuse(text, *TINY, "--steps", 2)
    assert f"in use by a training, process {os.getpid()}" in message
    assert "choose another --out" in message


def test_leftovers_of_a_killed_process_are_removed(text: Path) -> None:
    Path("t-out/training").mkdir(parents=True)
    for name in (".model.safetensors.a1", ".training.json.b2", "training/.last-000.state.c3"):
        (Path("t-out") / name).write_bytes(b"half")
    train(text, *TINY, "--steps", 2)
    assert {path.name for path in Path("t-out").rglob("*")} == {
        "model.safetensors", "training.json", "training", f"last-{2:012}.state"
    }  # fmt: skip


def test_a_checkpoint_every_so_many_steps(text: Path) -> None:
    train(text, *TINY, "--steps", 5, "--checkpoint-every", "2steps")
    names = [path.name for path in CheckpointFolder("t-out/training").list_files()]
    assert names == [f"last-{5:012}.state", f"last-{4:012}.state"]
    for bad in ("5", "0min", "1.5steps", "often"):
        message = refuse(text, *TINY, "--checkpoint-every", bad, "--overwrite")
        assert "--checkpoint-every must be minutes or steps" in message


def test_a_full_disk_names_the_file_and_how_to_go_on(text: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    train(text, *TINY, "--steps", 2)
    weights = Path("t-out/model.safetensors").read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, limit[1]))
    try:
        done = run("train", text, "--steps", 4, "--resume")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    message = " ".join(done.stderr.split())
    assert done.exit_code == 2 and "File too large; make room there" in message
    assert "t-out/model.safetensors" in message and "--out t-out --resume" in message
    assert Path("t-out/model.safetensors").read_bytes() == weights
    train(text, "--steps", 4, "--resume")


def test_a_language_model_is_trained_on_with_more_tokens(text: Path) -> None:
    train(text, *TINY, "--steps", 3)
    other = text.with_name("u.txt")
    other.write_text("zebras & cats " * 80)
    said = train(other, "--from", "t-out/model.safetensors", "--steps", 3, "--batch", 4)
    assert "Trained on from t-out/model.safetensors" in said and "learning rate of 0.001" in said
    base, tuned = (Checkpoint.load(f"{name}-out/model.safetensors") for name in ("t", "u"))
    assert tuned.model.config.hidden_size == 8
    assert set(tuned.vocabulary.tokens) == set(other.read_text()) | set(base.vocabulary.tokens)
    assert "--hidden does not apply to --from" in refuse(
        other, "--from", "t-out/model.safetensors", "--hidden", 9, "--out", "x"
    )


def write_table(path: Path, columns: str, rows: int = 80) -> Path:
    names = columns.split(",")
    lines = [
        ",".join(str((row * (place + 3)) % 11 / 2) for place, _ in enumerate(names))
        for row in range(rows)
    ]
    path.write_text("\n".join([columns, *lines]) + "\n")
    return path


def test_a_forecaster_is_trained_on(text: Path) -> None:
    first = write_table(text.with_name("a.csv"), "level,rain")
    train(first, "--target", "level", "--horizon", 3, *TINY, "--steps", 3)
    second = write_table(text.with_name("b.csv"), "rain,level,wind")
    train(second, "--from", "a-out/model.safetensors", "--steps", 2, "--seq-len", 20)
    base, tuned = (Checkpoint.load(f"{name}-out/model.safetensors") for name in "ab")
    assert tuned.model.config == base.model.config and tuned.columns == ("level", "rain")
    torch.testing.assert_close(tuned.model.mean, base.model.mean)  # the scale stays
    third = write_table(text.with_name("c.csv"), "snow,wind")
    assert "level" in refuse(third, "--from", "a-out/model.safetensors", "--steps", 2)
    train(text, *TINY, "--steps", 2)
    assert "train a Forecaster, but the model" in refuse(
        third, "--from", "t-out/model.safetensors", "--steps", 2
    )


def test_a_tagger_is_trained_on_with_another_class(text: Path) -> None:
    def write(name: str, classes: str) -> Path:
        path = text.with_name(name)
        rows = [f"{row % 5},{classes[row % len(classes)]}" for row in range(120)]
        path.write_text("\n".join(["x,y", *rows]) + "\n")
        return path

    train(write("d.csv", "pqr"), "--label", "y", *TINY[:4], "--steps", 3)
    train(write("e.csv", "rsp"), "--from", "d-out/model.safetensors", "--steps", 2)
    base, tuned = (Checkpoint.load(f"{name}-out/model.safetensors") for name in "de")
    assert (base.labels, tuned.labels) == (("p", "q", "r"), ("p", "r", "s", "q"))
    assert tuned.model.readout.weight.shape == (4, base.model.readout.weight.shape[1])
    assert tuned.preprocessing["mean"] == base.preprocessing["mean"]
