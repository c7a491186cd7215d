"""The command, its files, and its errors for bad ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from report.page.sample_models import TEXT, save_checkpoint
from sluice.cli import app
from sluice.report.page.load import load_inputs
from sluice.report.page.pack import unpack_text
from sluice.sequence import DataError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["look", *map(str, arguments)])


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page.read_text())
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_a_page_from_a_file_of_text(tmp_path: Path) -> None:
    weights, text, out = (
        save_checkpoint(tmp_path, [TEXT]),
        tmp_path / "text.txt",
        tmp_path / "page.html",
    )
    text.write_text(TEXT)
    result = run(weights, text, "--out", out, "--start", 10, "--steps", 50, "--units", 5)
    assert result.exit_code == 0, result.output
    assert str(out) in result.output and out.stat().st_size < 400_000
    data = data_of(out)
    assert data["axes"][0]["tokens"] == ["⟨start⟩", *TEXT][10:60] and data["axes"][0]["first"] == 10
    assert [place["name"] for place in data["places"]] == ["layers l0", "layers l1"]
    names = data["predictions"]["names"]
    assert [names[k] for k in data["predictions"]["true"]] == list(TEXT[10:60])
    page = out.read_text()
    assert "1.250 nats per token" in page
    assert '<g id="LSTM-sketch-label-forget">' in unpack_text(data["figures"])
    links = set(re.findall(r'(?:src|href)="([^#"][^"]*)"', page))
    assert links == {"data:,"} and "url(http" not in page and "@import" not in page


def test_tunes_and_texts_of_tunes(tmp_path: Path) -> None:
    tune = "M:4/4 K:Cmaj C D E F | G A B c |"
    weights, abc = save_checkpoint(tmp_path, [tune.split()]), tmp_path / "tunes.abc"
    abc.write_text(
        "X:1\nT:Up\nM:4/4\nL:1/8\nK:C\nCDEF|GABc|\n\nX:2\nT:Down\nM:4/4\nL:1/8\nK:C\ncBAG|FEDC|\n"
    )
    found = load_inputs(weights, str(abc), sequence=1)
    assert found.names == ["Down", "Up"] and found.tokens is not None and found.spans is not None
    assert found.tokens[1] == ["⟨start⟩", *tune.split()]
    assert found.spans[1] == [0, 8, 13] and "pitch of the last note (MIDI)" in found.properties
    assert load_inputs(weights, text=tune).tokens == [["⟨start⟩", *tune.split()]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text", "the dog"], r"does not know 'd', 'g', first as token 4 in the text given"),
        (["--text", ""], "sequence of length 0"),
        ([], "give data"),
        (["--text", "the", "--sequence", 3], "--sequence does not apply to --text"),
        (
            ["--text", "the", "--start", 9],
            "within the 4 of sequence 0, counted from 0, got 9 to 408",
        ),
        (["--text", "the", "--units", "few"], "or 'all', got 'few'"),
        (["missing.txt"], "missing.txt"),
    ],
)
def test_invalid_inputs_are_refused_in_one_sentence(
    tmp_path: Path, options: list[Any], message: str
) -> None:
    out = tmp_path / "page.html"
    result = run(save_checkpoint(tmp_path, [TEXT]), *options, "--out", out)
    assert result.exit_code == 2, result.output
    assert re.search(message, result.stderr) and result.stderr.strip().count("\n") == 0
    assert not out.exists()


def test_weights_that_hold_nan(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, [TEXT])
    weights = load_file(path)
    weights["layers.weight_ih_l1"][0] = float("nan")
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(weights, path, metadata)
    result = run(path, "--text", "the cat", "--out", tmp_path / "page.html")
    assert "NaN first appears in 'layers' l1, value 'input', step 0" in result.stderr


def test_data_and_text_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not both"):
        load_inputs(save_checkpoint(tmp_path, [TEXT]), "tunes", text="the")


def test_two_checkpoints_beside_each_other(tmp_path: Path) -> None:
    first, other, out = tmp_path / "a", tmp_path / "b", tmp_path / "page.html"
    first.mkdir()
    other.mkdir()
    weights = save_checkpoint(first, [TEXT])
    again = save_checkpoint(other, [TEXT])
    result = run(weights, "--text", "the cat", "--beside", again, "--out", out)
    assert result.exit_code == 0, result.output
    data = data_of(out)
    assert data["about"]["name"] == str(weights) and data["beside"]["about"]["name"] == str(again)
    assert data["losses"] != data["beside"]["losses"] and len(data["beside"]["losses"]) == 8
    out.unlink()
    strange = save_checkpoint(other, [TEXT.replace("c", "k")])
    result = run(weights, "--text", "the at", "--beside", strange, "--out", out)
    assert result.exit_code == 2 and not out.exists()
    assert "'c' for the first and 'e' for the second" in " ".join(result.stderr.split())
