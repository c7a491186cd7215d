import textwrap
from pathlib import Path

import pytest

from sluice import tunes
from sluice.sequence import (
    Checkpoint,
    CheckpointError,
    LanguageModel,
    LanguageModelConfig,
    Vocabulary,
)
from sluice.tunes.composition import inputs
from sluice.tunes.errors import TuneError


def test_the_bundled_model_is_named_shipped() -> None:
    loaded = inputs.load_trained(inputs.SHIPPED)
    assert isinstance(loaded.model, LanguageModel) and "M:6/8" in loaded.vocabulary


def test_models_that_cannot_be_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=r"no file of weights at .*nowhere"):
        inputs.load_trained(tmp_path / "nowhere")
    path = tmp_path / "text.safetensors"
    model = LanguageModel(LanguageModelConfig(5, embedding_size=4, hidden_size=4))
    Checkpoint(model, Vocabulary(("a", "b"))).save(path)
    with pytest.raises(TuneError, match="not of tunes"):
        inputs.load_trained(path)
    monkeypatch.setattr(inputs, "_find_shipped", lambda: None)
    with pytest.raises(TuneError, match="no model of tunes"):
        inputs.load_trained(inputs.SHIPPED)


TEXT = "X:1\nT:One\nM:6/8\nL:1/8\nQ:3/8=70\nK:G\nGAB c2d|\n\nX:2\nT:Two\nM:4/4\nL:1/8\nK:D\nd8|\n"


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        "\n\n" + TEXT,
        "\ufeff" + TEXT,
        textwrap.indent(TEXT, "    "),
        TEXT.rstrip(),
    ],
)
def test_text_is_read_like_a_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "two.abc"
    path.write_bytes(text.encode())
    first, second = tunes.read_tunes(text)
    assert (first.title, second.title) == ("One", "Two")
    assert " ".join(first.tokens) == "M:6/8 K:Cmaj C D E F 2 G |"
    assert [tune.tokens for tune in tunes.read_tunes(path)] == [first.tokens, second.tokens]
    assert [tune.tokens for tune in tunes.read_tunes(str(path))] == [first.tokens, second.tokens]
    assert tunes.read_tune(text).tokens == tunes.read_tune(path).tokens == first.tokens


def test_a_string_that_names_a_file_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "X:1").write_text(TEXT)
    assert tunes.read_tune("X:1").title == "One"


def test_other_forms_as_text() -> None:
    assert tunes.read_tune("M:6/8\nK:Cmaj\nc 3 d 3 |\n").tokens[2:] == ("c", "3", "d", "3", "|")
    assert tunes.read_tune("<s> M:6/8 K:Cmaj c 3 d 3 | </s>").meter == "6/8"
    row = '[{"name": "R", "type": "reel", "meter": "4/4", "mode": "Dmajor", "abc": "d8|"}]'
    assert tunes.read_tune(row).key.name == "D"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("hello", "'hello' is neither a file nor the text of a tune"),
        ("nowhere.abc", "neither a file nor the text"),
        ("", "neither a file nor the text"),
        ("C:\\tunes\\jigs.abc", "neither a file nor the text"),
        ("a\0b", "neither a file nor the text"),
        ("x" * 5000, "neither a file nor the text"),
        ("\n", "the text holds no tune"),
        ("Dear all,\nsee you on Friday\n", "the text holds no tune"),
        ("X:1 T:One K:D d2|", "the text, line 1: the tune has no K: field"),
        ("X:1\nM:4/4\nK:C\nCD(3E|\n", "the text, line 4: a tuplet with too few notes"),
        (TEXT + "\nX:3\nM:4/4\nK:C\nCD(3E|\n", "the text, line 19: a tuplet"),
        (Path("nowhere.abc"), "Cannot read nowhere.abc"),
    ],
)
def test_what_is_no_tune_is_refused_in_a_sentence(given: str | Path, message: str) -> None:
    with pytest.raises(TuneError) as caught:
        tunes.read_tunes(given)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("music", "last"),
    [
        ("d2dA|d4||\nw: a b c", "||"),
        ("d2dA|d4||\nW: words", "||"),
        ("d2dA|d4|| % end\ns: * *", "||"),
        ("V:1\nd2dA|d4||\nV:2\nd4|d4", "||"),
        ("V:1\nd2dA|d4\nV:2\nd4|d4||", "4"),
        ("d2dA|[df]", "]"),
    ],
)
def test_the_last_bar_line_of_a_tune_to_continue_is_the_written_one(music: str, last: str) -> None:
    text = f"X:1\nT:A\nM:2/4\nL:1/8\nK:D\n{music}\n"
    assert inputs.read_tune(text, complete=False).tokens[-1] == last
