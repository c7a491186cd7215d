"""Text into a vocabulary's ids and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from sluice.sequence.errors import UnknownToken
from sluice.sequence.vocabulary import Vocabulary


@dataclass(frozen=True)
class Spelling:
    """How text is read as tokens: as characters where every token is one, else as words.

    >>> Spelling(Vocabulary(("a", "b", " "))).read("ab a")
    [3, 4, 5, 3]
    >>> words = Spelling(Vocabulary(("to", "be")))
    >>> words.read("to  be"), words.write([3, 4, 3])
    ([3, 4], 'to be to')
    """

    vocabulary: Vocabulary

    @cached_property
    def between(self) -> str:
        """What stands between two tokens."""
        return "" if self.letters or self.vocabulary.tokenizer else " "

    @cached_property
    def letters(self) -> bool:
        """Whether every token is a single character."""
        return all(len(token) == 1 for token in self.vocabulary.tokens)

    def read(self, text: str) -> list[int]:
        """The ids that `text` spells.

        Raises:
            UnknownToken: what the vocabulary does not hold, with its place.
        """
        if self.vocabulary.tokenizer:
            return self.vocabulary.from_text(text)
        tokens = text.split() if self.between else [*text]
        for place, token in enumerate(tokens):
            if token not in self.vocabulary:
                kind = "word" if self.between else "character"
                before = self.between.join(tokens[max(place - 12, 0) : place])
                behind = f", behind {before!r}" if before else ""
                raise UnknownToken(
                    f"The model never met {token!r}, {kind} {place + 1} of the text{behind}; "
                    "use others."
                )
        return self.vocabulary.encode(tokens)

    def write(self, ids: Iterable[int]) -> str:
        """The text of `ids`; marks are passed over."""
        if self.vocabulary.tokenizer:
            return self.vocabulary.to_text(ids)
        return self.between.join(self.vocabulary.decode(ids))

    def pieces(self, begun: Sequence[int], coming: Iterable[int]) -> Iterator[str]:
        """What each of the coming ids adds to the text of those before it.

        >>> words = Spelling(Vocabulary(("to", "be")))
        >>> list(words.pieces([3], [4, 3]))
        [' be', ' to']
        """
        if not self.vocabulary.tokenizer:
            between = self.between if begun else ""
            for number in coming:
                yield between + self.write([number])
                between = self.between
            return
        # A tokenizer sets blanks by what stands before, and a character may take several ids.
        ids, told = [*begun], len(self.write(begun))
        for number in coming:
            ids.append(number)
            text = self.write(ids)
            ready = "" if text.endswith("\ufffd") else text[told:]
            told += len(ready)
            yield ready
