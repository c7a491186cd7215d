import io
import json

import pytest
import torch
from rich.console import Console

from sluice.sequence.metrics import Metrics
from sluice.sequence.metrics.scores import classification_scores, confusion_matrix

FIGURES = Metrics(
    1200,
    {"model": {"MAE": 0.12345, "MASE": 0.9}, "last value": {"MAE": 0.5}},
    ((3, 1), (0, 2)),
    ("cat", "dog"),
)


def render(what: object) -> list[list[str]]:
    console = Console(file=io.StringIO(), width=80)
    console.print(what)
    text = console.file.getvalue()
    return [line.replace("│", " ").replace("┃", " ").split() for line in text.splitlines()]


def test_a_table_of_model_and_baselines() -> None:
    lines = render(FIGURES.to_table())
    assert ["1,200", "measured"] in lines
    assert ["method", "MAE", "MASE"] in lines
    assert ["model", "0.1235", "0.9"] in lines
    assert ["last", "value", "0.5"] in lines


def test_a_confusion_table() -> None:
    lines = render(FIGURES.to_confusion_table())
    assert ["cat", "3", "1"] in lines and ["dog", "0", "2"] in lines


def test_as_json() -> None:
    parsed = json.loads(json.dumps(FIGURES.to_dict()))
    assert parsed["by_method"]["model"]["MASE"] == FIGURES["MASE"] == 0.9
    assert parsed["confusion"] == [[3, 1], [0, 2]]


def test_scores_by_hand() -> None:
    truth = torch.tensor([0, 0, 0, 1, 1, 2])
    taken_for = torch.tensor([0, 0, 1, 1, 0, 1])
    confusion = confusion_matrix(truth, taken_for, 4)
    assert confusion.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    scores = classification_scores(confusion)
    assert scores["accuracy"] == pytest.approx(3 / 6)
    # Class 0: 2 hits, 1 miss, 1 false alarm; 1: 1 hit, 1 miss, 2 false alarms; 2: 1 miss; 3 absent.
    assert scores["macro F1"] == pytest.approx((4 / 6 + 2 / 5 + 0) / 3)
