"""Tokens as a page shows them: each with the text that it adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sluice.sequence import TextCodec, Vocabulary
from sluice.sequence.vocabulary import END, PADDING, START

MARKS = {PADDING: "⟨padding⟩", START: "⟨start⟩", END: "⟨end⟩"}
_INCOMPLETE = "\ufffd"
"""What stands for bytes that are not yet a whole character."""


def find_separator(vocabulary: Vocabulary) -> str:
    """The text between two pieces."""
    if vocabulary.unit == "words":
        return " "
    return TextCodec(vocabulary).separator


def write_pieces(vocabulary: Vocabulary, ids: Iterable[int]) -> list[str]:
    """The text of each id, marks included; a token that ends within a character has none."""
    return [text for group in _group_ids(ids) for text in _write_group(vocabulary, group)]


def name_outputs(vocabulary: Vocabulary) -> list[str]:
    """What each output of a model of this vocabulary stands for."""
    if vocabulary.unit != "subwords":
        return [*MARKS.values(), *vocabulary.tokens]
    alone = (vocabulary.decode_text([number]) for number in range(len(MARKS), len(vocabulary)))
    named = zip(alone, vocabulary.tokens, strict=True)
    return [*MARKS.values(), *(token if _INCOMPLETE in text else text for text, token in named)]


def find_word_starts(pieces: Sequence[str], separator: str) -> list[int]:
    """Where each word begins: every token where tokens are words, else after a blank."""
    if separator:
        return list(range(len(pieces)))
    starts = [0]
    for place, piece in islice(enumerate(pieces), 1, None):
        before = pieces[place - 1]
        if piece[:1].isspace() if len(piece) > 1 else before[-1:].isspace() or place == 1:
            starts.append(place)
    return starts


def _group_ids(ids: Iterable[int]) -> Iterator[list[int]]:
    """Runs of tokens, and each mark by itself."""
    run: list[int] = []
    for number in ids:
        if number not in MARKS:
            run.append(number)
            continue
        if run:
            yield run
        yield [number]
        run = []
    if run:
        yield run


def _write_group(vocabulary: Vocabulary, ids: list[int]) -> Iterator[str]:
    if ids[0] in MARKS:
        yield MARKS[ids[0]]
    elif vocabulary.unit != "subwords":
        yield from vocabulary.decode(ids)
    else:
        yield from _write_subwords(vocabulary, ids)


def _write_subwords(vocabulary: Vocabulary, ids: list[int]) -> Iterator[str]:
    """What each token adds to the text of the one before: a blank may depend on that."""
    before, open_ids = list[int](), list[int]()
    for number in ids:
        open_ids.append(number)
        known = vocabulary.decode_text(before)
        text = vocabulary.decode_text([*before, *open_ids])
        if text.endswith(_INCOMPLETE) and len(open_ids) < 4:
            yield ""
            continue
        yield text[len(known) :]
        before, open_ids = open_ids, []
