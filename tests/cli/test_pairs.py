"""Pairs from the command line: trained on, generated from, evaluated."""

from __future__ import annotations

import gzip
import json
from itertools import product
from pathlib import Path

import pytest
import torch
from sacrebleu.metrics.chrf import CHRF
from typer.testing import CliRunner, Result

from sluice.cli import app
from sluice.run.kernels import extension
from sluice.sequence import (
    Checkpoint,
    LanguageModel,
    LanguageModelConfig,
    Vocabulary,
    generate_outputs,
)

WORDS = ["".join(letters) for size in (1, 2, 3) for letters in product("abcd", repeat=size)]


def run(*arguments: object, text: str | None = None) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], input=text)


@pytest.fixture(autouse=True)
def _restore_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "_threads", None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("pairs")
    (home / "train.tsv").write_text("".join(f"{word}\t{word[::-1]}\n" for word in WORDS))
    trained = run(
        "train", home / "train.tsv", "--out", home / "out", "--steps", 150, "--hidden", 48,
        "--layers", 1, "--learning-rate", 0.01, "--dropout", 0,
    )  # fmt: skip
    assert trained.exit_code == 0, trained.output
    assert "84; sources: 228 characters, 4 different" in trained.output  # 4 + 2 * 16 + 3 * 64
    assert " → " in trained.output and "token accuracy" in trained.output
    return home


def test_a_toy_is_learnt_and_generated_from(folder: Path) -> None:
    model, file = folder / "out" / "model.safetensors", folder / "inputs.txt"
    file.write_text("\n".join(WORDS) + "\n")
    made = run("generate", model, "--input-file", file)
    outputs = made.stdout.splitlines()
    assert len(outputs) == len(WORDS)
    right = sum(one == word[::-1] for one, word in zip(outputs, WORDS, strict=True))
    assert right >= 0.9 * len(WORDS)
    assert run("generate", model, "--input", "abc", "--input", "dcb").stdout.split() == [
        outputs[WORDS.index("abc")],
        outputs[WORDS.index("dcb")],
    ]


def test_lines_of_standard_input_keep_their_places(folder: Path) -> None:
    model, out = folder / "out" / "model.safetensors", folder / "made.txt"
    made = run("generate", model, "--input-file", "-", "--scores", "--out", out, text="ab\n\naxb\n")
    assert made.exit_code == 0, made.output
    first, empty, last = out.read_text().splitlines()
    assert empty == "" and first == last  # x is left out
    assert float(first.split("\t")[1]) <= 0
    assert "input 3: the model does not know 'x'" in made.stderr
    assert "1 empty line stays empty" in made.stderr


