"""Text to ids with a known vocabulary, a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from sluice.sequence.data.ragged import Array
from sluice.sequence.vocabulary import END, PADDING, START, Vocabulary

Encoder = Callable[[str], Array]
"""From a chunk of text to ids, with `PADDING` where a line ends a sequence."""
UNKNOWN_ID = START
"""The id of a token that the vocabulary does not have; no text has it otherwise."""


def make_encoder(vocabulary: Vocabulary, per_line: bool = False) -> Encoder:
    """The encoder of chunks of text: of lines, unless tokens are characters.

    Tokens that the vocabulary does not have become `UNKNOWN_ID`, unless its tokenizer has a token
    for them.

    >>> make_encoder(Vocabulary(tuple("abc"), "characters"))("cxb").tolist()
    [5, 1, 4]
    """
    if splits_characters(vocabulary):
        return _make_character_encoder(vocabulary, per_line)
    dtype = find_id_dtype(vocabulary)

    def encode(line: str) -> Array:
        ends = per_line and line.endswith("\n")
        text = line[:-1] if ends else line
        if vocabulary.tokenizer:
            ids = vocabulary.encode_text(text, allow_unknown=True)
        else:
            ids = encode_tokens(vocabulary, text.split())
        return np.array([*ids, PADDING] if ends else ids, dtype)

    return encode


def splits_characters(vocabulary: Vocabulary) -> bool:
    """Whether text is split into characters: where every token is one, blanks included."""
    if vocabulary.tokenizer or vocabulary.unit == "characters":
        return not vocabulary.tokenizer
    return all(len(token) == 1 for token in vocabulary.tokens)


def find_id_dtype(vocabulary: Vocabulary) -> np.dtype[np.generic]:
    """The smallest integer type of a vocabulary's ids."""
    return np.min_scalar_type(len(vocabulary) - 1)


def split_text(vocabulary: Vocabulary, text: str) -> list[str]:
    """The tokens of a text, known or not, for a vocabulary without a tokenizer.

    Where all tokens are single characters but none is a blank, a text with blanks is split at
    them.

    >>> split_text(Vocabulary(("1", "2")), "2 1"), split_text(Vocabulary(("1", "2")), "21")
    (['2', '1'], ['2', '1'])
    """
    by_blanks = vocabulary.unit == "tokens" and " " not in vocabulary and " " in text
    return [*text] if splits_characters(vocabulary) and not by_blanks else text.split()


def encode_lines(vocabulary: Vocabulary, text: str) -> list[int]:
    """The ids of a text, line by line as a file is read; `UNKNOWN_ID` for unknown tokens."""
    if vocabulary.tokenizer:
        lines = text.splitlines(keepends=True)
        return [
            number for line in lines for number in vocabulary.encode_text(line, allow_unknown=True)
        ]
    return encode_tokens(vocabulary, split_text(vocabulary, text))


def encode_tokens(vocabulary: Vocabulary, tokens: Iterable[str]) -> list[int]:
    """The ids of tokens; `UNKNOWN_ID` for those that the vocabulary does not have."""
    known = dict(zip(vocabulary.tokens, range(END + 1, len(vocabulary)), strict=True))
    return [known.get(token, UNKNOWN_ID) for token in tokens]


def _make_character_encoder(vocabulary: Vocabulary, per_line: bool) -> Encoder:
    table = np.full(
        max(map(ord, (*vocabulary.tokens, "\n"))) + 2, UNKNOWN_ID, find_id_dtype(vocabulary)
    )
    for token, number in zip(vocabulary.tokens, range(END + 1, len(vocabulary)), strict=True):
        table[ord(token)] = number
    if per_line:
        table[ord("\n")] = PADDING

    def encode(piece: str) -> Array:
        codes = np.frombuffer(piece.encode("utf-32-le"), np.uint32)
        ids: Array = table.take(codes, mode="clip")
        return ids

    return encode
