"""Properties of every step of a sequence that units may follow: of text, and of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

Properties = dict[str, list[Tensor]]
"""For each name a number (float64) or class (int64) per step, ``(time,)``, of every sequence."""
_OPENING, _CLOSING = "([{", ")]}"


def text_properties(sequences: Sequence[Sequence[str]]) -> Properties:
    """Of characters (or longer pieces of text): lines, words, quotes, brackets, capitals.

    Example:
        >>> found = text_properties([list('a "b"')])
        >>> found["inside double quotes"][0].tolist()
        [0, 0, 1, 1, 0]
        >>> found["letters since the word began"][0].tolist()
        [1.0, 0.0, 0.0, 1.0, 0.0]
    """
    return compute_properties(
        sequences,
        {
            "letters since the line began": lambda s: count_since(s, lambda piece: "\n" in piece),
            "letters since the word began": lambda s: count_since(
                s, lambda piece: not piece.isalnum()
            ),
            "inside double quotes": _inside_quotes,
            "inside brackets": _inside_brackets,
            "a capital letter": lambda s: to_classes(piece.isupper() for piece in s),
            "a letter (not a blank or a sign)": lambda s: to_classes(
                piece.isalpha() for piece in s
            ),
            "the line ends next": lambda s: is_next(s, lambda piece: "\n" in piece),
            "the word ends next": lambda s: is_next(s, lambda piece: not piece.isalnum()),
        },
    )


def numeric_properties(sequences: Sequence[Tensor]) -> Properties:
    """Of values ``(time, features)``: each feature (the first eight), and its last change."""
    found: Properties = {}
    for k in range(min(8, min(sequence.shape[1] for sequence in sequences))):
        columns = [sequence[:, k].double() for sequence in sequences]
        found[f"input {k}"] = columns
        found[f"change of input {k}"] = [c.diff(prepend=c[:1]) for c in columns]
    return found


def compute_properties(
    sequences: Sequence[Sequence[str]], kinds: dict[str, Callable[[Sequence[str]], Tensor]]
) -> Properties:
    """Each property of each sequence, by the property's name."""
    return {name: [kind(sequence) for sequence in sequences] for name, kind in kinds.items()}


def to_numbers(values: Iterable[float]) -> Tensor:
    """A property of numbers: float64 ``(time,)``."""
    return torch.tensor(list(values), dtype=torch.float64)


def to_classes(values: Iterable[bool]) -> Tensor:
    """A property of two classes, 0 and 1: int64 ``(time,)``."""
    return torch.tensor([int(value) for value in values])


def count_since(tokens: Sequence[str], matches: Callable[[str], bool]) -> Tensor:
    """Steps since the last token that matches, or since the start."""
    count, found = 0, []
    for token in tokens:
        count = 0 if matches(token) else count + 1
        found.append(count)
    return to_numbers(found)


def is_next(tokens: Sequence[str], matches: Callable[[str], bool]) -> Tensor:
    """Whether the next token matches."""
    return to_classes([*(matches(after) for _, after in pairwise(tokens)), False])


def count_so_far(tokens: Sequence[str], matches: Callable[[str], bool]) -> list[int]:
    """How many tokens up to each step match, that step included."""
    return list(accumulate(int(matches(token)) for token in tokens))


def _inside_quotes(pieces: Sequence[str]) -> Tensor:
    """Within straight or curly double quotes; a straight one opens and closes in turn."""
    inside, found = False, []
    for piece in pieces:
        for letter in piece:
            inside = {'"': not inside, "“": True, "”": False}.get(letter, inside)
        found.append(inside)
    return to_classes(found)


def _inside_brackets(pieces: Sequence[str]) -> Tensor:
    depth, found = 0, []
    for piece in pieces:
        for letter in piece:
            depth = max(0, depth + (letter in _OPENING) - (letter in _CLOSING))
        found.append(depth > 0)
    return to_classes(found)
