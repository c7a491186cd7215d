"""Check of labels on the sheet of blanks, against the sketch itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice.cells import LSTM
from sluice.lecture.exercises.feedback import (
    Feedback,
    Language,
    Sentence,
    WrongAnswerError,
    call_answer,
    give_feedback,
)
from sluice.render.sketch import build_layout

_LINES = {
    "c before": Sentence("cell state", "Zellzustand"),
    "h before": Sentence("hidden state", "verborgener Zustand"),
}
_QUESTIONS = {
    "forget gate": Sentence(
        "it is multiplied with the old cell state",
        "mit ihm wird der alte Zellzustand multipliziert",
    ),
    "input gate": Sentence(
        "it is multiplied with what the tanh proposes",
        "mit ihm wird multipliziert, was das tanh vorschlägt",
    ),
    "candidate": Sentence(
        "it is the learned box with tanh: what could be written",
        "es ist der gelernte Kasten mit tanh: was geschrieben werden könnte",
    ),
    "output gate": Sentence(
        "it is multiplied with tanh of the new cell state",
        "mit ihm wird tanh des neuen Zellzustands multipliziert",
    ),
    "cell state": Sentence(
        "only a product and a sum lie on it", "auf ihr liegen nur ein Produkt und eine Summe"
    ),
    "hidden state": Sentence(
        "all four boxes read it, beside x", "alle vier Kästen lesen sie, neben x"
    ),
}
_NO_LABELS = Sentence(
    "Return a dict of labels, such as {{'top': 'cell state', …}}, with the keys {keys}.",
    "Gib ein dict mit Beschriftungen zurück, etwa {{'top': 'Zellzustand', …}}, mit den Schlüsseln "
    "{keys}.",
)
_MISSING = Sentence("The label of '{place}' is missing.", "Die Beschriftung von '{place}' fehlt.")
_WRONG = Sentence(
    "'{place}' is not the {found}: {question}.", "'{place}' ist nicht „{found}“: {question}."
)


def check_labels(answer: Callable[..., object], *, language: Language = "en") -> Feedback:
    """Check ``labels()``: a name for each place of the LSTM's sheet, in English or in German.

    Example:
        >>> from sluice.lecture import exercises
        >>> exercises.check_labels(lambda: {"box 1": "input gate"})
        'box 1' is not the input gate: it is multiplied with the old cell state.
    """

    def check() -> None:
        names = read_sheet()
        found = call_answer(answer)
        if not isinstance(found, Mapping):
            raise WrongAnswerError(_NO_LABELS.fill(keys=", ".join(names)))
        for place, name in names.items():
            if place not in found:
                raise WrongAnswerError(_MISSING.fill(place=place))
            if _fold(found[place]) not in (_fold(name.en), _fold(name.de)):
                question = _QUESTIONS[name.en]
                raise WrongAnswerError(
                    Sentence(
                        _WRONG.en.format(place=place, found=found[place], question=question.en),
                        _WRONG.de.format(place=place, found=found[place], question=question.de),
                    )
                )

    return give_feedback(check, language)


def read_sheet() -> dict[str, Sentence]:
    """What belongs at each place of the sheet: read from where the sketch writes its labels."""
    graph = LSTM().graph
    english, german = (build_layout(graph, None, language).labels for language in ("en", "de"))
    both = list(zip(english, german, strict=True))
    boxes = sorted((pair for pair in both if pair[0].words), key=lambda pair: pair[0].box.left)
    lines = sorted((one for one in english if one.name in _LINES), key=lambda one: -one.box.top)
    found = {f"box {n}": Sentence(en.words, de.words) for n, (en, de) in enumerate(boxes, 1)}
    return found | {
        place: _LINES[one.name] for place, one in zip(("top", "bottom"), lines, strict=True)
    }


def _fold(name: object) -> str:
    return str(name).casefold().replace("-", " ").strip()
