"""Text into a vocabulary's ids and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from sluice.sequence.errors import UnknownTokenError
from sluice.sequence.vocabulary import Vocabulary


@dataclass(frozen=True)
class TextCodec:
    """How text is read as tokens: as characters where every token is one, else as words.

    >>> TextCodec(Vocabulary(("a", "b", " "))).encode("ab a")
    [3, 4, 5, 3]
    >>> words = TextCodec(Vocabulary(("to", "be")))
    >>> words.encode("to  be"), words.decode([3, 4, 3])
    ([3, 4], 'to be to')
    """

    vocabulary: Vocabulary

    @cached_property
    def separator(self) -> str:
        """What stands between two tokens."""
        return "" if self.is_character_level or self.vocabulary.tokenizer else " "

    @cached_property
    def is_character_level(self) -> bool:
        """Whether every token is a single character."""
        return all(len(token) == 1 for token in self.vocabulary.tokens)

    def encode(self, text: str) -> list[int]:
        """The ids that `text` spells.

        Raises:
            UnknownTokenError: what the vocabulary does not hold, with its place.
        """
        if self.vocabulary.tokenizer:
            return self.vocabulary.encode_text(text)
        tokens = text.split() if self.separator else [*text]
        for place, token in enumerate(tokens):
            if token not in self.vocabulary:
                kind = "word" if self.separator else "character"
                before = self.separator.join(tokens[max(place - 12, 0) : place])
                behind = f", behind {before!r}" if before else ""
                raise UnknownTokenError(
                    f"The model never met {token!r}, {kind} {place + 1} of the text{behind}; "
                    "use others."
                )
        return self.vocabulary.encode(tokens)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; marks are passed over."""
        if self.vocabulary.tokenizer:
            return self.vocabulary.decode_text(ids)
        return self.separator.join(self.vocabulary.decode(ids))

    def decode_stream(self, prefix: Sequence[int], next_ids: Iterable[int]) -> Iterator[str]:
        """What each of the coming ids adds to the text of those before it.

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
        # A tokenizer sets blanks by what stands before, and a character may take several ids.
        ids, told = [*prefix], len(self.decode(prefix))
        for number in next_ids:
            ids.append(number)
            text = self.decode(ids)
            ready = "" if text.endswith("\ufffd") else text[told:]
            told += len(ready)
            yield ready
