"""What the values of a cell are called in words, in English and in German."""

from __future__ import annotations

from typing import Literal, get_args

from sluice.equations.graph import Elementwise, Graph, Node

Language = Literal["en", "de"]

# Lecturers at German universities keep the English names of gates, as compounds with a hyphen.
_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "input": "input gate",
        "forget": "forget gate",
        "output": "output gate",
        "reset": "reset gate",
        "update": "update gate",
        "candidate": "candidate",
    },
    "de": {
        "input": "Input-Gate",
        "forget": "Forget-Gate",
        "output": "Output-Gate",
        "reset": "Reset-Gate",
        "update": "Update-Gate",
        "candidate": "Kandidat",
    },
}


def check_language(language: str) -> None:
    """Raise ValueError for a language that there are no words in."""
    known = get_args(Language)
    if language not in known:
        raise ValueError(f"language must be {' or '.join(map(repr, known))}, got {language!r}")


def name_in_words(name: str, language: str = "en") -> str:
    """What stands in words beside a value's symbol; empty where the symbol is its name.

    >>> name_in_words("forget"), name_in_words("forget", "de"), name_in_words("h")
    ('forget gate', 'Forget-Gate', '')
    """
    return _WORDS[language].get(name, "")


def is_gate(node: Node) -> bool:
    """Whether a value lies from 0 to 1 at once: the value of a sigmoid."""
    return isinstance(node, Elementwise) and node.op == "sigmoid"


def describe_value(graph: Graph, name: str, language: str = "en") -> str:
    """A value in words: a gate's or the candidate's, and else its own name.

    >>> from sluice.cells import LSTM
    >>> describe_value(LSTM().graph, "output")
    'output gate'
    """
    words = name_in_words(name, language)
    if words:
        return words
    plain = name.replace("_", " ")
    if is_gate(graph.outputs_by_name[name]):
        return f"{plain} gate" if language == "en" else f"{plain.capitalize()}-Gate"
    return plain
