"""Tokens and their ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, get_args

from sluice.cached import cached_property
from sluice.extras import MissingExtraError
from sluice.sequence.errors import SequenceError, UnknownTokenError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PADDING, START, END = 0, 1, 2
"""The special ids of every vocabulary: they mark positions in a batch and have no token."""

_NUM_SPECIAL = 3
UNKNOWN = "[UNK]"
"""The token of a tokenizer's vocabulary that stands for words it does not have."""
Unit = Literal["tokens", "characters", "words", "subwords"]


class Piece(NamedTuple):
    """A piece of a text: as it stands there, its id, and whether the vocabulary has it."""

    text: str
    number: int
    is_known: bool


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model, with ids from 3 on in the given order.

    Ids 0, 1 and 2 are `PADDING`, `START` and `END`; `len(vocabulary)` counts them, so it is the
    number of classes of a model.

    >>> vocabulary = Vocabulary.of([["G", "A", "|"], ["G", "|"]])
    >>> vocabulary.encode(["G", "|"]), vocabulary.decode([3])
    ([4, 5], ['A'])

    Attributes:
        tokens: different strings.
        unit: what a token is, which decides how text is tokenized: at blanks ("tokens"), into
            "characters", or by `tokenizer` ("words" and "subwords").
        tokenizer: a tokenizer of the library tokenizers, as JSON; its ids are 3 less than these.

    Raises:
        SequenceError: no token, or the same one twice.
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
        """The tokens of `ids`, without `PADDING`, `START` and `END`.

        Raises:
            UnknownTokenError: an id outside the vocabulary.
        """
        return [self._find_token(number) for number in ids if number not in (PADDING, START, END)]

    def _find_id(self, token: str) -> int:
        try:
            return self._ids[token]
        except KeyError:
            raise self._refuse(token) from None

    def _refuse(self, token: str) -> UnknownTokenError:
        return UnknownTokenError(
            f"The token {token!r} is not among the {len(self.tokens)} of the vocabulary; "
            "remove it, or train on data that has it."
        )

    def _find_token(self, number: int) -> str:
        if not _NUM_SPECIAL <= number < len(self):
            raise UnknownTokenError(f"Ids must be from 0 to {len(self) - 1}, got {number}.")
        return self.tokens[number - _NUM_SPECIAL]

    def encode_text(self, text: str, *, allow_unknown: bool = False) -> list[int]:
        """The ids of a text, such as a prompt.

        Args:
            text: the text.
            allow_unknown: use the tokenizer's token for unknown words, if it has one, as where a
                model is trained.

        >>> Vocabulary(tuple("abc"), "characters").encode_text("cab")
        [5, 3, 4]

        Raises:
            UnknownTokenError: a token that is not in the vocabulary.
            MissingExtraError: words or subwords, and the library tokenizers is not installed.
        """
        if self.tokenizer:
            pieces = self.split_text(text)
            strange = next((one.text for one in pieces if not one.is_known), None)
            if strange is not None and not allow_unknown:
                raise self._refuse(strange)
            return [one.number for one in pieces]
        return self.encode(text if self.unit == "characters" else text.split())

    def split_text(self, text: str) -> list[Piece]:
        """The pieces of a text, known or not, for a vocabulary with a tokenizer.

        Raises:
            UnknownTokenError: the tokenizer has no token for what it does not know.
            MissingExtraError: the library tokenizers is not installed.
        """
        try:
            encoded = self._tokenizer.encode(text, add_special_tokens=False)
        except Exception as error:  # the library raises plain Exception
            raise UnknownTokenError(f"The tokenizer refuses the text ({error}).") from None
        found = []
        for number, (first, last) in zip(encoded.ids, encoded.offsets, strict=True):
            piece = text[first:last]
            is_known = number != self._unknown_id or piece.strip() == self.tokens[number]
            found.append(Piece(piece, number + _NUM_SPECIAL, is_known))
        return found

    @cached_property
    def _unknown_id(self) -> int | None:
        """The tokenizer's id of unknown words."""
        model = json.loads(self.tokenizer).get("model", {})
        number: int | None = model.get("unk_id")
        token = model.get("unk_token")
        return self._tokenizer.token_to_id(token) if token else number

    def decode_text(self, ids: Iterable[int]) -> str:
        """The text of `ids`, without `PADDING`, `START` and `END`.

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
    def _tokenizer(self) -> Tokenizer:
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise MissingExtraError("tokenizers", "data") from None
        return Tokenizer.from_str(self.tokenizer)

    def to_json(self) -> str:
        """The vocabulary as JSON: a list of tokens, or an object with unit and tokenizer."""
        if self.unit == "tokens":
            return json.dumps(self.tokens, ensure_ascii=False)
        kept = {"tokens": self.tokens, "unit": self.unit, "tokenizer": self.tokenizer}
        return json.dumps(kept, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """The vocabulary that `to_json` wrote.

        Raises:
            SequenceError: not a list of different strings, or an object with one.
        """
        try:
            kept = json.loads(text)
        except (ValueError, RecursionError) as error:
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
