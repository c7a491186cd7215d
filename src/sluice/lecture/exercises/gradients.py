"""Checks of the backward pass: a norm that vanishes, a step of BPTT, its truncation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sluice.lecture.exercises.cells import INPUTS, UNITS, draw
from sluice.lecture.exercises.feedback import (
    Feedback,
    Language,
    Mistake,
    Sentence,
    WrongAnswerError,
    call_answer,
    compare,
    give_feedback,
)

_STEPS = 9
_TWO = Sentence(
    "Return two tensors: the share of dL/dR, and dL/dh_before.",
    "Gib zwei Tensoren zurück: den Anteil an dL/dR und dL/dh_before.",
)
_NO_TANH = Sentence(
    "The derivative of tanh, 1 − h², is missing.", "Es fehlt die Ableitung von tanh, 1 − h²."
)


def check_gradient_norm(answer: Callable[..., object], *, language: Language = "en") -> Feedback:
    """Check ``gradient_norm(s, steps)`` against products with a rotation, in float64.

    Example:
        >>> from sluice.lecture import exercises
        >>> exercises.check_gradient_norm(lambda s, steps: s * steps)
        Each step multiplies by s once more: the norm is a power of s, not a multiple.
    """

    def check() -> None:
        rotation, _ = torch.linalg.qr(draw(UNITS, UNITS, seed=20))
        for s, steps in ((0.9, 50), (1.1, 30), (0.5, 3)):
            gradient = torch.zeros(UNITS, dtype=torch.float64)
            gradient[0] = 1.0
            for _ in range(steps):
                gradient = (s * rotation).T @ gradient
            expected, found = gradient.norm(), call_answer(answer, s, steps)
            mistakes = (
                Mistake(
                    torch.tensor(s * steps),
                    Sentence(
                        "Each step multiplies by s once more: the norm is a power of s, not a "
                        "multiple.",
                        "Jeder Schritt multipliziert noch einmal mit s: Die Norm ist eine Potenz "
                        "von s, kein Vielfaches.",
                    ),
                ),
                Mistake(
                    torch.tensor(s ** (steps - 1)),
                    Sentence("One factor too few.", "Ein Faktor zu wenig."),
                ),
                Mistake(
                    torch.tensor(s ** (steps + 1)),
                    Sentence("One factor too many.", "Ein Faktor zu viel."),
                ),
                Mistake(
                    torch.tensor(1.0),
                    Sentence(
                        "The rotation alone keeps the norm, but R is s times it.",
                        "Die Drehung allein erhält die Norm, aber R ist s mal die Drehung.",
                    ),
                ),
            )
            compare("norm", found, expected, mistakes)

    return give_feedback(check, language)


def check_bptt_step(answer: Callable[..., object], *, language: Language = "en") -> Feedback:
    """Check ``bptt_step(dh, h, h_before, R)`` against autograd."""

    def check() -> None:
        x, W = draw(INPUTS, seed=21), draw(UNITS, INPUTS, seed=22)
        R = (0.5 * draw(UNITS, UNITS, seed=23)).requires_grad_()
        before, dh = draw(UNITS, seed=24).tanh().requires_grad_(), draw(UNITS, seed=25)
        h = torch.tanh(W @ x + R @ before)
        expected = torch.autograd.grad(h, (R, before), dh)
        given = [value.detach() for value in (dh, h, before, R)]
        found = call_answer(answer, *given)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise WrongAnswerError(_TWO)
        mistakes = _list_mistakes(*given)
        for place, name in enumerate(("dL/dR", "dL/dh_before")):
            compare(name, found[place], expected[place], mistakes[place])

    return give_feedback(check, language)


def check_truncated_gradient(
    answer: Callable[..., object], *, language: Language = "en"
) -> Feedback:
    """Check ``truncated_gradient(x, W, R, k)``: dL/dR through the last k of all steps."""

    def check() -> None:
        x, W = draw(_STEPS, INPUTS, seed=26), 0.5 * draw(UNITS, INPUTS, seed=27)
        R = 0.6 * draw(UNITS, UNITS, seed=28)
        states = [torch.zeros(UNITS, dtype=torch.float64)]
        for step in x:
            states.append(torch.tanh(W @ step + R @ states[-1]))
        for k in (3, 1, _STEPS):
            expected = _backpropagate(states, R, k)
            mistakes = [
                Mistake(
                    _run_from_zero(x[-k:], W, R),
                    Sentence(
                        "The state was cut too: it must come from the first step, only the "
                        "gradient ends after k.",
                        "Auch der Zustand ist abgeschnitten: Er muss vom ersten Schritt kommen, "
                        "nur der Gradient endet nach k.",
                    ),
                ),
                Mistake(
                    _backpropagate(states, R, k + 1),
                    Sentence(
                        "The gradient goes one step too far back.",
                        "Der Gradient geht einen Schritt zu weit zurück.",
                    ),
                ),
                Mistake(
                    _backpropagate(states, R, k - 1),
                    Sentence(
                        "The gradient stops one step too early.",
                        "Der Gradient endet einen Schritt zu früh.",
                    ),
                ),
                Mistake(
                    _backpropagate(states, R, _STEPS),
                    Sentence(
                        "That is the full gradient; cut it before the last k steps.",
                        "Das ist der volle Gradient; schneide ihn vor den letzten k Schritten ab.",
                    ),
                ),
            ]
            compare("dL/dR", call_answer(answer, x, W, R, k), expected, mistakes)

    return give_feedback(check, language)


def _list_mistakes(
    dh: Tensor, h: Tensor, before: Tensor, R: Tensor
) -> tuple[list[Mistake], list[Mistake]]:
    delta = dh * (1 - h * h)
    of_before = dh * (1 - before * before)
    wrong_state = Sentence(
        "The derivative of tanh is 1 − h² with the new h, not with h_before.",
        "Die Ableitung von tanh ist 1 − h² mit dem neuen h, nicht mit h_before.",
    )
    return [
        Mistake(torch.outer(dh, before), _NO_TANH),
        Mistake(torch.outer(of_before, before), wrong_state),
        Mistake(
            torch.outer(before, delta),
            Sentence(
                "The outer product is transposed: rows belong to delta, columns to h_before.",
                "Das äußere Produkt ist transponiert: Zeilen gehören zu delta, Spalten zu "
                "h_before.",
            ),
        ),
        Mistake(
            torch.outer(delta, h),
            Sentence(
                "R was multiplied with h_before, so the outer product needs h_before, not h.",
                "R wurde mit h_before multipliziert; das äußere Produkt braucht h_before, nicht h.",
            ),
        ),
    ], [
        Mistake(R.T @ dh, _NO_TANH),
        Mistake(R.T @ of_before, wrong_state),
        Mistake(
            R @ delta,
            Sentence(
                "Backwards R is transposed: R.T @ delta.",
                "Rückwärts wird R transponiert: R.T @ delta.",
            ),
        ),
    ]


def _backpropagate(states: list[Tensor], R: Tensor, k: int) -> Tensor:
    """dL/dR of the sum of the last state, through the last k steps, written out."""
    delta, total = torch.ones_like(states[0]), torch.zeros_like(R)
    for t in range(len(states) - 1, max(len(states) - 1 - k, 0), -1):
        delta = delta * (1 - states[t] ** 2)
        total = total + delta[:, None] * states[t - 1][None, :]
        delta = delta @ R
    return total


def _run_from_zero(x: Tensor, W: Tensor, R: Tensor) -> Tensor:
    states = [torch.zeros_like(R[0])]
    for step in x:
        states.append(torch.tanh(W @ step + R @ states[-1]))
    return _backpropagate(states, R, len(x))
