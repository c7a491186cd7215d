"""Checks about the unit as a whole: gates as commands, parameters, labels of the sketch."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sluice.lecture.exercises.feedback import (
    Feedback,
    Language,
    Mistake,
    Sentence,
    WrongAnswerError,
    call_answer,
    compare,
    give_feedback,
    read_numbers,
)

_THREE = Sentence(
    "Return three numbers, (f, i, o), for '{operation}'.",
    "Gib für '{operation}' drei Zahlen zurück, (f, i, o).",
)
_NO_GATE = Sentence(
    "A gate lies between 0 and 1; for '{operation}' yours are {found}.",
    "Ein Gate liegt zwischen 0 und 1; bei '{operation}' sind deine {found}.",
)
_MEMORY = Sentence(
    "'{operation}': c was {c} and the candidate {candidate}; afterwards c must be {expected}, and "
    "with your gates it is {found:.3g}.",
    "'{operation}': c war {c} und der Kandidat {candidate}; danach muss c {expected} sein, mit "
    "deinen Gates ist es {found:.3g}.",
)
_SHOWS = Sentence(
    "'{operation}' must show nothing (h = 0); with your output gate it shows {found:.3g}.",
    "'{operation}' darf nichts zeigen (h = 0); mit deinem Output-Gate zeigt es {found:.3g}.",
)
_HIDES = Sentence(
    "'{operation}' must show the memory, h = tanh(c); open the output gate.",
    "'{operation}' muss den Speicher zeigen, h = tanh(c); öffne das Output-Gate.",
)


def check_gates_for(answer: Callable[..., object], *, language: Language = "en") -> Feedback:
    """Check ``gates_for(operation)``: its gates are put into a unit, and what it does is looked at.

    Example:
        >>> from sluice.lecture import exercises
        >>> exercises.check_gates_for(lambda operation: (1, 0, 1))
        'keep' must show nothing (h = 0); with your output gate it shows 0.604.
    """

    def check() -> None:
        for c, candidate in ((0.7, -0.4), (-1.3, 0.9)):
            wanted = {"keep": c, "load": c, "store": candidate, "delete": 0.0}
            for operation, expected in wanted.items():
                f, i, o = _read_gates(operation, call_answer(answer, operation))
                memory = f * c + i * candidate
                values = {"operation": operation, "c": c, "candidate": candidate}
                if abs(memory - expected) > 1e-6:
                    raise WrongAnswerError(_MEMORY.fill(**values, expected=expected, found=memory))
                if operation == "load" and abs(o - 1.0) > 1e-6:
                    raise WrongAnswerError(_HIDES.fill(operation=operation))
                shown = o * float(torch.tanh(torch.tensor(memory)))
                if operation != "load" and abs(shown) > 1e-6:
                    raise WrongAnswerError(_SHOWS.fill(operation=operation, found=shown))

    return give_feedback(check, language)


def _read_gates(operation: str, found: object) -> list[float]:
    gates = read_numbers("(f, i, o)", found)
    if gates.shape != (3,):
        raise WrongAnswerError(_THREE.fill(operation=operation))
    if not ((gates >= 0) & (gates <= 1)).all():
        raise WrongAnswerError(_NO_GATE.fill(operation=operation, found=gates.tolist()))
    return [float(gate) for gate in gates]


def check_count_parameters(answer: Callable[..., object], *, language: Language = "en") -> Feedback:
    """Check ``count_parameters(cell, n, m)`` against the parameters of torch's layers.

    Example:
        >>> from sluice.lecture import exercises
        >>> exercises.check_count_parameters(lambda cell, n, m: m * (n + m + 1))
        'gru': it has 3 learned boxes, two gates and a candidate; you counted 1.
    """

    def check() -> None:
        layers = {"elman": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
        names = {
            "elman": Sentence("one, its tanh", "nur das tanh"),
            "gru": Sentence("two gates and a candidate", "zwei Gates und einen Kandidaten"),
            "lstm": Sentence("three gates and a candidate", "drei Gates und einen Kandidaten"),
        }
        for n, m in ((3, 5), (28, 16)):
            for cell, kind in layers.items():
                layer = kind(n, m)
                weights = [
                    value for name, value in layer.named_parameters() if name != "bias_hh_l0"
                ]
                expected = sum(value.numel() for value in weights)
                boxes = expected // (m * (n + m + 1))
                counted = Sentence(
                    "'{cell}': it has {boxes} learned boxes, {names}; you counted {found}.",
                    "'{cell}': Sie hat {boxes} gelernte Kästen, {names}; du hast {found} gezählt.",
                )
                mistakes = [
                    _number(
                        sum(value.numel() for value in layer.parameters()),
                        "'{cell}': that has two biases for each box, as PyTorch; count one.",
                        "'{cell}': Das sind zwei Bias-Vektoren je Kasten wie in PyTorch; zähle "
                        "einen.",
                        cell,
                    ),
                    _number(
                        boxes * m * (n + m),
                        "'{cell}': the biases are missing.",
                        "'{cell}': Es fehlen die Bias-Vektoren.",
                        cell,
                    ),
                    _number(
                        boxes * m * (n + 1),
                        "'{cell}': the weights of the old h are missing, m × m for each box.",
                        "'{cell}': Es fehlen die Gewichte des alten h, m × m je Kasten.",
                        cell,
                    ),
                ]
                for wrong in {1, 2, 3, 4, 5} - {boxes}:
                    said = Sentence(
                        counted.en.format(
                            cell=cell, boxes=boxes, names=names[cell].en, found=wrong
                        ),
                        counted.de.format(
                            cell=cell, boxes=boxes, names=names[cell].de, found=wrong
                        ),
                    )
                    value = torch.tensor(wrong * m * (n + m + 1), dtype=torch.float64)
                    mistakes.append(Mistake(value, said))
                compare(
                    f"count_parameters('{cell}', {n}, {m})",
                    call_answer(answer, cell, n, m),
                    torch.tensor(expected, dtype=torch.float64),
                    mistakes,
                )

    return give_feedback(check, language)


def _number(value: int, en: str, de: str, cell: str) -> Mistake:
    return Mistake(torch.tensor(value, dtype=torch.float64), Sentence(en, de).fill(cell=cell))
