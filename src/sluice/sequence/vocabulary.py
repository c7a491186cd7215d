"""Tokens and the numbers that stand for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, Literal, cast, get_args

from sluice.extras import MissingExtraError
from sluice.sequence.errors import SequenceError, UnknownTokenError

PADDING, START, END = 0, 1, 2
"""The ids every vocabulary begins with; they mark places in a batch and have no token."""

_NUM_SPECIAL = 3
Unit = Literal["tokens", "characters", "words", "subwords"]


@dataclass(frozen=True)
class Vocabulary:
    """The tokens a model knows, numbered from 3 on in the order given.

    Ids 0, 1 and 2 are `PADDING`, `START` and `END`; `len(vocabulary)` counts them, so it is the
    number of classes a model has to tell apart.

    >>> vocabulary = Vocabulary.of([["G", "A", "|"], ["G", "|"]])
    >>> vocabulary.encode(["G", "|"]), vocabulary.decode([3])
    ([4, 5], ['A'])

    Attributes:
        tokens: each a string, whatever it stands for.
        unit: what a token is, and so how text falls into tokens: at blanks ("tokens"), into
            characters, or as `tokenizer` has it ("words" and "subwords").
        tokenizer: the JSON of a trained tokenizer of the library tokenizers; its ids are ours
            less 3.

    Raises:
        SequenceError: no token at all, or one given twice.
    """

    tokens: tuple[str, ...]
    unit: Unit = "tokens"
    tokenizer: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.tokens:
            raise SequenceError("A vocabulary needs at least one token, but the data has none.")
        if len(self._ids) != len(self.tokens):
            twice = next(token for token in self.tokens if self.tokens.count(token) > 1)
            raise SequenceError(f"A vocabulary's tokens must be different, got {twice!r} twice.")

    @classmethod
    def of(cls, sequences: Iterable[Sequence[str]]) -> Vocabulary:
        """The vocabulary of all tokens in `sequences`, sorted."""
        return cls(tuple(sorted(set(chain.from_iterable(sequences)))))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens, _NUM_SPECIAL)}

    def __len__(self) -> int:
        return len(self.tokens) + _NUM_SPECIAL

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The ids of `tokens`, without `START` and `END`.

        Raises:
            UnknownTokenError: a token that is not in the vocabulary.
        """
        return [self._find_id(token) for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of `ids`; the three marks are passed over.

        Raises:
            UnknownTokenError: an id outside the vocabulary.
        """
        return [self._find_token(number) for number in ids if number not in (PADDING, START, END)]

    def _find_id(self, token: str) -> int:
        try:
            return self._ids[token]
        except KeyError:
            raise UnknownTokenError(
                f"The token {token!r} is not among the {len(self.tokens)} that these weights know; "
                "leave it out, or train on data that has it."
            ) from None

    def _find_token(self, number: int) -> str:
        if not _NUM_SPECIAL <= number < len(self):
            raise UnknownTokenError(f"Ids must be in 0 to {len(self) - 1}, got {number}.")
        return self.tokens[number - _NUM_SPECIAL]

    def encode_text(self, text: str) -> list[int]:
        """The ids of a text: of an opening that a model should go on from, say.

        >>> Vocabulary(tuple("abc"), "characters").encode_text("cab")
        [5, 3, 4]

        Raises:
            UnknownTokenError: a token that is not in the vocabulary.
            MissingExtraError: words or subwords, and the library tokenizers is not installed.
        """
        if self.tokenizer:
            encoded = self._tokenizer.encode(text, add_special_tokens=False)
            return [number + _NUM_SPECIAL for number in encoded.ids]
        return self.encode(text if self.unit == "characters" else text.split())

    def decode_text(self, ids: Iterable[int]) -> str:
        """The text of `ids`; the three marks are passed over.

        Raises:
            UnknownTokenError: an id outside the vocabulary.
            MissingExtraError: words or subwords, and the library tokenizers is not installed.
        """
        ids = list(ids)
        tokens = self.decode(ids)
        if self.tokenizer:
            theirs = [number - _NUM_SPECIAL for number in ids if number >= _NUM_SPECIAL]
            return str(self._tokenizer.decode(theirs, skip_special_tokens=False))
        return ("" if self.unit == "characters" else " ").join(tokens)

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise MissingExtraError("tokenizers", "data") from None
        return Tokenizer.from_str(self.tokenizer)

    def to_json(self) -> str:
        if self.unit == "tokens":
            return json.dumps(self.tokens, ensure_ascii=False)
        kept = {"tokens": self.tokens, "unit": self.unit, "tokenizer": self.tokenizer}
        return json.dumps(kept, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """The vocabulary that `to_json` wrote.

        Raises:
            SequenceError: anything but a list of different strings, with its unit or without.
        """
        try:
            kept = json.loads(text)
        except json.JSONDecodeError as error:
            raise SequenceError(f"A vocabulary must be a JSON list of strings ({error}).") from None
        if isinstance(kept, list):
            kept = {"tokens": kept}
        tokens, unit, tokenizer = _parse_fields(kept)
        return cls(tuple(tokens), unit, tokenizer)


def _parse_fields(kept: object) -> tuple[list[str], Unit, str]:
    if isinstance(kept, dict):
        tokens, unit = kept.get("tokens"), kept.get("unit", "tokens")
        tokenizer = kept.get("tokenizer", "")
        known = unit in get_args(Unit) and isinstance(tokenizer, str)
        if known and isinstance(tokens, list) and all(isinstance(t, str) for t in tokens):
            return tokens, cast(Unit, unit), tokenizer
    raise SequenceError("A vocabulary must be a JSON list of strings.")
