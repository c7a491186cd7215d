"""`sluice generate`: its output for a seed, and the arguments it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from child_process import limit_time
from sluice.cli import app
from sluice.run.kernels import extension
from sluice.sequence import (
    Checkpoint,
    LanguageModel,
    LanguageModelConfig,
    Sampling,
    TextCodec,
    UnknownTokenError,
    Vocabulary,
    beam_search,
    generate,
    load_data,
)
from sluice.sequence.vocabulary import END

LETTERS = Vocabulary(tuple("abcdef \n"))
WORDS = Vocabulary(("to", "be", "or", "not"))


@pytest.fixture(autouse=True)
def _restore_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command may set the number of threads; here that is the process of the tests."""
    monkeypatch.setattr(extension, "_threads", None)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["generate", *map(str, arguments)])


def save_model(vocabulary: Vocabulary, path: Path, end: float = -2.0) -> Path:
    torch.manual_seed(0)
    model = LanguageModel(LanguageModelConfig(len(vocabulary), embedding_size=8, hidden_size=16))
    with torch.no_grad():
        model.readout.bias[END] = end
    Checkpoint(model, vocabulary, {}).save(path)
    return path


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(LETTERS, tmp_path_factory.mktemp("letters") / "model.safetensors")


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(LETTERS, tmp_path_factory.mktemp("endless") / "model.safetensors", end=-1e9)


def generate_expected(path: Path, seed: int, prompt: str, length: int, **drawing: float) -> str:
    loaded = Checkpoint.load(path)
    spelling = TextCodec(loaded.vocabulary)
    begun = spelling.encode(prompt)
    sampling = Sampling(max_length=len(begun) + length, **drawing)  # type: ignore[arg-type]
    opening = [[number] for number in begun]
    (ids,) = generate(loaded.model, [seed], prompt=opening, sampling=sampling)
    return spelling.decode(ids)


def test_a_seed_gives_the_same_sequence_with_any_number_of_threads(endless: Path) -> None:
    options = ["--prompt", "ab cd", "--length", 70, "--seed", 3, "--temperature", 0.7]
    text = generate_expected(endless, 3, "ab cd", 70, temperature=0.7)
    for threads in (1, 2):
        result = run(endless, *options, "--threads", threads)
        assert result.exit_code == 0, result.output
        assert result.stdout == text + "\n"
        assert len(text) == 75 and text.startswith("ab cd")
    assert result.stderr.startswith("70 tokens, ")
    assert "a second" in result.stderr


def test_several_sequences_use_consecutive_seeds(letters: Path) -> None:
    result = run(letters, "--count", 18, "--length", 9, "--seed", 5, "--typical", 0.9)
    each = [generate_expected(letters, 5 + k, "", 9, typical=0.9) for k in range(18)]
    assert result.stdout == "\n\n".join(each) + "\n"
    assert result.stderr.startswith(f"{sum(map(len, each))} tokens")


def test_words_are_separated_and_a_new_seed_is_printed(tmp_path: Path) -> None:
    path = save_model(WORDS, tmp_path / "words.safetensors", end=-1e9)
    result = run(path, "--prompt", "to  be", "--length", 4)
    assert len(result.stdout.split()) == 6 and result.stdout.startswith("to be ")
    seed = int(result.stderr.rpartition("--seed ")[2].strip(" .\n"))
    assert run(path, "--prompt", "to be", "--length", 4, "--seed", seed).stdout == result.stdout


def test_beams_are_sorted_by_score(letters: Path) -> None:
    loaded = Checkpoint.load(letters)
    spelling = TextCodec(loaded.vocabulary)
    opening = [[number] for number in spelling.encode("ab")]
    found = beam_search(loaded.model, 3, prompt=opening, max_length=12)
    result = run(letters, "--beam", 3, "--count", 2, "--prompt", "ab", "--length", 10)
    assert result.stdout == "\n\n".join(spelling.decode(one.ids) for one in found[:2]) + "\n"
    (short,) = beam_search(loaded.model, 3, prompt=opening, max_length=12, length_penalty=0)[:1]
    given = ("--beam", 3, "--prompt", "ab", "--length", 10, "--length-penalty", 0)
    assert run(letters, *given).stdout == spelling.decode(short.ids) + "\n"


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_the_precision_of_the_kernels_is_selectable(endless: Path, precision: str) -> None:
    result = run(endless, "--length", 20, "--seed", 1, "--precision", precision)
    assert result.exit_code == 0 and len(result.stdout) == 21


