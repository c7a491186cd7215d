"""What can be found in data at every step, for units to follow: in text, in tunes, in numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import pairwise

import torch
from torch import Tensor

from sluice.tunes.notation.score import BAR_LINE
from sluice.tunes.theory.keys import Pitch

Properties = dict[str, list[Tensor]]
_OPENING, _CLOSING = "([{", ")]}"


def text_properties(sequences: Sequence[Sequence[str]]) -> Properties:
    """Of letters (or longer pieces of text): lines, words, quotes, brackets, capitals.

    Example:
        >>> found = text_properties([list('a "b"')])
        >>> found["inside double quotes"][0].tolist()
        [0, 0, 1, 1, 0]
        >>> found["letters since the word began"][0].tolist()
        [1.0, 0.0, 0.0, 1.0, 0.0]
    """
    return _compute_properties(
        sequences,
        {
            "letters since the line began": lambda s: _count_since(s, lambda piece: "\n" in piece),
            "letters since the word began": lambda s: _count_since(
                s, lambda piece: not piece.isalnum()
            ),
            "inside double quotes": _inside_quotes,
            "inside brackets": _inside_brackets,
            "a capital letter": lambda s: _to_classes(piece.isupper() for piece in s),
            "a letter (not a blank or a sign)": lambda s: _to_classes(
                piece.isalpha() for piece in s
            ),
            "the line ends next": lambda s: _is_next(s, lambda piece: "\n" in piece),
            "the word ends next": lambda s: _is_next(s, lambda piece: not piece.isalnum()),
        },
    )


def tune_properties(sequences: Sequence[Sequence[str]]) -> Properties:
    """Of tunes' tokens: bars, pitch, repeats.

    Example:
        >>> found = tune_properties(["M:6/8 K:Cmaj c 2 | d :|".split()])
        >>> found["tokens since the bar line"][0].tolist()
        [1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 0.0]
        >>> found["pitch of the last note (MIDI)"][0].tolist()
        [60.0, 60.0, 72.0, 72.0, 72.0, 74.0, 74.0]
    """
    return _compute_properties(
        sequences,
        {
            "tokens since the bar line": lambda s: _count_since(s, is_bar),
            "a bar line comes next": lambda s: _is_next(s, is_bar),
            "bars since the start": lambda s: _to_numbers(_count_cumulative(s, is_bar)),
            "pitch of the last note (MIDI)": _pitches,
            "after the first repeat sign": lambda s: _to_classes(
                count > 0 for count in _count_cumulative(s, lambda token: token in (":|", "::"))
            ),
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


def is_bar(token: str) -> bool:
    """Whether a tune's token is a bar line."""
    return BAR_LINE.fullmatch(token) is not None


def _compute_properties(
    sequences: Sequence[Sequence[str]], kinds: dict[str, Callable[[Sequence[str]], Tensor]]
) -> Properties:
    return {name: [kind(sequence) for sequence in sequences] for name, kind in kinds.items()}


def _to_numbers(values: Iterable[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)


def _to_classes(values: Iterable[bool]) -> Tensor:
    return torch.tensor([int(value) for value in values])


def _count_since(tokens: Sequence[str], begins: Callable[[str], bool]) -> Tensor:
    count, found = 0, []
    for token in tokens:
        count = 0 if begins(token) else count + 1
        found.append(count)
    return _to_numbers(found)


def _is_next(tokens: Sequence[str], wanted: Callable[[str], bool]) -> Tensor:
    return _to_classes([*(wanted(after) for _, after in pairwise(tokens)), False])


def _count_cumulative(tokens: Sequence[str], wanted: Callable[[str], bool]) -> list[int]:
    return torch.tensor([wanted(token) for token in tokens]).long().cumsum(0).tolist()


def _inside_quotes(pieces: Sequence[str]) -> Tensor:
    """Within straight or curly double quotes; a straight one opens and closes in turn."""
    inside, found = False, []
    for piece in pieces:
        for letter in piece:
            inside = {'"': not inside, "“": True, "”": False}.get(letter, inside)
        found.append(inside)
    return _to_classes(found)


def _inside_brackets(pieces: Sequence[str]) -> Tensor:
    depth, found = 0, []
    for piece in pieces:
        for letter in piece:
            depth = max(0, depth + (letter in _OPENING) - (letter in _CLOSING))
        found.append(depth > 0)
    return _to_classes(found)


def _pitches(tokens: Sequence[str]) -> Tensor:
    """MIDI numbers; the middle C before the first note."""
    last, found = 60, []
    for token in tokens:
        with suppress(ValueError):
            last = Pitch.parse(token)[0].midi
        found.append(last)
    return _to_numbers(found)
