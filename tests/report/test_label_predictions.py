"""`sluice predict` and `sluice evaluate` on labels: tables with labels, without, with others."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from command import run, sentence
from sluice.report import evaluate_model, predict_labels
from sluice.report.seen_data import SEEN
from sluice.sequence import Checkpoint, DataError, Vocabulary, load_data, make_task
from sluice.sequence.models import Classifier, Forecaster, ForecasterConfig, LabelsConfig, Tagger

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes rows of id, time, x, y (and label) to a CSV file."""

    def write(rows: Sequence[Sequence[object]], name: str = "data.csv", header: str = "") -> Path:
        header = header or "id,time,x,y,label"[: None if len(rows[0]) == 5 else -6]
        lines = [header, *(",".join(map(str, row)) for row in rows)]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return tmp_path / name

    return write


def make_rows(sequences: int = 6, steps: int = 5, classes: str = "AB") -> list[list[object]]:
    draws = np.random.default_rng(0)
    return [
        [f"s{k}", t, *draws.normal(size=2).round(3), classes[k % len(classes)]]
        for k in range(sequences)
        for t in range(steps)
    ]


def save(tmp_path: Path, kind: type[Classifier | Tagger], **preprocessing: object) -> Path:
    torch.manual_seed(0)
    model = kind(LabelsConfig(2, features=2, hidden_size=4, num_layers=1, dropout=0.0))
    path = tmp_path / "model.safetensors"
    scale = {"features": ["x", "y"], "mean": [0.1, -0.2], "deviation": [1.5, 2.0]}
    options = {"load_options": {"kind": "csv", "label": "label"}}
    Checkpoint(
        model, labels=("A", "B"), columns=("x", "y"), preprocessing=scale | options | preprocessing
    ).save(path)
    return path


