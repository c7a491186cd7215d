"""Text to ids and back."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sluice.cached import cached_property
from sluice.sequence.errors import UnknownTokenError
from sluice.sequence.vocabulary import Vocabulary

_SHOWN, _NEAR = 8, 2
"""Unknown tokens, and known ones of similar spelling, that a message names."""


@dataclass(frozen=True)
class TextCodec:
    """Encodes text as characters if every token is one, else as words, and decodes ids.

    >>> TextCodec(Vocabulary(("a", "b", " "))).encode("ab a")
    [3, 4, 5, 3]
    >>> words = TextCodec(Vocabulary(("to", "be")))
    >>> words.encode("to  be"), words.decode([3, 4, 3])
    ([3, 4], 'to be to')
    """

    vocabulary: Vocabulary

    @cached_property
    def separator(self) -> str:
        """The text between two tokens."""
        return "" if self.is_character_level or self.vocabulary.tokenizer else " "

    @cached_property
    def is_character_level(self) -> bool:
        """Whether every token is a single character."""
        return all(len(token) == 1 for token in self.vocabulary.tokens)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`.

        Raises:
            UnknownTokenError: a token that is not in the vocabulary, with its place.
        """
        if self.vocabulary.tokenizer:
            pieces = self.vocabulary.split_text(text)
            self._require_known([one.text for one in pieces], [one.is_known for one in pieces])
            return [one.number for one in pieces]
        tokens = text.split() if self.separator else [*text]
        self._require_known(tokens, [token in self.vocabulary for token in tokens])
        return self.vocabulary.encode(tokens)

    def _require_known(self, tokens: Sequence[str], known: Sequence[bool]) -> None:
        """Refuse unknown tokens: all of them, the place of the first, and what is spelt alike."""
        if all(known):
            return
        place = known.index(False)
        strange = dict.fromkeys(
            t for t, is_known in zip(tokens, known, strict=True) if not is_known
        )
        first, *others = map(repr, strange)
        kind = "character" if self.is_character_level else "word"
        between = " " if self.vocabulary.unit == "words" else self.separator
        before = between.join(tokens[max(place - 12, 0) : place])
        after = f", after {before!r}" if before else ""
        more = f", nor {', '.join(others[:_SHOWN])}" if others else ""
        more += f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        near = difflib.get_close_matches(tokens[place], self.vocabulary.tokens, _NEAR)
        hint = f"; it knows {' and '.join(map(repr, near))}" if near else ""
        raise UnknownTokenError(
            f"The model does not know {first}, {kind} {place + 1} of the text{after}{more}{hint}; "
            f"remove {'them' if others else 'it'}."
        )

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`, without `PADDING`, `START` and `END`."""
        if self.vocabulary.tokenizer:
            return self.vocabulary.decode_text(ids)
        return self.separator.join(self.vocabulary.decode(ids))

    def decode_stream(self, prefix: Sequence[int], next_ids: Iterable[int]) -> Iterator[str]:
        """The text that each of `next_ids` adds.

        >>> words = TextCodec(Vocabulary(("to", "be")))
        >>> list(words.decode_stream([3], [4, 3]))
        [' be', ' to']
        """
        if not self.vocabulary.tokenizer:
            between = self.separator if prefix else ""
            for number in next_ids:
                yield between + self.decode([number])
                between = self.separator
            return
        # With a tokenizer, blanks depend on what is before, and a character may take several ids.
        ids, length = [*prefix], len(self.decode(prefix))
        for number in next_ids:
            ids.append(number)
            text = self.decode(ids)
            ready = "" if text.endswith("\ufffd") else text[length:]
            length += len(ready)
            yield ready
