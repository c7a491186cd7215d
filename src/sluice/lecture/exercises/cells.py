"""Checks of the forward pass: the Elman step, the forget gate, the LSTM step, the output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

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

INPUTS, UNITS, CLASSES = 3, 4, 5

_NO_BIAS = Sentence("The bias b is missing.", "Der Bias b fehlt.")
_ORDER = Sentence(
    "You concatenated [x, h]; W expects [h, x], h first.",
    "Du hast [x, h] verkettet; W erwartet [h, x], h zuerst.",
)
_NO_SIGMOID = Sentence(
    "The sigmoid is missing: a gate must lie between 0 and 1.",
    "Das Sigmoid fehlt: Ein Gate muss zwischen 0 und 1 liegen.",
)
_TANH_GATE = Sentence(
    "A gate needs a sigmoid, from 0 to 1; tanh goes from −1 to 1.",
    "Ein Gate braucht ein Sigmoid, von 0 bis 1; tanh geht von −1 bis 1.",
)
_TWO = Sentence(
    "Return two tensors, the new h and the new c, as in `return h, c`.",
    "Gib zwei Tensoren zurück, das neue h und das neue c: `return h, c`.",
)
_SWAPPED_STATES = Sentence(
    "The values are right but swapped: return h first, then c.",
    "Die Werte stimmen, sind aber vertauscht: zuerst h zurückgeben, dann c.",
)


def draw(*shape: int, seed: int) -> Tensor:
    """Normal random numbers, float64, the same for the same seed."""
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def check_elman_step(answer: Callable[..., object], *, language: Language = "en") -> Feedback:
    """Check ``elman_step(x, h, W, R, b)`` against `torch.nn.functional` and `torch.nn.RNNCell`.

    Example:
        >>> import torch
        >>> from sluice.lecture import exercises
        >>> exercises.check_elman_step(lambda x, h, W, R, b: torch.tanh(W @ x + R @ h))
        The bias b is missing.
    """

    def check() -> None:
        x, h, b = draw(INPUTS, seed=1), draw(UNITS, seed=2), draw(UNITS, seed=3)
        W, R = draw(UNITS, INPUTS, seed=4), draw(UNITS, UNITS, seed=5)
        cell = torch.nn.RNNCell(INPUTS, UNITS, dtype=torch.float64)
        cell.load_state_dict(
            {"weight_ih": W, "weight_hh": R, "bias_ih": b, "bias_hh": torch.zeros_like(b)}
        )
        expected = cell(x[None], h[None])[0].detach()
        whole = functional.linear(x, W) + functional.linear(h, R) + b
        mistakes = (
            Mistake(torch.tanh(whole - b), _NO_BIAS),
            Mistake(whole, Sentence("The tanh is missing.", "Das tanh fehlt.")),
            Mistake(
                torch.sigmoid(whole),
                Sentence("The Elman cell has tanh here, not σ.", "Hier steht tanh, nicht σ."),
            ),
            Mistake(
                torch.tanh(whole - functional.linear(h, R)),
                Sentence(
                    "The old h is not used: the cell has no memory. Add R h.",
                    "Das alte h kommt nicht vor: Die Zelle hat kein Gedächtnis. Es fehlt R h.",
                ),
            ),
            Mistake(
                torch.tanh(whole - functional.linear(x, W)),
                Sentence("The input x is not used.", "Die Eingabe x kommt nicht vor."),
            ),
            Mistake(
                torch.tanh(functional.linear(x, W) + functional.linear(h, R.T) + b),
                Sentence("R is transposed: write R @ h.", "R ist transponiert: Richtig ist R @ h."),
            ),
        )
        compare("h", call_answer(answer, x, h, W, R, b), expected, mistakes)

    return give_feedback(check, language)


def check_forget_gate(answer: Callable[..., object], *, language: Language = "en") -> Feedback:
    """Check ``forget_gate(x, h, W, b)``, where W multiplies [h, x].

    Example:
        >>> import torch
        >>> from sluice.lecture import exercises
        >>> exercises.check_forget_gate(lambda x, h, W, b: torch.sigmoid(W @ torch.cat([x, h]) + b))
        You concatenated [x, h]; W expects [h, x], h first.
    """

    def check() -> None:
        x, h, b = draw(INPUTS, seed=6), draw(UNITS, seed=7), draw(UNITS, seed=8)
        W = draw(UNITS, UNITS + INPUTS, seed=9)
        whole = functional.linear(h, W[:, :UNITS]) + functional.linear(x, W[:, UNITS:]) + b
        swapped = functional.linear(x, W[:, :INPUTS]) + functional.linear(h, W[:, INPUTS:]) + b
        mistakes = (
            Mistake(torch.sigmoid(swapped), _ORDER),
            Mistake(torch.sigmoid(whole - b), _NO_BIAS),
            Mistake(whole, _NO_SIGMOID),
            Mistake(torch.tanh(whole), _TANH_GATE),
            Mistake(
                1 - torch.sigmoid(whole),
                Sentence(
                    "That is 1 − f. The forget gate is 1 where the old value is kept.",
                    "Das ist 1 − f. Das Forget-Gate ist 1, wo der alte Wert behalten wird.",
                ),
            ),
        )
        compare("f", call_answer(answer, x, h, W, b), torch.sigmoid(whole), mistakes)

    return give_feedback(check, language)


def check_lstm_step(answer: Callable[..., object], *, language: Language = "en") -> Feedback:
    """Check ``lstm_step(x, h, c, W, b)`` against `torch.nn.LSTMCell`.

    Rows of W: forget gate, input gate, candidate, output gate. It returns h and c.
    """

    def check() -> None:
        x, h, c = draw(INPUTS, seed=10), draw(UNITS, seed=11), draw(UNITS, seed=12)
        W, b = draw(4 * UNITS, UNITS + INPUTS, seed=13), draw(4 * UNITS, seed=14)
        expected = _run_torch(x, h, c, W, b)
        found = call_answer(answer, x, h, c, W, b)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise WrongAnswerError(_TWO)
        mistakes = _list_lstm_mistakes(x, h, c, W, b)
        mistakes.insert(0, ((expected[1], expected[0]), _SWAPPED_STATES))
        for place, name in ((1, "c"), (0, "h")):
            known = [Mistake(pair[place], sentence) for pair, sentence in mistakes]
            compare(name, found[place], expected[place], known)

    return give_feedback(check, language)


def check_output(answer: Callable[..., object], *, language: Language = "en") -> Feedback:
    """Check ``output(h, c, V, b)``: y as probabilities, read from h alone."""

    def check() -> None:
        h, c, b = draw(UNITS, seed=15), draw(UNITS, seed=16), draw(CLASSES, seed=17)
        V = draw(CLASSES, UNITS, seed=18)
        whole = functional.linear(h, V) + b
        exponentials = whole.exp()
        mistakes = (
            Mistake(
                torch.softmax(functional.linear(c, V) + b, 0),
                Sentence(
                    "You read the cell state c. The output sees only what the unit shows: h.",
                    "Du liest den Zellzustand c. Die Ausgabe sieht nur, was die Einheit zeigt: h.",
                ),
            ),
            Mistake(torch.softmax(whole - b, 0), _NO_BIAS),
            Mistake(
                whole,
                Sentence(
                    "The non-linearity is missing: these numbers are no probabilities.",
                    "Die Nichtlinearität fehlt: Diese Zahlen sind keine Wahrscheinlichkeiten.",
                ),
            ),
            Mistake(
                torch.sigmoid(whole),
                Sentence(
                    "With σ the numbers do not add up to 1; classes need a softmax.",
                    "Mit σ ist die Summe nicht 1; Klassen brauchen ein Softmax.",
                ),
            ),
        )
        expected = exponentials / exponentials.sum()
        compare("y", call_answer(answer, h, c, V, b), expected, mistakes)

    return give_feedback(check, language)


def _run_torch(x: Tensor, h: Tensor, c: Tensor, W: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The new h and c, by torch's own cell, whose rows are i, f, candidate, o."""
    rows = torch.cat([torch.arange(UNITS) + part * UNITS for part in (1, 0, 2, 3)])
    cell = torch.nn.LSTMCell(INPUTS, UNITS, dtype=torch.float64)
    weights = {"weight_hh": W[rows, :UNITS], "weight_ih": W[rows, UNITS:], "bias_ih": b[rows]}
    cell.load_state_dict({**weights, "bias_hh": torch.zeros_like(b)})
    with torch.no_grad():
        new_h, new_c = cell(x[None], (h[None], c[None]))
    return new_h[0], new_c[0]


