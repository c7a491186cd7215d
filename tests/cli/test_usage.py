"""Options that do not apply are refused by name, before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sluice
from command import run, sentence
from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary
from sluice.sequence.models import Forecaster, ForecasterConfig

VALUES: dict[str, tuple[object, ...]] = {
    "--corpus": ("tunes.abc",),
    "--kind": ("text",),
    "--tokenize": ("words",),
    "--seq-len": (7,),
    "--target": ("level",),
    "--inputs": ("level",),
    "--id": ("id",),
    "--time": ("time",),
    "--label": ("label",),
    "--horizon": (24,),
    "--period": (7,),
    "--quantiles": ("0.1,0.5,0.9",),
    "--known": ("rain",),
    "--cell": ("gru",),
    "--sparse-embeddings": (),
}
COLUMNS = (
    "--target",
    "--inputs",
    "--id",
    "--time",
    "--label",
    "--horizon",
    "--period",
    "--quantiles",
    "--known",
)
UNUSED = {
    "tunes": tuple(
        option for option in VALUES if option not in ("--corpus", "--sparse-embeddings")
    ),
    "a.txt": ("--corpus", *COLUMNS),
    "lines.txt": ("--corpus", *COLUMNS),
    "a.abc": ("--corpus", "--tokenize", *COLUMNS),
    "a.mid": ("--corpus", "--tokenize", *COLUMNS),
    "a.json": ("--corpus", "--tokenize", "--seq-len", *COLUMNS, "--sparse-embeddings"),
    "levels.csv": ("--corpus", "--tokenize", "--sparse-embeddings"),
    "levels.parquet": ("--corpus", "--tokenize", "--sparse-embeddings"),
    "labels.csv": (
        "--corpus",
        "--tokenize",
        "--seq-len",
        "--target",
        "--horizon",
        "--period",
        "--quantiles",
        "--known",
        "--sparse-embeddings",
    ),
}
CALLED = {
    "tunes": "tunes",
    "a.txt": "text",
    "lines.txt": "text",
    "a.abc": "ABC",
    "a.mid": "MIDI",
    "a.json": "piano rolls",
    "levels.csv": "a table in CSV",
    "levels.parquet": "a table in Parquet",
    "labels.csv": "a table with labels",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of each kind, in which the test runs."""
    (tmp_path / "a.txt").write_text("Tyger Tyger, burning bright, " * 20)
    (tmp_path / "lines.txt").write_text("one line\n" * 20)
    (tmp_path / "a.abc").write_text("X:1\nT:A\nM:4/4\nL:1/8\nK:C\nCDEF GABc|c8|\n")
    (tmp_path / "a.mid").write_bytes(b"MThd\0\0\0\6\0\0\0\0\0\x60")
    rolls = [[[60, 64], [62]] * 4] * 12
    (tmp_path / "a.json").write_text(json.dumps({"train": rolls, "valid": rolls, "test": rolls}))
    rows = [f"{k % 3},{k},{k % 5}" for k in range(60)]
    (tmp_path / "levels.csv").write_text("\n".join(["id,time,level", *rows]) + "\n")
    (tmp_path / "levels.parquet").write_bytes(b"PAR1")
    rows = [f"{k // 5},{k},{k % 7},{'ab'[k // 5 % 2]}" for k in range(100)]
    (tmp_path / "labels.csv").write_text("\n".join(["id,time,level,label", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("data", "option"), [(data, option) for data, of in UNUSED.items() for option in of]
)
def test_training_refuses_what_the_data_cannot_use(data: str, option: str, folder: Path) -> None:
    message = sentence(run("train", data, "--steps", 1, "--hidden", 4, option, *VALUES[option]))
    called = CALLED[data]
    if data == "labels.csv" and option in (
        "--corpus",
        "--tokenize",
        "--sparse-embeddings",
    ):
        called = CALLED["levels.csv"]  # known before the table is read
    assert message.startswith(f"sluice: {option} does not apply to {called}")
    assert "the options for it are --" in message
    assert not list(folder.glob("*-out"))


def test_training_refuses_all_of_them_at_once(folder: Path) -> None:
    message = sentence(run("train", "a.txt", "--horizon", 24, "--period", 7, "--seq-len", 9))
    assert message.startswith("sluice: --horizon, --period do not apply to text; ")
    assert "--tokenize" in message and "--seq-len" in message


def test_streams_alone_have_a_length(folder: Path) -> None:
    many = Path("many")
    many.mkdir()
    for number in range(40):
        (many / f"{number}.txt").write_text("a short text\n")
    message = sentence(run("train", many, "--steps", 1, "--hidden", 4, "--seq-len", 9))
    assert "--seq-len does not apply to short sequences of tokens" in message


@pytest.mark.parametrize(
    "arguments",
    [
        ("a.txt", "--tokenize", "chars", "--seq-len", 9, "--cell", "gru", "--kind", "text"),
        ("levels.csv", "--target", "level", "--id", "id", "--time", "time", "--horizon", 2,
         "--period", 3, "--seq-len", 6, "--inputs", "level"),
        ("labels.csv", "--label", "label", "--id", "id", "--time", "time", "--inputs", "level"),
        ("a.json", "--cell", "gru", "--kind", "rolls"),
    ],
)  # fmt: skip
def test_training_takes_what_the_data_can_use(arguments: tuple[object, ...], folder: Path) -> None:
    result = run("train", *arguments, "--steps", 1, "--hidden", 4, "--layers", 1)
    assert result.exit_code == 0, result.output


def test_int8_is_not_for_training(folder: Path) -> None:
    assert "'int8' is not one of 'float32', 'bfloat16'" in sentence(
        run("train", "a.txt", "--precision", "int8")
    )


@pytest.fixture
def checkpoint(folder: Path) -> Path:
    model = LanguageModel(LanguageModelConfig(6, embedding_size=4, hidden_size=4))
    Checkpoint(model, Vocabulary(tuple("abc"))).save(folder / "model.safetensors")
    (folder / "tune.abc").write_text("X:1\nT:A\nM:4/4\nL:1/8\nK:C\nCDEF GABc|c8|\n")
    return folder / "model.safetensors"


RECORDING = {"--layer": "l0", "--step": 1, "--sequence": 0, "--unit": 1}
SAMPLING = {"--temperature": 1, "--top-k": 3, "--top-p": 0.9, "--typical": 0.9, "--seed": 1}
NEW_TUNE = {"--dance": "jig", "--key": "D", "--meter": "6/8", "--mode": "maj", "--prompt": "G2"}
EDITS = ("--continue", "--fill", "--vary")
OTHERS: list[tuple[tuple[object, ...], str, tuple[object, ...]]] = [
    *((("sketch", "gru"), name, (value,)) for name, value in RECORDING.items()),
    *((("sketch", "gru", "--recording", "r"), name, ()) for name in ("--series", "--animate")),
    *((("show", "gru"), name, of) for name, of in (("--part", ("backward",)), ("--double", ()))),
    (("show", "gru"), "--theme", ("dark",)),
    (("show", "gru", "--as", "llvm"), "--theme", ("dark",)),
    (("show", "gru", "--out", "a.svg"), "--part", ("backward",)),
    (("show", "gru", "--out", "a.svg"), "--double", ()),
    *((("generate", "model.safetensors", "--beam", 2), n, (v,)) for n, v in SAMPLING.items()),
    *((("compose", edit, "tune.abc"), n, (v,)) for edit in EDITS for n, v in NEW_TUNE.items()),
    *((("compose", edit, "tune.abc"), "--no-form", ()) for edit in EDITS),
    *((("compose", edit, "tune.abc"), "--strength", (0.5,)) for edit in EDITS[:2]),
    (("compose",), "--strength", (0.5,)),
    (("compare", "--cells", "gru"), "--match", ("parameters",)),
    (("compare", "--cells", "elman"), "--gate-init", ("forget",)),
    (("compare", "--cells", "elman,jordan"), "--gate-init", ("forget",)),
    (("look", "model.safetensors", "--text", "abc"), "--sequence", (0,)),
]


@pytest.mark.parametrize(("command", "option", "values"), OTHERS)
def test_other_commands_refuse_what_they_cannot_use(
    command: tuple[object, ...], option: str, values: tuple[object, ...], checkpoint: Path
) -> None:
    before = set(checkpoint.parent.iterdir())
    message = sentence(run(*command, option, *values))
    assert message.startswith(f"sluice: {option} does not apply to ")
    assert set(checkpoint.parent.iterdir()) == before


def test_a_default_that_is_given_is_refused_too(checkpoint: Path) -> None:
    assert "--step does not apply" in sentence(run("sketch", "gru", "--step", 0))


@pytest.mark.parametrize("command", ["look", "ablate", "generate"])
def test_a_model_of_values_reads_no_text(command: str, folder: Path) -> None:
    path = folder / "levels.safetensors"
    Checkpoint(Forecaster(ForecasterConfig(2)), columns=("rain", "wind")).save(path)
    options = {"look": ("--text", "abc"), "ablate": (folder / "a.txt",), "generate": ()}
    assert "Forecaster" in sentence(run(command, path, *options[command]))
    assert sluice.load_checkpoint(path).columns == ("rain", "wind")
