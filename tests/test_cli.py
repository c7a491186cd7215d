import os
import random
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from child_process import limit_time
from command import run, sentence
from sluice.cells.registry import list_cells

NOTES = "GABcdefg"


@pytest.fixture(scope="module")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "tunes.abc"
    choose = random.Random(0).choice
    with path.open("w") as file:
        for number in range(1, 41):
            bars = ("".join(choose(NOTES) for _ in range(6)) for _ in range(7))
            music = "|".join([*bars, "G6"])
            file.write(f"X:{number}\nT:Tune {chr(64 + number)}\nM:6/8\nL:1/8\nK:G\n{music}|\n\n")
    return path


@pytest.fixture(scope="module")
def checkpoint(tunes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    result = run("train", "tunes", "--corpus", tunes, "--out", out, "--epochs", 6)
    assert result.exit_code == 0, result.output
    assert "nats per token" in result.output
    return out / "tunes.safetensors"


def test_version_is_the_installed_one() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.output.strip() == f"sluice {version('sluice-rnn')}"


def test_doctor_prints_versions_and_backends() -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) <= 24
    for word in (
        "torch",
        version("numpy"),
        "threads",
        f"all {3 + len(list_cells())} layers",
        "fused",
    ):
        assert word in result.output
    everything = run("doctor", "--all").output
    for word in ("nn.LSTM", "PeepholeLSTM", "tunes: mido", "search: optuna"):
        assert word in everything


def test_composing_writes_what_it_shows(checkpoint: Path, tmp_path: Path) -> None:
    options = ("--checkpoint", checkpoint, "--seed", 4, "--meter", "6/8", "--mode", "maj")
    result = run("compose", *options, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    (written,) = tmp_path.glob("*.abc")
    (sounding,) = tmp_path.glob("*.mid")
    assert written.read_text() in result.output
    assert "M:6/8" in written.read_text()
    assert sounding.read_bytes()[:4] == b"MThd"
    assert "corpus" in result.output
    assert "Nearest training tune" in result.output
    second = run("compose", *options, "--out", tmp_path / "again")
    assert written.read_text() in second.output


def test_several_tunes_start_with_the_prompt(checkpoint: Path, tmp_path: Path) -> None:
    result = run(
        "compose", "--checkpoint", checkpoint, "--out", tmp_path, "--count", 3,
        "--meter", "6/8", "--prompt", "CDE",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.output.count("K:Cmaj\nCDE") == 3
    assert len(list(tmp_path.glob("*.mid"))) == 3


def test_a_users_tune_is_continued_and_varied(checkpoint: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.abc"
    mine.write_text("X:1\nT:Mine\nM:6/8\nL:1/8\nK:G\nGAB cde|def gfe|GAB cde|edc BAG|\n")
    options = (
        "--checkpoint",
        checkpoint,
        "--out",
        tmp_path / "out",
        "--formats",
        "abc",
        "--seed",
        1,
    )
    result = run("compose", *options, "--continue", mine)
    assert result.exit_code == 0, result.output
    assert "K:Gmaj\nGAB cde|def gfe|GAB cde|edc BAG|" in result.output
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine.abc"]
    result = run("compose", *options, "--vary", mine, "--title", "Another", "--chords")
    assert result.exit_code == 0, result.output
    assert "T:Another\n" in result.output
    for instrument, program in (("flute", 73), ("fiddle", 110)):
        played = ("--title", instrument, "--formats", "mid", "--instrument", instrument)
        result = run("compose", *options, "--vary", mine, *played)
        assert result.exit_code == 0, result.output
        assert bytes([0xC0, program]) in (tmp_path / "out" / f"{instrument}.mid").read_bytes()
    mine.write_text(mine.read_text().replace("def gfe", "def *"))
    result = run("compose", *options, "--fill", mine)
    assert result.exit_code == 0, result.output
    assert "GAB cde|def " in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--key", "H"), "key must be one such as D, G"),
        (("--dance", "tango"), "must be one of jig, slip jig"),
        (("--formats", "mp3"), "formats are abc"),
        (("--instrument", "kazoo"), "instrument must be flute or fiddle"),
        (("--swing", "0.5"), "from 1 (even) to 4, got 0.5"),
        (("--fill", "none.abc"), "Cannot read none.abc"),
        (("--vary", "a.abc", "--fill", "b.abc"), "choose one"),
        (
            ("--vary", "a.abc", "--dance", "jig"),
            "--dance does not apply to --vary; the options for it are --vary, --strength,",
        ),
    ],
)
def test_invalid_composer_options_are_refused(
    options: tuple[str, ...], message: str, checkpoint: Path, tmp_path: Path
) -> None:
    result = run("compose", "--checkpoint", checkpoint, "--out", tmp_path / "out", *options)
    assert message in sentence(result)
    assert not list((tmp_path / "out").glob("*"))


def test_without_a_seed_the_seed_is_printed(checkpoint: Path, tmp_path: Path) -> None:
    result = run("compose", "--checkpoint", checkpoint, "--out", tmp_path)
    assert "The same again: --seed" in result.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x00\x01\x02", "is not text"),
        (b"Dear diary, no music today.\n", "no line begins with X:"),
        (b"X:1\nT:Silence\nM:4/4\nK:C\nz8|z8|\n", "could be read"),
        (b"X:1\nT:One\nM:4/4\nK:C\nCDEF GABc|\n", "of one family"),
    ],
)
def test_invalid_training_data_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    data, out = tmp_path / "data.abc", tmp_path / "out"
    data.write_bytes(content)
    assert message in sentence(run("train", "tunes", "--corpus", data, "--out", out))
    assert not list(out.glob("*"))


