import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from sluice.cli import app
from sluice.sequence import Checkpoint
from sluice.sequence.training.state_files import CheckpointFolder

SMALL = ("--hidden", 8, "--layers", 1, "--batch", 4, "--seq-len", 10)


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    path = tmp_path / "poem.txt"
    path.write_text("\n".join("the cat sat on the mat"[: 9 + number % 12] for number in range(30)))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def train_successfully(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def train_refused(*arguments: object) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
    assert result.stderr.startswith("sluice: ")
    return result.stderr


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_training_uses_the_given_options(poem: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    output = train_successfully(
        poem, *SMALL, "--out", out, "--epochs", 3, "--cell", "gru", "--dropout", 0,
        "--learning-rate", 0.02, "--bptt", "4,8", "--precision", "bfloat16", "--seed", 3,
        "--sparse-embeddings",
    )  # fmt: skip
    assert "1 sequence (one per file)" in output and "nats per character" in output
    model = Checkpoint.load(out / "model.safetensors").model
    config = model.config
    assert (config.cell, config.hidden_size, config.num_layers, config.dropout) == ("gru", 8, 1, 0)
    record = json.loads((out / "training.json").read_text())
    assert record["plan"]["bptt"] == [4, 8]
    assert record["plan"]["precision"] == record["options"]["precision"] == "bfloat16"
    assert record["plan"]["sparse_embeddings"] is True
    assert record["plan"]["learning_rate"] == 0.02
    assert record["options"]["seed"] == 3
    assert record["versions"]["torch"] == torch.__version__


def test_a_budget_in_steps(poem: Path, tmp_path: Path) -> None:
    train_successfully(poem, *SMALL, "--out", tmp_path / "out", "--steps", 5)
    (newest, *_) = CheckpointFolder(tmp_path / "out" / "training").list_files()
    assert newest.name == f"last-{5:012}.state"


def test_an_unfinished_training_is_resumed_or_discarded_on_request(
    poem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    options = (*SMALL, "--epochs", 2, "--seed", 5)
    train_successfully(poem, *options, "--out", whole)
    from sluice.cli.progress import TrainingDisplay

    def interrupt(self: TrainingDisplay, progress: object) -> None:
        if progress.step == 6:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingDisplay, "show", interrupt)
        output = train_successfully(poem, *options, "--out", out)
    assert "stopped early" in output
    assert f"To resume: sluice train {poem} --out {out} --resume" in output
    record = (out / "training.json").read_bytes()
    assert "stopped after step 6" in train_refused(poem, *options, "--out", out)
    assert "had --learning-rate not given, got 0.5; leave it out" in train_refused(
        poem, "--out", out, "--resume", "--learning-rate", 0.5
    )
    assert "is the record of a training on" in train_refused(
        tmp_path / "other", "--out", out, "--resume"
    )
    assert (out / "training.json").read_bytes() == record
    train_successfully(poem, "--out", out, "--resume")
    torch.testing.assert_close(weights(out), weights(whole), rtol=0, atol=0)
    with monkeypatch.context() as patch:
        patch.setattr(TrainingDisplay, "show", interrupt)
        train_successfully(poem, *options, "--out", out, "--overwrite")
    train_successfully(poem, *SMALL, "--epochs", 1, "--out", out, "--overwrite")
    assert json.loads((out / "training.json").read_text())["plan"]["epochs"] == 1


def test_a_damaged_checkpoint_is_reported_in_one_line(poem: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    train_successfully(poem, *SMALL, "--out", out, "--steps", 4)
    states = CheckpointFolder(out / "training")
    (newest,) = states.list_files()
    newest.with_name("last-000000000009.state").write_bytes(newest.read_bytes()[:-9])
    output = train_successfully(poem, "--out", out, "--resume")
    assert "sluice: " in output and "is damaged; trying an older" in " ".join(output.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--minutes", 1, "--epochs", 1), "--minutes, --epochs and --steps exclude each other"),
        (("--bptt", "a"), "--bptt must be one or two numbers of steps"),
        (("--bptt", "5,2"), "1 <= k1 <= k2"),
        (("--cell", "hopfield"), "cell must be one of atr"),
        (("--resume", "--overwrite"), "exclude each other"),
        (("--steps", 0), "steps must be at least 1"),
        (("--hidden", 0), "--hidden must be an integer"),
    ],
)
def test_invalid_options_are_refused(
    options: tuple[object, ...], message: str, poem: Path, tmp_path: Path
) -> None:
    assert message in train_refused(poem, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "There is no file"), (b"\xff\xfe\x00", "UTF-16"), (b"", "is empty")],
)
def test_data_that_cannot_be_read(content: bytes | None, message: str, tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    if content is not None:
        data.write_bytes(content)
    assert message in train_refused(data, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_curves_without_tensorboard(
    poem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    result = run(poem, "--out", tmp_path / "out", "--steps", 2, "--tensorboard")
    assert result.exit_code == 2
    assert "pip install 'sluice-rnn[tensorboard]'" in result.stderr


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_train_as_one(poem: Path, tmp_path: Path) -> None:
    options = [*SMALL, "--steps", 6, "--dropout", 0]
    train_successfully(poem, *options, "--out", tmp_path / "one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "sluice", "train", poem, *options, "--out", tmp_path / "two"]
    around = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **around, "RANK": rank, "GLOO_SOCKET_IFNAME": "lo"},
        )
        for rank in "01"
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert "Training done" in outputs[0][0]
    assert outputs[1][0] == ""
    torch.testing.assert_close(
        weights(tmp_path / "two"), weights(tmp_path / "one"), rtol=1e-3, atol=1e-4
    )