def expect(path: Path, rows: Sequence[Sequence[object]], steps: int) -> np.ndarray:
    """The model's own probabilities: (sequences, classes) or (sequences, steps, classes)."""
    values = np.array([[row[2], row[3]] for row in rows], np.float64).reshape(-1, steps, 2)
    scaled = (values - [0.1, -0.2]) / [1.5, 2.0]
    model = Checkpoint.load(path).model
    with torch.no_grad():
        logits, _ = model(torch.tensor(scaled, dtype=torch.float32).transpose(0, 1))
    chances = logits.softmax(dim=-1)
    return (chances if isinstance(model, Classifier) else chances.transpose(0, 1)).numpy()


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_sequences_without_labels(write: Write, tmp_path: Path) -> None:
    model, rows = save(tmp_path, Classifier), make_rows()
    result = run("predict", model, write([row[:4] for row in rows]), "--out", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    assert "6 of 6 predictions" in result.output and "taken for" not in result.output
    found, expected = read(tmp_path / "out.csv"), expect(model, rows, 5)
    assert [*found[0]] == ["sequence", "predicted", "probability A", "probability B"]
    assert [one["sequence"] for one in found] == ["s0", "s1", "s2", "s3", "s4", "s5"]
    assert [one["predicted"] for one in found] == ["AB"[k] for k in expected.argmax(1)]
    for one, (a, b) in zip(found, expected, strict=True):
        assert float(one["probability A"]) == pytest.approx(a, rel=1e-4)
        assert float(one["probability B"]) == pytest.approx(b, rel=1e-4)


def test_steps_with_labels_and_times(write: Write, tmp_path: Path) -> None:
    model, rows = save(tmp_path, Tagger), make_rows(3, 4)
    rows[5][4] = ""
    predictions = predict_labels(Checkpoint.load(model), write(rows))
    expected = expect(model, rows, 4).reshape(12, 2)
    np.testing.assert_allclose(predictions.probabilities, expected, rtol=1e-4)
    assert predictions.truth.tolist() == [0, 0, 0, 0, 1, -1, 1, 1, 0, 0, 0, 0]
    assert predictions.steps is not None and predictions.steps.tolist() == [0, 1, 2, 3] * 3
    metrics = predictions.compute_metrics()
    truth = np.array([0] * 4 + [1] * 3 + [0] * 4)
    guessed = np.delete(expected, 5, axis=0)
    confusion = [
        [int(((truth == a) & (guessed.argmax(1) == b)).sum()) for b in (0, 1)] for a in (0, 1)
    ]
    assert [[*row] for row in metrics.confusion] == confusion
    nats = -np.log(guessed[np.arange(11), truth]).mean()
    assert metrics["nats per label"] == pytest.approx(nats, rel=1e-4)
    predictions.save(tmp_path / "out.csv")
    line = read(tmp_path / "out.csv")[5]
    assert (line["sequence"], line["step"], line["time"], line["label"]) == ("s1", "1", "1", "")


def test_windows_give_each_step_once(write: Write, tmp_path: Path) -> None:
    """A window as long as the sequence, or with all of it as context, changes nothing."""
    rows = make_rows(3, 11)
    data = write(rows)
    whole = predict_labels(Checkpoint.load(save(tmp_path, Tagger)), data)
    for window in ({"steps": 4, "context": 11}, {"steps": 1, "context": 30}):
        cut = predict_labels(Checkpoint.load(save(tmp_path, Tagger, label_window=window)), data)
        np.testing.assert_allclose(cut.probabilities, whole.probabilities, rtol=1e-4)
        assert cut.truth.tolist() == whole.truth.tolist()
    narrow = {"steps": 4, "context": 0}
    cut = predict_labels(Checkpoint.load(save(tmp_path, Tagger, label_window=narrow)), data)
    expected = [
        expect(
            tmp_path / "model.safetensors", rows[first : min(first + 4, end)], min(4, end - first)
        )
        for end in (11, 22, 33)
        for first in range(end - 11, end, 4)
    ]
    np.testing.assert_allclose(
        cut.probabilities, np.concatenate([one[0] for one in expected]), rtol=1e-4
    )


def test_a_sequence_with_two_labels_is_predicted_but_not_compared(
    write: Write, tmp_path: Path
) -> None:
    rows = make_rows()
    rows[1][4] = "B"
    for k in range(5, 10):
        rows[k][4] = ""
    predictions = predict_labels(Checkpoint.load(save(tmp_path, Classifier)), write(rows))
    assert len(predictions) == 6 and predictions.truth.tolist() == [-1, -1, 0, 1, 0, 1]
    notes = " ".join(predictions.notes)
    assert "1 series with more than one label are not compared: s0." in notes
    assert "1 series without a label are not compared." in notes


def test_labels_that_the_model_does_not_have(write: Write, tmp_path: Path) -> None:
    model, data = save(tmp_path, Classifier), write(make_rows(classes="ABC"))
    result = run("predict", model, data)
    assert result.exit_code == 0, result.output
    assert "10 steps with labels that the model does not know are not compared: C." in result.output
    assert "4 measured" in result.output
    message = sentence(run("evaluate", model, data))
    assert "the label 'C' at step 0 of series s2, but the model's labels are A, B" in message


@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_an_evaluation_beside_baselines(suffix: str, write: Write, tmp_path: Path) -> None:
    model, rows = save(tmp_path, Classifier, class_counts=[1, 3]), make_rows(7)
    out = tmp_path / f"report.{suffix}"
    result = run("evaluate", model, write(rows), "--out", out)
    assert result.exit_code == 0, result.output
    right = (expect(model, rows, 5).argmax(1) == np.arange(7) % 2).mean()
    if suffix == "json":
        report = json.loads(out.read_text())
        scores = {row.pop("method"): row for row in report["tables"]["scores"]}
        assert report["kind"] == "Classifier"
        assert [row["support"] for row in report["tables"]["by class"]] == [4, 3, 7, 7]
    else:
        cells = read(out)
        scores = {
            cell["row"]: {c["column"]: float(c["value"]) for c in cells if c["row"] == cell["row"]}
            for cell in cells
            if cell["table"] == "scores"
        }
    assert scores["model"]["accuracy"] == pytest.approx(right)
    assert scores["always B"]["accuracy"] == pytest.approx(3 / 7)
    nats = -(4 * np.log(2 / 6) + 3 * np.log(4 / 6)) / 7
    assert scores["class frequencies"]["nats per label"] == pytest.approx(nats)


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("id,time,x,z", [["a", 0, 1, 2]], "'y'"),
        ("id,time,x,y", [], "no rows"),
        ("id,time,x,y", [["a", 0, "high", "low"]] * 3, "'high'"),
    ],
)
def test_other_tables_end_in_a_sentence(
    header: str, rows: list[list[object]], message: str, write: Write, tmp_path: Path
) -> None:
    model = save(tmp_path, Classifier)
    path = tmp_path / "data.csv"
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    assert message in sentence(run("predict", model, path))
    assert "no labels" in sentence(run("evaluate", model, write([row[:4] for row in make_rows()])))