def test_output_to_a_file(endless: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "text.txt"
    result = run(endless, "--length", 20, "--seed", 1, "--out", out)
    assert result.stdout == "" and f"Written: {out}" in result.stderr
    assert out.read_text() == generate_expected(endless, 1, "", 20) + "\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--length", 0],
            "Invalid value for '--length': Input should be greater than or equal to 1",
        ),
        (
            ["--count", -2],
            "Invalid value for '--count': Input should be greater than or equal to 1",
        ),
        (["--seed", -1], "Invalid value for '--seed': Input should be greater than or equal to 0"),
        (
            ["--threads", 0],
            "Invalid value for '--threads': Input should be greater than or equal to 1",
        ),
        (["--beam", 0], "Invalid value for '--beam': Input should be greater than or equal to 1"),
        (["--temperature", "nan"], "temperature must be above 0"),
        (["--top-k", 0], "top_k must be at least 1"),
        (["--top-p", 1.2], "top_p must be in (0, 1]"),
        (["--typical", 0], "typical must be in (0, 1]"),
        (["--prompt", ""], "--prompt must not be empty"),
        (["--prompt", "abcßd"], "does not know 'ß', character 4 of the text, after 'abc'"),
        (["--beam", 2, "--top-k", 3, "--seed", 1], "--top-k, --seed do not apply to a beam search"),
        (["--length-penalty", 2], "--length-penalty does not apply to sampling"),
        (["--beam", 2, "--length-penalty", "nan"], "--length-penalty must be at least 0"),
        (["--beam", 2, "--count", 3], "--count must be at most the width of the beam, 2, got 3"),
        (["--out", "/proc/nowhere/text"], "/proc/nowhere"),
    ],
)
def test_errors_are_one_sentence(letters: Path, arguments: list[object], message: str) -> None:
    result = run(letters, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr and result.stderr.count("\n") == 1


def test_invalid_checkpoints_and_nan_weights_are_refused(letters: Path, tmp_path: Path) -> None:
    result = run(tmp_path / "none.safetensors")
    assert result.exit_code == 2 and "no file of weights" in result.stderr
    (tmp_path / "text.txt").write_text("x" * 100)
    assert "not a complete safetensors file" in run(tmp_path / "text.txt").stderr
    loaded = Checkpoint.load(letters)
    with torch.no_grad():
        loaded.model.readout.bias[3] = float("nan")
    loaded.save(tmp_path / "nan.safetensors")
    for options in ([], ["--beam", 2], ["--count", 3]):
        result = run(tmp_path / "nan.safetensors", *options)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "computes NaN" in result.stderr and result.stderr.count("\n") == 1


def test_a_closed_pipe_is_no_error(endless: Path) -> None:
    command = [sys.executable, "-m", "sluice", "generate", str(endless), "--length", "10000000"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None and process.stderr is not None
    with limit_time(process):
        assert len(process.stdout.read(40)) == 40
        process.stdout.close()
        assert process.stderr.read() == b""
    process.wait(timeout=60)
    process.stderr.close()


def test_the_position_of_an_unknown_word_is_reported() -> None:
    with pytest.raises(UnknownTokenError, match=r"'nought', word 3 of the text, after 'to be'"):
        TextCodec(WORDS).encode("to be nought")


def test_unknown_words_of_a_prompt_are_named_with_what_is_spelt_alike(tmp_path: Path) -> None:
    file = tmp_path / "said.txt"
    file.write_text("the cat sat on the mat .\n" * 9)
    spelling = TextCodec(load_data(file, unit="words").vocabulary)
    message = "'cats', word 2 of the text, after 'the', nor 'zebra'; it knows 'cat'.*remove them"
    with pytest.raises(UnknownTokenError, match=message):
        spelling.encode("the cats sat zebra cats")
    assert spelling.decode(spelling.encode("the cat [UNK]")) == "the cat [UNK]"
    characters = TextCodec(Vocabulary(tuple("abc"), "characters"))
    with pytest.raises(UnknownTokenError, match="'É', character 2 of the text, after 'a'; remove"):
        characters.encode("aÉ")


@pytest.mark.parametrize("unit", ["words", "subwords"])
def test_tokens_are_joined_to_the_text_of_a_tokenizer(unit: str, tmp_path: Path) -> None:
    file = tmp_path / "said.txt"
    file.write_text("to be or not to be, that is the question: größer\n" * 40)
    tokens = load_data(file, unit=unit)
    ids = tokens.ids[0][:20].tolist()
    spelling = TextCodec(tokens.vocabulary)
    whole = tokens.vocabulary.decode_text(ids)
    assert spelling.decode(ids[:3]) + "".join(spelling.decode_stream(ids[:3], ids[3:])) == whole