def _list_lstm_mistakes(
    x: Tensor, h: Tensor, c: Tensor, W: Tensor, b: Tensor
) -> list[tuple[tuple[Tensor, Tensor], Sentence]]:
    """What goes wrong in one place, as h and c, with a sentence."""
    read = torch.cat([h, x])
    f, i, g, o = (W @ read + b).chunk(4)
    sigma = torch.sigmoid

    def finish(new_c: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        return sigma(shown) * new_c.tanh(), new_c

    c_new = sigma(f) * c + sigma(i) * g.tanh()
    no_bias = (W @ read).chunk(4)
    other_order = (W @ torch.cat([x, h]) + b).chunk(4)
    return [
        (
            finish(sigma(i) * c + sigma(f) * g.tanh(), o),
            Sentence(
                "Forget gate and input gate are swapped: f multiplies the old c, i the candidate.",
                "Forget- und Input-Gate sind vertauscht: f gehört zum alten c, i zum Kandidaten.",
            ),
        ),
        (
            finish(sigma(no_bias[0]) * c + sigma(no_bias[1]) * no_bias[2].tanh(), no_bias[3]),
            _NO_BIAS,
        ),
        (
            finish(
                sigma(other_order[0]) * c + sigma(other_order[1]) * other_order[2].tanh(),
                other_order[3],
            ),
            _ORDER,
        ),
        (
            finish(sigma(f) * c + sigma(i) * sigma(g), o),
            Sentence(
                "The candidate needs tanh: with a sigmoid only positive values could be written.",
                "Der Kandidat braucht tanh: Mit σ ließen sich nur positive Werte schreiben.",
            ),
        ),
        (
            finish(sigma(f) * h + sigma(i) * g.tanh(), o),
            Sentence(
                "You multiplied the forget gate with h; it belongs to the old cell state c.",
                "Du hast das Forget-Gate mit h multipliziert; es gehört zum alten Zellzustand c.",
            ),
        ),
        (
            finish(sigma(f) * c + g.tanh(), o),
            Sentence(
                "The input gate is missing before the candidate.",
                "Vor dem Kandidaten fehlt das Input-Gate.",
            ),
        ),
        (
            (sigma(o) * c_new, c_new),
            Sentence(
                "The tanh of c is missing on the way to h.", "Auf dem Weg zu h fehlt tanh von c."
            ),
        ),
        (
            (sigma(o) * c.tanh(), c_new),
            Sentence(
                "h comes from the old c; take the new one.",
                "h kommt aus dem alten c; nimm das neue.",
            ),
        ),
        (
            (c_new.tanh(), c_new),
            Sentence("The output gate is missing in h.", "In h fehlt das Output-Gate."),
        ),
    ]
