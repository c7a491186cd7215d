"""Exercises accept what is right, and name what is wrong, in both languages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sluice.lecture import exercises
from sluice.lecture.exercises import solutions

Answer = Callable[..., object]
NAMES = list(exercises.list_exercises())


def check(name: str, answer: Answer, **options: str) -> exercises.Feedback:
    found: exercises.Feedback = getattr(exercises, f"check_{name}")(answer, **options)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_right(name: str) -> None:
    found = check(name, getattr(solutions, name))
    assert found and str(found) == "Right."
    assert str(check(name, getattr(solutions, name), language="de")) == "Richtig."


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_answer_is_wrong_and_raises_nothing(name: str) -> None:
    for answer in (lambda *a: None, lambda *a: "gate", lambda *a: torch.full((2, 2), torch.nan)):
        english, german = check(name, answer), check(name, answer, language="de")
        assert not english and not german and str(english) != str(german)
    raised = check(name, lambda *a: {}["h"])
    assert "KeyError" in str(raised) and "(line " in str(raised)


def lstm(order: str = "fico", **mistakes: bool) -> Answer:
    """An LSTM step with rows of W in ``order``, written out, with one mistake or none."""

    def step(x: Tensor, h: Tensor, c: Tensor, W: Tensor, b: Tensor) -> object:
        read = torch.cat([x, h] if mistakes.get("x_first") else [h, x])
        rows = functional.linear(read, W, None if mistakes.get("no_bias") else b)
        part = dict(zip(order, rows.split(len(h)), strict=True))
        gate = {name: 1 / (1 + torch.exp(-part[name])) for name in "fio"}
        new_c = gate["f"] * (h if mistakes.get("keeps_h") else c) + gate["i"] * part["c"].tanh()
        shown = new_c if mistakes.get("no_tanh") else new_c.tanh()
        new_h = gate["o"] * shown
        return (new_c, new_h) if mistakes.get("swapped") else (new_h, new_c)

    return step


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lstm(), "Right."),
        (lstm("ifco"), "Forget gate and input gate are swapped"),
        (lstm(x_first=True), "W expects [h, x]"),
        (lstm(no_bias=True), "The bias b is missing."),
        (lstm(keeps_h=True), "it belongs to the old cell state c"),
        (lstm(no_tanh=True), "The tanh of c is missing"),
        (lstm(swapped=True), "return h first"),
        (lstm("foci"), "is not right yet: at place"),
        (lambda x, h, c, W, b: h, "Return two tensors"),
        (lambda x, h, c, W, b: (h[:2], c), "is not right yet"),
        (lambda x, h, c, W, b: (h, c[:2]), "c must have the shape (4,); yours has (2,)."),
    ],
)
def test_the_lstm_step(answer: Answer, said: str) -> None:
    assert said in str(check("lstm_step", answer))


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("elman_step", lambda x, h, W, R, b: W @ x + R @ h + b, "The tanh is missing."),
        ("elman_step", lambda x, h, W, R, b: (W @ x + h @ R + b).tanh(), "R is transposed"),
        ("elman_step", lambda x, h, W, R, b: (W @ x + b).tanh(), "The old h is not used"),
        ("forget_gate", lambda x, h, W, b: W @ torch.cat([h, x]) + b, "The sigmoid is missing"),
        ("forget_gate", lambda x, h, W, b: (W @ torch.cat([h, x]) + b).tanh(), "needs a sigmoid"),
        ("output", lambda h, c, V, b: (V @ c + b).softmax(0), "You read the cell state c."),
        ("output", lambda h, c, V, b: (V @ h + b).sigmoid(), "do not add up to 1"),
        ("gates_for", lambda operation: (0.5, 0.5, 0.5), "'keep': c was 0.7"),
        ("gates_for", lambda operation: (2, 0, 0), "A gate lies between 0 and 1"),
        ("gradient_norm", lambda s, steps: s ** (steps + 1), "One factor too many."),
        ("gradient_norm", lambda s, steps: s ** (steps - 1), "One factor too few."),
        ("count_parameters", lambda cell, n, m: 4 * m * (n + m + 1), "you counted 4"),
        ("count_parameters", lambda cell, n, m: m * (n + m), "the biases are missing"),
    ],
)
def test_common_mistakes_are_named(name: str, answer: Answer, said: str) -> None:
    assert said in str(check(name, answer))


def truncate(offset: int = 0, *, from_zero: bool = False) -> Answer:
    """The truncated gradient by autograd; the gradient is cut ``offset`` steps early."""

    def answer(x: Tensor, W: Tensor, R: Tensor, k: int) -> Tensor:
        R = R.clone().requires_grad_()
        h = R.new_zeros(len(R))
        for t, step in enumerate(x):
            if t == len(x) - k + offset:
                h = h.detach() * (0.0 if from_zero else 1.0)
            h = torch.tanh(step @ W.T + h @ R.T)
        return torch.autograd.grad(h.sum(), R)[0]

    return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (truncate(), "Right."),
        (truncate(from_zero=True), "The state was cut too"),
        (truncate(1), "one step too early"),
        (truncate(-1), "one step too far"),
        (truncate(-99), "That is the full gradient"),
    ],
)
def test_truncation(answer: Answer, said: str) -> None:
    assert said in str(check("truncated_gradient", answer))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d, h, p, R: (torch.outer(d * (1 - h**2), p), (d * (1 - h**2)) @ R), "Right."),
        (lambda d, h, p, R: (torch.outer(d, p), d @ R), "1 − h², is missing"),
        (
            lambda d, h, p, R: (torch.outer(d * (1 - h**2), p), R @ (d * (1 - h**2))),
            "Backwards R is transposed",
        ),
        (
            lambda d, h, p, R: (torch.outer(p, d * (1 - h**2)), (d * (1 - h**2)) @ R),
            "outer product is transposed",
        ),
    ],
)
def test_a_step_of_bptt(change: Answer, said: str) -> None:
    assert said in str(check("bptt_step", change))


def test_labels_are_those_of_the_sheet() -> None:
    german = {
        "box 1": "Forget-Gate",
        "box 2": "Input-Gate",
        "box 3": "Kandidat",
        "box 4": "Output-Gate",
        "top": "Zellzustand",
        "bottom": "verborgener Zustand",
    }
    assert check("labels", lambda: german)
    assert "'top' is not the hidden state" in str(
        check("labels", lambda: {**german, "top": "hidden state"})
    )
    assert "'bottom' is missing" in str(
        check("labels", lambda: {key: german[key] for key in german if key != "bottom"})
    )


def test_an_answer_cannot_change_what_it_is_compared_with() -> None:
    def answer(x: Tensor, h: Tensor, W: Tensor, R: Tensor, b: Tensor) -> Tensor:
        new = torch.tanh(W @ x + R @ h + b)
        for value in (x, h, W, R, b):
            value.zero_()
        return new

    assert check("elman_step", answer)


def test_unknown_names_and_languages_are_refused() -> None:
    with pytest.raises(exercises.UnknownExerciseError, match="there are: elman_step, forget_gate"):
        exercises.hint("gru_step")
    with pytest.raises(ValueError, match="'en' or 'de', got 'fr'"):
        check("output", lambda *a: None, language="fr")