def test_training_in_bfloat16_keeps_weights_in_float32(tunes: Path, tmp_path: Path) -> None:
    weights_of = {}
    for precision in ("float32", "bfloat16"):
        out = tmp_path / precision
        options = ("--corpus", tunes, "--out", out, "--epochs", 1, "--precision", precision)
        result = run("train", "tunes", *options)
        assert result.exit_code == 0, result.output
        weights_of[precision] = load_file(out / "tunes.safetensors")
    name = "layers.weight_hh_l0"
    assert weights_of["bfloat16"][name].dtype is torch.float32
    # An epoch and a seed repeat bit by bit, so that what differs is the precision's doing.
    assert not torch.equal(weights_of["bfloat16"][name], weights_of["float32"][name])


@pytest.mark.exhaustive
def test_composing_in_int8(checkpoint: Path, tmp_path: Path) -> None:
    written = {}
    for precision in ("float32", "int8"):
        out = tmp_path / precision
        options = ("--checkpoint", checkpoint, "--seed", 0, "--count", 200, "--out", out)
        result = run("compose", *options, "--formats", "abc", "--precision", precision)
        assert result.exit_code == 0, result.output
        (tunes,) = out.glob("*.abc")
        written[precision] = tunes.read_text()
    # Somewhere in two hundred tunes a draw falls to another side.
    assert written["int8"] != written["float32"]


@pytest.mark.parametrize(
    ("command", "precision", "known"),
    [
        (("train", "tunes"), "int8", ("float32", "bfloat16")),
        (("compose",), "float16", ("float32", "bfloat16", "int8")),
    ],
)
def test_an_unknown_precision_is_refused(
    command: tuple[str, ...], precision: str, known: tuple[str, ...], tmp_path: Path
) -> None:
    result = run(*command, "--out", tmp_path / "out", "--precision", precision)
    assert result.exit_code == 2
    assert all(name in result.stderr for name in known)
    assert not (tmp_path / "out").exists()


def test_missing_data(tmp_path: Path) -> None:
    missing = tmp_path / "missing.abc"
    message = sentence(run("train", "tunes", "--corpus", missing, "--out", tmp_path / "out"))
    assert str(missing) in message


@pytest.mark.parametrize("command", ["train", "compose"])
def test_a_folder_that_cannot_be_written(
    command: str, tunes: Path, checkpoint: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("here first")
    arguments = {
        "train": ("train", "tunes", "--corpus", tunes, "--out", blocked / "out"),
        "compose": ("compose", "--checkpoint", checkpoint, "--out", blocked / "out"),
    }
    assert str(blocked) in sentence(run(*arguments[command]))
    assert blocked.read_text() == "here first"
    assert list(tmp_path.iterdir()) == [blocked]


def test_invalid_budgets_are_refused(tunes: Path, tmp_path: Path) -> None:
    arguments = ("train", "tunes", "--corpus", tunes, "--out", tmp_path / "out")
    assert "--minutes must be above 0, got 0" in sentence(run(*arguments, "--minutes", 0))
    assert "epochs must be above 0" in sentence(run(*arguments, "--epochs", -1))


@pytest.mark.parametrize(
    ("options", "expected_text"),
    [
        (("--meter", "13/7"), "meter must be one that the model was trained on, 6/8"),
        (("--mode", "blue"), "mode must be one that the model was trained on"),
        (("--prompt", "!?"), "must be notes in ABC, got '!?'"),
        (("--prompt", "^^C,,,,"), "not trained on"),
        (("--temperature", 0), "temperature must be above 0"),
    ],
)
def test_impossible_options_are_refused(
    checkpoint: Path, tmp_path: Path, options: tuple[object, ...], expected_text: str
) -> None:
    out = tmp_path / "out"
    message = sentence(
        run("compose", "--checkpoint", checkpoint, "--meter", "6/8", "--out", out, *options)
    )
    assert expected_text in message
    assert not out.exists()


def test_weights_that_cannot_be_read(checkpoint: Path, tmp_path: Path) -> None:
    broken, out = tmp_path / "broken.safetensors", tmp_path / "out"
    broken.write_bytes(checkpoint.read_bytes()[:-100])
    message = sentence(run("compose", "--checkpoint", broken, "--out", out))
    assert "not a complete safetensors file" in message
    message = sentence(run("compose", "--checkpoint", tmp_path / "none", "--out", out))
    assert "train first" in message
    assert not out.exists()


def test_no_traceback_from_a_real_process(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "sluice", "compose", "--checkpoint", tmp_path / "none"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=600,
    )
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_keeps_whole_weights(tunes: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sluice", "train", "tunes"),
            *("--corpus", tunes, "--out", tmp_path, "--minutes", "0.5"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    with limit_time(process):
        for line in process.stdout:
            if " s  " in line:  # the first validation
                process.send_signal(signal.SIGINT)
                break
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopped early" in rest
    assert f"To resume: sluice train tunes --out {tmp_path} --resume" in rest
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"tunes.safetensors", "training.json", "training"}
    assert "embedding.weight" in load_file(tmp_path / "tunes.safetensors")
