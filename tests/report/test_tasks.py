"""Each task's sequences, read again by plain Python; its chance level, by the best constant."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor

from sluice.report.tasks import LagTask, list_tasks

BATCH = 400


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def recall(column: list[list[float]], lag: int) -> list[float]:
    assert len(column) == lag + 1 and sorted(column[0]) == [0, 0, 0, 1]
    assert all(abs(value) < 2 for row in column[1:] for value in row)
    return [column[0].index(1.0)]


def order(column: list[list[float]], lag: int) -> list[float]:
    symbols = [row.index(1.0) for row in column]
    places = [place for place, symbol in enumerate(symbols) if symbol < 2]
    assert len(places) == 2 and all(sorted(row) == [0, 0, 0, 1] for row in column)
    assert places[0] < max(1, lag // 10) and places[1] >= lag // 2
    assert len(column) - 1 - places[0] >= lag
    return [{(0, 0): 0, (0, 1): 1, (1, 0): 2, (1, 1): 3}[symbols[places[0]], symbols[places[1]]]]


def adding(column: list[list[float]], lag: int) -> list[float]:
    marked = [place for place, (_, mark) in enumerate(column) if mark == 1.0]
    assert len(column) == 2 * lag and len(marked) == 2 and marked[0] < lag <= marked[1]
    assert all(0 <= number < 1 and mark in (0.0, 1.0) for number, mark in column)
    return [sum(column[place][0] for place in marked)]


def copy(column: list[list[float]], lag: int) -> list[float]:
    symbols = [row.index(1.0) for row in column]
    assert len(symbols) == lag + 3 and symbols[3:lag] == [4] * (lag - 3)
    assert symbols[lag:] == [5, 4, 4] and max(symbols[:3]) < 4
    return [
        float(symbol) for symbol in symbols[:3]
    ]  # each is recalled `lag` steps after it was shown


def parity(column: list[list[float]], lag: int) -> list[float]:
    assert len(column) == lag + 2
    assert [row[1] for row in column] == [1, 1] + [0] * lag
    return [float(column[0][0] != column[1][0])]


ANSWERS: dict[str, Callable[[list[list[float]], int], list[float]]] = {
    function.__name__: function for function in (recall, order, adding, copy, parity)
}


@pytest.mark.parametrize("name", list_tasks())
@pytest.mark.parametrize("longer", [0, 1, 20])
def test_the_answer_follows_from_the_sequence(name: str, longer: int) -> None:
    task = list_tasks()[name]
    lag = task.least_lag + longer
    examples = task.draw(lag, BATCH, generator())
    assert examples.inputs.dtype == torch.float32 and examples.inputs.shape[2] == task.features
    columns = examples.inputs.transpose(0, 1).tolist()
    expected = torch.tensor([ANSWERS[name](column, lag) for column in columns]).float().T
    torch.testing.assert_close(examples.targets.float(), expected)
    again = task.draw(lag, BATCH, generator())
    assert torch.equal(again.inputs, examples.inputs)
    assert not torch.equal(task.draw(lag, BATCH, generator(1)).inputs, examples.inputs)


def answering(task: LagTask, constant: Tensor, like: Tensor) -> Tensor:
    """The outputs of a model with a constant answer."""
    return constant.expand(*like.shape[:2], task.outputs)


@pytest.mark.parametrize("name", list_tasks())
def test_chance_is_the_best_constant_answer(name: str) -> None:
    task = list_tasks()[name]
    examples = task.draw(6, 40_000, generator())
    targets = examples.targets.double()
    if task.outputs == 1:
        best, variance = targets.mean().float(), float(targets.var())
        assert variance == pytest.approx(1 / 6, rel=0.02)  # of the sum of two uniform numbers
        constant = best.reshape(1)
    else:
        shares = torch.stack([(targets == kind).double().mean() for kind in range(task.outputs)])
        entropy = -float((shares * shares.log()).sum())
        assert entropy == pytest.approx(math.log(task.outputs), rel=1e-3)
        constant = shares.log().float()
    outputs = answering(task, constant, examples.inputs)
    assert float(task.loss(outputs, examples.targets)) == pytest.approx(task.chance_loss, rel=0.02)
    assert task.score(outputs, examples.targets) == pytest.approx(task.chance_score, abs=0.01)


@pytest.mark.parametrize("name", list_tasks())
def test_the_right_answer_scores_one(name: str) -> None:
    task = list_tasks()[name]
    examples = task.draw(9, 50, generator())
    outputs = torch.randn(*examples.inputs.shape[:2], task.outputs)
    right = examples.targets[..., None] if task.outputs == 1 else 50 * torch.eye(task.outputs)[
        examples.targets
    ]  # fmt: skip
    outputs[-task.answers :] = right  # earlier steps are not scored
    assert task.score(outputs, examples.targets) == 1.0
    assert float(task.loss(outputs, examples.targets)) == pytest.approx(0, abs=1e-6)


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="lag must be at least 3 for 'copy', got 2"):
        list_tasks()["copy"].draw(2, 5, generator())
    with pytest.raises(ValueError, match="at least 1 sequence, got 0"):
        list_tasks()["recall"].draw(2, 0, generator())