def test_other_models_and_files(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "levels.safetensors"
    Checkpoint(Forecaster(ForecasterConfig(2)), columns=("x", "y")).save(path)
    data = write(make_rows())
    assert "this is a Forecaster; use `sluice forecast`" in sentence(run("predict", path, data))
    model = save(tmp_path, Classifier)
    assert "no file or folder" in sentence(run("predict", model, tmp_path / "none.csv"))
    assert "a .json or .csv file" in sentence(
        run("evaluate", model, data, "--out", tmp_path / "report.txt")
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"class_counts": [1, 2, 3]},
        {"class_counts": "many"},
        {"class_counts": [1, -1]},
        {"label_window": 7},
        {"label_window": {"steps": 0, "context": 1}},
        {"label_window": {"steps": "a", "context": 1}},
        {"label_window": {"steps": 1, "context": 1, "more": 1}},
    ],
)
def test_a_file_of_harmful_settings_is_refused(
    wrong: dict[str, object], write: Write, tmp_path: Path
) -> None:
    model = save(tmp_path, Tagger, **wrong)
    message = sentence(run("predict", model, write(make_rows())))
    assert "class_counts must be" in message or "window" in message


def test_lines_of_text(tmp_path: Path) -> None:
    vocabulary = Vocabulary(tuple("abc "), "characters")
    config = LabelsConfig(2, vocabulary_size=len(vocabulary), embedding_size=4, hidden_size=4)
    torch.manual_seed(0)
    path, data = tmp_path / "model.safetensors", tmp_path / "lines.txt"
    Checkpoint(Classifier(config), vocabulary, labels=("glad", "very sad")).save(path)
    data.write_text("abc\tglad\n\ncab cab\tvery sad\naa\tglad\n")
    predictions = predict_labels(Checkpoint.load(path), data)
    assert [*predictions.sequences] == ["line 1", "line 3", "line 4"]
    assert predictions.truth.tolist() == [0, 1, 0]
    for row, text in enumerate(("abc", "cab cab", "aa")):
        ids = torch.tensor(vocabulary.encode_text(text))[:, None]
        with torch.no_grad():
            chances = Checkpoint.load(path).model(ids)[0].softmax(dim=-1)[0]
        np.testing.assert_allclose(predictions.probabilities[row], chances, rtol=1e-4)
    data.write_text("abc\ncab\n")
    assert not predict_labels(Checkpoint.load(path), data).has_labels
    data.write_text("abc\ncxb\n")
    with pytest.raises(DataError, match="the model does not know 'x'"):
        predict_labels(Checkpoint.load(path), data)


def test_one_long_series_of_labelled_steps_trains_and_is_labelled(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    x = draws.normal(size=3000).round(3)
    rows = [f"{value},{'up' if value > 0 else 'down'}" for value in x]
    path = tmp_path / "long.csv"
    path.write_text("\n".join(["x,label", *rows]) + "\n")
    data = load_data(path)
    task = make_task(data, hidden_size=8, num_layers=1, seq_len=50)
    assert "windows of 50 labelled steps, with 25 steps before and after" in task.report
    assert task.checkpoint.preprocessing["label_window"] == {"steps": 50, "context": 25}
    for source, steps in ((task.training, 2700), (task.validation, 300)):
        batches = list(source.batches(0))
        assert sum(int((batch.targets > 0).sum()) for batch in batches) == steps
        assert max(len(batch.inputs) for batch in batches) <= 100
    assert task.compute_metrics().items == 300


def test_series_without_any_label_are_skipped_in_training(write: Write) -> None:
    rows = make_rows(9, 4, "AB")
    for k in range(8, 12):
        rows[k][4] = ""
    data = load_data(write(rows))
    assert data.labels == (0, 1, 1, 0, 1, 0, 1, 0)
    assert [item.reason for item in data.skipped_items] == ["series s2: no labels, expected one"]


def test_the_data_of_the_training_are_recognised(write: Write, tmp_path: Path) -> None:
    data = write(make_rows(20, 4))
    task = make_task(load_data(data), hidden_size=4, num_layers=1)
    task.checkpoint.save(tmp_path / "model.safetensors")
    checkpoint = Checkpoint.load(tmp_path / "model.safetensors")
    assert SEEN in evaluate_model(checkpoint, data).notes
    other = write(make_rows(20, 4, "BA"), "other.csv")
    assert SEEN not in evaluate_model(checkpoint, other).notes
    text = tmp_path / "a.txt"
    text.write_text("a cab abba " * 40)
    task = make_task(load_data(text), hidden_size=4, num_layers=1)
    assert SEEN in evaluate_model(task.checkpoint, text).notes
    text.write_text("a cab abba " * 41)
    assert SEEN not in evaluate_model(task.checkpoint, text).notes


def test_what_reading_assumed_is_said(write: Write, tmp_path: Path) -> None:
    rows = make_rows()
    rows[3][2] = ""
    notes = predict_labels(Checkpoint.load(save(tmp_path, Classifier)), write(rows)).notes
    assert any("missing" in note for note in notes) and any("time" in note for note in notes)
    assert not any("Classes" in note for note in notes)


def test_one_class_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match="at least two classes, got A"):
        make_task(load_data(write(make_rows(classes="A"))))