def test_an_evaluation_counts_exact_outputs(folder: Path) -> None:
    held = folder / "held.tsv"
    held.write_text("ab\tba\nabc\twrong\nbb\tbb\nz\tz\n")
    model = folder / "out" / "model.safetensors"
    made = run("generate", model, "--input", "ab", "--input", "abc", "--input", "bb").stdout.split()
    right = sum(one == other for one, other in zip(made, ("ba", "wrong", "bb"), strict=True))
    done = run("evaluate", model, held, "--out", folder / "scores.json")
    assert done.exit_code == 0, done.output
    saved = json.loads((folder / "scores.json").read_text())
    chrf = CHRF()
    chrf.corpus_score(["a"], [["a"]])
    assert f"Signatures of sacrebleu: chrF {chrf.get_signature()}." in saved["notes"]
    scores = saved["tables"]["scores"]
    of = {row[""]: row for row in scores}
    assert of["model"]["exact outputs"] == right / 4
    assert of["copy the source"]["exact outputs"] == 2 / 4  # bb and z
    assert "2 pairs with tokens that the model does not know" in done.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a model of pairs needs inputs; give --input or --input-file"),
        (["--prompt", "a"], "--prompt is for language models"),
        (["--input", " "], "--input must not be empty"),
        (["--input", "a", "--input-file", "b"], "exclude each other"),
        (
            ["--input", "a", "--temperature", "1"],
            "--temperature does not apply to a model of pairs",
        ),
        (["--input-file", "none.txt"], "none.txt"),
    ],
)
def test_what_a_model_of_pairs_cannot_do(folder: Path, arguments: list[str], message: str) -> None:
    refused = run("generate", folder / "out" / "model.safetensors", *arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_a_language_model_takes_no_inputs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = LanguageModel(LanguageModelConfig(5, embedding_size=4, hidden_size=4))
    Checkpoint(model, Vocabulary(("a", "b"))).save(tmp_path / "m.safetensors")
    refused = run("generate", tmp_path / "m.safetensors", "--input", "a")
    assert refused.exit_code == 2 and "--input is for models of pairs" in refused.stderr


def test_options_that_pairs_cannot_use_are_refused(folder: Path) -> None:
    for option, value in (("--horizon", 3), ("--seq-len", 5), ("--bptt", 4)):
        refused = run("train", folder / "train.tsv", "--out", folder / "no", option, value)
        assert refused.exit_code == 2 and option in refused.stderr


@pytest.mark.parametrize("architecture", ["recurrent", "convs2s", "transformer"])
def test_every_architecture_is_trained_and_used(architecture: str, tmp_path: Path) -> None:
    file = tmp_path / "words.tsv"
    file.write_text("".join(f"{word} {word}\t{word[::-1]} b\n" for word in WORDS))
    more = ["--input-feeding"] if architecture == "recurrent" else []
    out = tmp_path / "out"
    trained = run(
        "train", file, "--out", out, "--steps", 4, "--hidden", 16, "--layers", 1,
        "--architecture", architecture, "--tokenize", "subwords", "--joint-vocabulary",
        "--vocabulary-size", 300, "--label-smoothing", 0.1, "--group-by", "source", *more,
    )  # fmt: skip
    assert trained.exit_code == 0, trained.output
    model = out / "model.safetensors"
    loaded = Checkpoint.load(model)
    config = loaded.model.config
    assert loaded.vocabulary == loaded.target_vocabulary
    assert config.joint and config.tied and config.label_smoothing == 0.1
    made = run("generate", model, "--input", "ab ab", "--beam", 2, "--length", 8)
    assert made.exit_code == 0 and len(made.stdout.splitlines()) == 1
    given = ("generate", model, "--input", "ab ab", "--length-penalty", 0, "--length", 8)
    (short,) = generate_outputs(loaded, ["ab ab"], num_beams=3, max_length=8, length_penalty=0)
    assert run(*given, "--beam", 3).stdout == " ".join(short.text.splitlines()) + "\n"
    assert "give --beam too" in run(*given).stderr
    judged = run("evaluate", model, file, "--out", tmp_path / "scores.json", "--beam", 2)
    assert judged.exit_code == 0, judged.output
    assert "Outputs are of 2 beams; each is compared with one target." in judged.output
    scores = json.loads((tmp_path / "scores.json").read_text())["tables"]["scores"]
    assert {"exact outputs", "chrF", "perplexity"} <= scores[0].keys()
    again = run("train", file, "--from", model, "--steps", 2, "--out", tmp_path / "more")
    assert again.exit_code == 0, again.output
    assert type(Checkpoint.load(tmp_path / "more" / "model.safetensors").model) is type(
        loaded.model
    )
    looked = run("look", model, file, "--out", tmp_path / "page.html")
    if architecture == "recurrent":
        assert looked.exit_code == 0, looked.output
    else:
        assert looked.exit_code != 0
        assert "holds no recurrent layer" in looked.output.replace("\n", " ")


def test_what_an_architecture_does_not_have_is_refused(folder: Path, tmp_path: Path) -> None:
    file, out = folder / "train.tsv", tmp_path / "out"
    refused = run("train", file, "--architecture", "convs2s", "--cell", "gru", "--out", out)
    assert refused.exit_code
    assert "--cell does not apply to the architecture convs2s" in refused.output.replace("\n", " ")
    model = folder / "out" / "model.safetensors"
    refused = run("train", file, "--from", model, "--input-feeding", "--out", out)
    assert "--input-feeding does not apply to --from" in refused.output.replace("\n", " ")
    assert not out.exists()


def test_pairs_in_two_files_are_judged(folder: Path, tmp_path: Path) -> None:
    model = folder / "out" / "model.safetensors"
    lines = [line.split("\t") for line in (folder / "train.tsv").read_text().splitlines()[:6]]
    (tmp_path / "both.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in lines))
    sides = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    sides[0].write_text("".join(f"{a}\n" for a, _ in lines))
    sides[1].write_bytes(gzip.compress("".join(f"{b}\n" for _, b in lines).encode()))
    for out, given in (("one", ["both.tsv"]), ("two", ["a.txt", "--target-file", sides[1]])):
        report = tmp_path / f"{out}.json"
        judged = run("evaluate", model, tmp_path / str(given[0]), *given[1:], "--out", report)
        assert judged.exit_code == 0, judged.output
    found = [json.loads((tmp_path / f"{one}.json").read_text()) for one in ("one", "two")]
    assert found[0]["tables"] == found[1]["tables"]
    (tmp_path / "short.txt").write_text("a\n")
    refused = run("evaluate", model, sides[0], "--target-file", tmp_path / "short.txt")
    assert refused.exit_code and "ends after line 1" in refused.output.replace("\n", " ")
    refused = run("evaluate", model, sides[0])
    assert "by --target-file" in refused.output.replace("\n", " ")
