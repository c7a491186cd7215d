"""Properties of every step of a sequence that units may follow: of text, and of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from sluice.sequence.models.filling import forward_fill

Properties = dict[str, list[Tensor]]
"""For each name a number (float64) or class (int64) per step, ``(time,)``, of every sequence."""
_OPENING, _CLOSING = "([{", ")]}"


def text_properties(sequences: Sequence[Sequence[str]], unit: str = "letter") -> Properties:
    """Of characters (or longer pieces of text): lines, words, quotes, brackets, capitals.

    Args:
        sequences: what each step reads, as text.
        unit: what that is; for letters, words are told apart as well.

    Example:
        >>> found = text_properties([list('a "b"')])
        >>> found["inside double quotes"][0].tolist()
        [0, 0, 1, 1, 0]
        >>> found["letters since the word began"][0].tolist()
        [1.0, 0.0, 0.0, 1.0, 0.0]
    """
    kinds: dict[str, Callable[[Sequence[str]], Tensor]] = {
        f"{unit}s since the line began": lambda s: count_since(s, lambda piece: "\n" in piece),
        "inside double quotes": _inside_quotes,
        "inside brackets": _inside_brackets,
        "the line ends next": lambda s: is_next(s, lambda piece: "\n" in piece),
    }
    if unit == "letter":
        kinds |= {
            "letters since the word began": lambda s: count_since(s, lambda p: not p.isalnum()),
            "a capital letter": lambda s: to_classes(piece.isupper() for piece in s),
            "a letter (not a blank or a sign)": lambda s: to_classes(
                piece.isalpha() for piece in s
            ),
            "the word ends next": lambda s: is_next(s, lambda piece: not piece.isalnum()),
        }
    else:
        kinds |= {
            f"a {unit} with a capital": lambda s: to_classes(
                piece.strip()[:1].isupper() for piece in s
            ),
            f"a {unit} of letters (not a sign)": lambda s: to_classes(
                piece.strip().isalpha() for piece in s
            ),
            f"a sign follows the {unit}": lambda s: is_next(
                s, lambda piece: not piece.strip().isalnum()
            ),
        }
    return compute_properties(sequences, kinds)


def numeric_properties(
    sequences: Sequence[Tensor], names: Sequence[str] | None = None
) -> Properties:
    """Of values ``(time, features)``: each feature (the first eight), and its last change.

    A missing value is the last one before it, or 0.
    """
    found: Properties = {}
    for k in range(min(8, min(sequence.shape[1] for sequence in sequences))):
        name = f"input {k}" if names is None else names[k]
        filled = (forward_fill(sequence[:, None, k : k + 1].double())[0] for sequence in sequences)
        columns = [column.flatten() for column in filled]
        found[name] = columns
        found[f"change of {name}"] = [c.diff(prepend=c[:1]) for c in columns]
    return found


def chord_properties(rolls: Sequence[Tensor]) -> Properties:
    """Of piano rolls ``(time, keys)``, from low to high: keys, extremes, and how long they last."""
    counts = [roll.sum(1).double() for roll in rolls]
    top = [torch.where(roll > 0, torch.arange(roll.shape[1]), -1).amax(1) for roll in rolls]
    low = [torch.where(roll > 0, torch.arange(roll.shape[1]), 10**6).amin(1) for roll in rolls]
    silent = [count == 0 for count in counts]
    return {
        "number of keys": counts,
        "highest key": [t.double().masked_fill(s, 0) for t, s in zip(top, silent, strict=True)],
        "lowest key": [b.double().masked_fill(s, 0) for b, s in zip(low, silent, strict=True)],
        "steps since the chord changed": [_count_unchanged(roll) for roll in rolls],
    }


def _count_unchanged(roll: Tensor) -> Tensor:
    changed = (roll[1:] != roll[:-1]).any(1).tolist()
    return to_numbers(accumulate(changed, lambda count, new: 0 if new else count + 1, initial=0))


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
