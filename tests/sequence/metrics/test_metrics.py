import io
import json

import pytest
import torch
from rich.console import Console

from sluice.sequence.metrics import Metrics
from sluice.sequence.metrics.score_table import ScoreTable
from sluice.sequence.metrics.scores import (
    average_class_scores,
    classification_scores,
    compute_class_scores,
    confusion_matrix,
)

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


def test_scores_by_class_by_hand() -> None:
    # Class 0: 2 hits, 1 miss, 1 false alarm; 1: 1 hit, 1 miss, 2 false alarms; 2: 1 miss; 3 absent.
    confusion = [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    scores = compute_class_scores(confusion, ["a", "b", "c", "d"])
    assert scores == [
        ("a", 2 / 3, 2 / 3, 4 / 6, 3),
        ("b", 1 / 3, 1 / 2, 2 / 5, 2),
        ("c", None, 0.0, 0.0, 1),
        ("d", None, None, None, 0),
    ]
    macro, weighted = average_class_scores(scores)
    assert macro == ("macro mean", *(pytest.approx(one / 3) for one in (1, 7 / 6, 16 / 15)), 6)
    expected = [(3 * 2 / 3 + 2 / 3) / 6, (3 * 2 / 3 + 2 / 2) / 6, (3 * 4 / 6 + 2 * 2 / 5) / 6]
    assert weighted == ("weighted mean", *map(pytest.approx, expected), 6)


def test_many_classes_list_their_confusions() -> None:
    labels = tuple(f"class {k}" for k in range(30))
    confusion = [[5 * (row == column) for column in range(30)] for row in range(30)]
    confusion[3][7], confusion[7][3] = 2, 4
    figures = Metrics(100, {"model": {"accuracy": 0.9}}, tuple(map(tuple, confusion)), labels)
    names = [table.name for table in figures.to_score_tables()]
    assert names == ["scores", "by class", "confusions", "confusion"]
    assert figures.to_score_tables()[2].rows == (
        ("class 7", "class 3", 4),
        ("class 3", "class 7", 2),
    )


def test_markup_in_names_is_shown_as_it_is() -> None:
    table = ScoreTable("[red]", ("[b]", "x"), (("[/b]", 1.0), ("plain", None)))
    assert ["[red]"] in render(table.to_table()) and ["[/b]", "1"] in render(table.to_table())


def test_the_middle_of_many_rows_is_left_out() -> None:
    table = ScoreTable("many", ("row", "x"), tuple((f"r{k}", k) for k in range(100)))
    lines = render(table.to_table())
    assert ["r0", "0"] in lines and ["r99", "99"] in lines and ["..."] in [one[:1] for one in lines]
    assert len(lines) < 50 and len(table.to_records()) == 100
    assert ["...", "60", "more", "..."] in lines  # 36 at the start and 4 at the end are shown


def test_figures_that_do_not_fit_stand_below() -> None:
    names = tuple(f"score {k}" for k in range(10))
    row = tuple(0.1234 + k for k in range(10))
    table = ScoreTable("many", ("series", *names), ((f"{'north' * 9} 7", *row),))
    console = Console(file=io.StringIO(), width=80)
    console.print(table.to_table())
    text = console.file.getvalue()
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    words = text.split()
    assert [word for word in words if "." in word] == [f"{0.1234 + k:.4g}" for k in range(10)]
    for name in names:
        assert name in text


def test_control_characters_are_written_out() -> None:
    table = ScoreTable("outputs", ("source", "output"), (("a\x00\x1b[31mé", "b\n"),))
    console = Console(file=io.StringIO(), width=80)
    console.print(table.to_table())
    text = console.file.getvalue()
    assert r"a\x00\x1b[31mé" in text and r"b\n" in text and "\x1b" not in text
