"""A page for every kind of model: what it reads, its own loss, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from command import run, sentence
from report.kinds import (
    SAVED,
    save_classifier,
    save_forecaster,
    save_pairs,
    save_tagged_words,
    save_tagger,
    save_text,
)
from sampling import thin_out
from sluice.report import look
from sluice.report.page import ReportError
from sluice.report.page.forward import prepare_model, run_forward
from sluice.report.page.given_data import GivenNames, build_inputs
from sluice.report.page.load import load_inputs
from sluice.report.page.pack import unpack_tensor
from sluice.report.page.view_inputs import LabelsView, PairsView, RollView, SeriesView, TextView
from sluice.sequence import Batch, Checkpoint, StreamBatches, UnknownTokenError, load_data
from sluice.sequence.models import (
    ChoraleConfig,
    ChoraleModel,
    Forecaster,
    ForecasterConfig,
    LabelsConfig,
    Tagger,
)


def read_payload(page: Path) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page.read_text())
    assert found is not None
    payload: dict[str, Any] = json.loads(found[1])
    return payload


@pytest.mark.parametrize("kind", thin_out(SAVED, 3))
def test_a_page_shows_the_models_own_loss(kind: str, tmp_path: Path) -> None:
    path, data = SAVED[kind](tmp_path)
    page = tmp_path / "page.html"
    result = run("look", path, data, "--out", page, "--steps", 40, "--units", 4)
    assert result.exit_code == 0, result.output
    found = read_payload(page)
    checkpoint = Checkpoint.load(path)
    inputs = load_inputs(path, data)
    target = inputs.target(0)
    assert target is not None
    shown = min(40, inputs.count_steps(0))
    read = inputs.inputs[0] if inputs.is_paired or kind == "labels" else inputs.inputs[0][:shown]
    batch = Batch(read[:, None], target[:shown, None] if target.dim() else target[None])
    if kind == "step labels":  # its layers read both ways, so the sequence is read whole
        batch = Batch(inputs.inputs[0][:, None], target[:, None])
        losses = checkpoint.model.step_losses(batch)
        expected = float(losses.losses[:shown].detach().sum() / losses.items[:shown].sum())
    else:
        (total, items), _ = checkpoint.model.loss(batch)
        expected = float(total.detach()) / items
        if found["losses"] is not None:
            assert sum(found["losses"]) == pytest.approx(float(total.detach()), rel=1e-3)
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert found["lossUnit"] == checkpoint.loss_unit


def test_a_text_is_read_as_training_reads_it(tmp_path: Path) -> None:
    path, data = save_text(tmp_path)
    (batch,) = list(
        StreamBatches(load_data(data).to_supervised(), 1, seq_len=10_000, seed=0).batches(0)  # type: ignore[arg-type]
    )
    inputs = load_inputs(path, data)
    assert inputs.targets is not None
    torch.testing.assert_close(inputs.inputs[0], batch.inputs[:, 0])
    torch.testing.assert_close(inputs.targets[0], batch.targets[:, 0])
    assert inputs.targets[0][-1] == 2  # the file ends
    cut = load_inputs(path, text='"Tyger", the night')
    assert cut.tokens is not None and cut.targets is not None
    assert "".join(cut.tokens[0][1:]) == '"Tyger", the night'
    assert cut.targets[0].tolist() == [*cut.inputs[0].tolist()[1:], 0]  # a piece of a text does not


@pytest.mark.parametrize("unit", ["words", "subwords"])
def test_pieces_are_the_text(unit: str, tmp_path: Path) -> None:
    path, data = save_text(tmp_path, unit)
    view = load_inputs(path, data).view
    assert isinstance(view, TextView)
    text = view.separator.join(view.pieces[0][1:])
    expected = data.read_text()
    if unit == "words":  # blanks are not in its tokens
        text, expected = (" ".join(re.findall(r"\w+|[^\w\s]+", one)) for one in (text, expected))
    assert text == expected


def test_an_unknown_word_of_a_text_is_refused(tmp_path: Path) -> None:
    path, _ = save_text(tmp_path, "words")
    with pytest.raises(UnknownTokenError, match="does not know 'tree', word 2 of the text"):
        load_inputs(path, text="Tyger tree bright night")


def test_a_series_in_its_own_units(tmp_path: Path) -> None:
    path, data = save_forecaster(tmp_path, quantiles=())
    inputs = load_inputs(path, data)
    view, target = inputs.view, inputs.target(0)
    assert isinstance(view, SeriesView) and target is not None
    assert (view.columns, view.targets, view.horizon) == (("temperature", "load"), ("load",), 3)
    rows = [line.split(",") for line in data.read_text().splitlines()[1:]]
    expected = [[float(cell or "nan") for cell in row[1:]] for row in rows]
    np.testing.assert_allclose(view.values[0], expected, rtol=1e-6)
    assert view.times is not None and view.time_name == "when"
    assert [str(time)[:16] for time in view.times[0]] == [row[0] for row in rows]
    ahead = view.split_horizon(target)[10, :, 0]
    assert ahead.tolist() == [float(row[2]) for row in rows[11:14]]
    assert inputs.output_names == ["load +1", "load +2", "load +3"]
    assert {"temperature", "change of load", "hour of the day"} <= inputs.properties.keys()
    with torch.no_grad():
        errors = (target - inputs.model(inputs.inputs[0][:, None])[0][:, 0])[:, 2].double()
    assert view.interval is not None
    inside = (errors >= view.interval.lower[2, 0]) & (errors <= view.interval.upper[2, 0])
    known = int((~errors.isnan()).sum())
    assert abs(int(inside.sum()) / known - view.interval.coverage) <= 2 / known


def test_a_forecasters_own_quantiles_are_its_intervals(tmp_path: Path) -> None:
    path, data = save_forecaster(tmp_path)
    inputs = load_inputs(path, data)
    assert isinstance(inputs.view, SeriesView) and inputs.view.interval is None
    page = tmp_path / "page.html"
    assert run("look", path, data, "--out", page, "--start", 20, "--steps", 30).exit_code == 0
    (target,) = read_payload(page)["view"]["targets"]
    model = Checkpoint.load(path).model
    with torch.no_grad():
        found, _ = model.predict_quantiles(inputs.inputs[0][:50, None])
    for one, low, high in zip(target["intervals"], (0, 1), (6, 5), strict=True):
        assert one["percent"] == {0: 95, 1: 80}[low]
        for name, level in (("lower", low), ("upper", high)):
            expected = found[20:, 0, :, level].double()
            np.testing.assert_allclose(unpack_tensor(one[name]), expected, atol=0.02)


def test_labels_are_those_of_the_model(tmp_path: Path) -> None:
    path, data = save_tagger(tmp_path)
    inputs = load_inputs(path, data)
    assert isinstance(inputs.view, LabelsView)
    assert inputs.view.labels == ("run", "walk") and inputs.view.per_step
    assert isinstance(inputs.view.read, SeriesView)
    raw, read = inputs.view.read.values[0][:, 0], inputs.inputs[0][:, 0]
    scale = Checkpoint.load(path).preprocessing
    np.testing.assert_allclose((raw - scale["mean"][0]) / scale["deviation"][0], read, atol=1e-6)
    seen = run_forward(prepare_model(inputs), 0, 0, 30)
    assert seen.true_classes is not None
    assert seen.true_classes.tolist() == [1, 1, 1, -1, *[1] * 16, *[0] * 10]
    other = tmp_path / "other.csv"
    other.write_text("id,up,label\na,0.5,walk\na,0.1,fly\nb,0,run\nb,1,run\n")
    message = sentence(run("look", path, other, "--out", tmp_path / "x.html"))
    assert "has the label 'fly' at step 1 of series a" in message and "run, walk" in message


def test_pairs_have_two_axes(tmp_path: Path) -> None:
    path, data = save_pairs(tmp_path)
    inputs = load_inputs(path, data, sequence=2)
    view = inputs.view
    assert isinstance(view, PairsView)
    assert view.sources[0] == ["two", "one", "two"] and view.targets[0] == ["2", "1", "2", "⟨end⟩"]
    seen = run_forward(prepare_model(inputs), 0, 1, 4)
    assert seen.windows == {"target": (1, 4), "source": (0, 3)}
    assert seen.axes == {
        "layers l0": "source",
        "layers l0_reverse": "source",
        "decoder l0": "target",
    }
    assert seen.attention is not None and seen.attention.shape == (4, 3)
    own = load_inputs(path, text="two one")
    assert isinstance(own.view, PairsView) and own.view.sources == [["two", "one"]]
    note = "the target is the model's own greedy output"
    assert own.facts["note"].startswith(note) and own.targets is not None
    has_ended = "which did not end" not in own.facts["note"]
    assert (own.targets[0][-1] == 2) == has_ended
    message = sentence(run("look", path, "--text", " ", "--out", tmp_path / "x.html"))
    assert "the source has no token" in message


def test_sides_of_pairs_in_python(tmp_path: Path) -> None:
    """Targets shorter, longer and as long as their source, each under its own tokens."""
    model = Checkpoint.load(save_pairs(tmp_path)[0]).model
    for length in (2, 3, 5):
        source, target = torch.tensor([[3], [4], [3]]), torch.tensor([[4]] * (length - 1) + [[2]])
        names = [["one", "two", "one"]], [["2"] * (length - 1)]
        data = look(model, source, target, tokens=names[0], target_tokens=names[1]).data
        axes = {axis["name"]: axis["tokens"] for axis in data["axes"]}
        assert axes["source"] == ["one", "two", "one"]
        assert axes["target"] == ["⟨start⟩", *["2"] * (length - 1)]
        (total, items), _ = model.loss(Batch(source, target))
        assert data["loss"] == pytest.approx(float(total.detach()) / items, rel=1e-5)
    with pytest.raises(ReportError, match="target_tokens must have one entry for each of the 5"):
        look(model, source, target, target_tokens=[["2"] * 7])
    for bias, count in ((-1e9, 200), (1e9, 1)):  # its own output, with END only if it came
        with torch.no_grad():
            model.readout.bias[2] = bias
        (own,) = build_inputs(model, source, None, GivenNames(), {}).targets or ()
        assert len(own) == count and (own[-1] == 2) == (count == 1)


def test_an_encoder_and_decoder_of_ones_own() -> None:
    class Pair(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(9, 5)
            self.encoder, self.decoder = torch.nn.GRU(5, 6), torch.nn.GRU(5, 6)
            self.readout = torch.nn.Linear(6, 9)

        def forward(self, read: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            _, h = self.encoder(self.embedding(read))
            logits: torch.Tensor = self.readout(self.decoder(self.embedding(wanted), h)[0])
            return logits

    model, source, target = Pair(), torch.randint(9, (7, 1)), torch.randint(9, (4, 1))
    names = [f"word {k}" for k in range(9)]
    data = look(model, source, target, forward=lambda m, x: m(x, target), classes=names).data
    axes = {axis["name"]: axis["tokens"] for axis in data["axes"]}
    assert axes["target"] == ["⟨start⟩", *(names[k] for k in target[:-1, 0].tolist())]
    assert [(p["name"], data["axes"][p["axis"]]["name"]) for p in data["places"]] == [
        ("encoder l0", "source"), ("decoder l0", "target"),
    ]  # fmt: skip


def test_a_labelled_text(tmp_path: Path) -> None:
    path, data = save_tagged_words(tmp_path)
    inputs = load_inputs(path, data, sequence=1)
    assert isinstance(inputs.view, LabelsView) and isinstance(inputs.view.read, TextView)
    assert inputs.view.read.pieces[0] == ["sees", "the", "dog"]
    assert inputs.targets is not None and inputs.targets[0].tolist() == [3, 1, 2]


def test_names_and_a_loss_of_ones_own() -> None:
    torch.manual_seed(0)
    model = Forecaster(ForecasterConfig(2, targets=(1,), hidden_size=6, num_layers=1)).eval()
    x = torch.randn(30, 1, 2) * 4 + 50
    named = look(model, x[:-1], x[1:, :, 1:], input_names=["heat", "load"])
    (total, items), _ = model.loss(Batch(x[:-1], x[1:, :, 1:]))
    assert named.data["loss"] == pytest.approx(float(total.detach()) / items, rel=1e-5)
    assert named.data["predictions"]["names"] == ["load +1"]
    assert "heat" in {row["name"] for row in named.data["followed"]}
    own = look(model, x[:-1], x[1:, :, 1:], loss=lambda y, true: (y - true).abs().squeeze(-1)).data
    with torch.no_grad():
        expected = (model(x[:-1])[0] - x[1:, :, 1:]).abs()
    assert own["losses"] == pytest.approx(expected.flatten().tolist(), rel=1e-3)
    with pytest.raises(ReportError, match="one number for each of 29 steps"):
        look(model, x[:-1], x[1:, :, 1:], loss=lambda y, true: (y - true)[:3])
    with pytest.raises(ReportError, match="input_names must name 2 features"):
        look(model, x[:-1], x[1:, :, 1:], input_names=["heat"])
    with pytest.raises(ReportError, match="output_names must name 1 outputs"):
        look(model, x[:-1], x[1:, :, 1:], output_names=["a", "b"])


def test_labels_need_as_many_names() -> None:
    model = Tagger(LabelsConfig(3, features=2, hidden_size=6, num_layers=1))
    with pytest.raises(ReportError, match="classes must name 3 labels, got 2"):
        look(model, torch.randn(9, 1, 2), torch.ones(9, 1, dtype=torch.int64), classes=["a", "b"])


def test_a_chorale_model_in_python() -> None:
    torch.manual_seed(0)
    model = ChoraleModel(ChoraleConfig(12, hidden_size=6, num_layers=1)).eval()
    roll = (torch.rand(20, 1, 12) < 0.2).float()
    (total, items), _ = model.loss(Batch(roll[:-1], roll[1:]))
    data = look(model, roll[:-1], roll[1:]).data
    assert data["loss"] == pytest.approx(float(total.detach()) / items, rel=1e-5)
    assert data["lossUnit"] == "nats per step"


def test_a_piano_roll(tmp_path: Path) -> None:
    path, data = SAVED["rolls"](tmp_path)
    inputs = load_inputs(path, data, sequence=3)
    assert isinstance(inputs.view, RollView) and inputs.tokens is not None
    assert inputs.view.pitches == tuple(range(21, 109))
    chords = json.loads(data.read_text())[3]
    sounding = [
        [inputs.view.pitches[k] for k in np.flatnonzero(row)] for row in inputs.view.rolls[0]
    ]
    assert sounding == [sorted(chord) for chord in chords]
    assert inputs.tokens[0][:4] == ["silence", "E♭4 E4 G4", "E♭4 E4 G4", "silence"]


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("series", "", "is empty"),
        ("series", "when,temperature,load\n", "no rows of values"),
        ("series", "when,temperature,load\n2025-01-01,1,2\n", "at least 2"),
        (
            "series",
            "when,temperature\n2025-01-01,1\n2025-01-02,2\n",
            "got 'load'; a Forecaster reads a table",
        ),
        ("series", "when,temperature,load\nsoon,1,2\nlate,2,3\n", "neither a number nor an ISO"),
        ("series", b"\x00\x01\x02\xff", "is not text"),
        ("rolls", "[1, 2]", "holds no piano rolls"),
        ("rolls", "a,b\n1,2\n", "is not JSON"),
        ("pairs", "one\ttwo\tthree\n", r"data: the lines have 3 columns"),
        ("pairs", "one\t1\ntwo\n", r"data:2: .* got no tab"),
        ("pairs", "one three\t1\n", "does not know 'three', first as token 1 of 'line 1'"),
        ("tagged words", "the cat\tDET\n", r"data:1: expected a label for each of 2 tokens, got 1"),
        ("tagged words", "the\tADV\n", r"data:1: the label 'ADV' is not among the model's"),
        ("characters", "Tyger\nön", r"does not know 'ö', first as token 6 \(line 2\)"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    kind: str, content: str | bytes, message: str, tmp_path: Path
) -> None:
    path, _ = SAVED[kind](tmp_path)
    file = tmp_path / "data"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for command in ("look", "ablate"):
        if command == "ablate" and "does not know" in message:
            continue  # it leaves such sequences out
        refused = sentence(run(command, path, file, "--out", tmp_path / "out"))
        assert re.search(message, refused), refused
    assert not (tmp_path / "out").is_file()


def test_text_is_for_models_of_text(tmp_path: Path) -> None:
    path, _ = save_classifier(tmp_path)
    message = sentence(run("look", path, "--text", "the", "--out", tmp_path / "x.html"))
    assert "--text is for models of text, but this is a Classifier" in message
    assert "columns x, y" in message


def test_numbers_that_the_loss_cannot_hold(tmp_path: Path) -> None:
    path, _ = save_forecaster(tmp_path)
    file, head = tmp_path / "big.csv", "when,temperature,load\n"
    out = ("--out", tmp_path / "x.html")
    rows = [f"2025-01-{d:02},1,{1e45 if d == 11 else 400}\n" for d in range(1, 12)]
    file.write_text(head + "".join(rows))
    assert re.search(r"the loss at step \d is inf", sentence(run("look", path, file, *out)))


def test_a_text_of_which_nothing_is_known(tmp_path: Path) -> None:
    path, _ = save_text(tmp_path, "words")
    out, file = ("--out", tmp_path / "x.html"), tmp_path / "new.txt"
    message = sentence(run("look", path, "--text", "alpha beta", *out))
    assert "does not know 'alpha', word 1 of the text, nor 'beta'" in message
    file.write_text("alpha beta")
    message = sentence(run("look", path, file, *out))
    assert "the model knows none of the 2 words of this text" in message
    file.write_text("Tyger tree")
    facts = load_inputs(path, file).facts
    assert facts["unknown tokens"] == "1 of 3, read as [UNK]"
