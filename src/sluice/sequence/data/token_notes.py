"""What to expect of tokens: too few, one line again and again, some that no model can learn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sluice.option_names import name_option
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.report import pluralize
from sluice.sequence.data.splits import Split
from sluice.sequence.data.tokens import Tokens
from sluice.sequence.vocabulary import Vocabulary

_FEW, _SOME = 10_000, 100_000
"""Tokens by which a model learns hardly more than the text itself, and those for its style."""
_BLOCK, _SAMPLE = 1 << 22, 1 << 18
_LARGE, _SEEN = 1_000, 100
"""Kinds of characters that are many, and how often each should be met on average."""
_SHOWN = 8
_LINES, _REPEATED = 20, 0.05


def describe_tokens(split: Split[Tokens], seq_len: int) -> tuple[str, ...]:
    """Sentences on what a model can learn from these; none where there is nothing to say.

    Args:
        split: the parts for training and validation.
        seq_len: steps of a window, to which what is held out is compared.
    """
    return (
        *_describe_size(split, seq_len),
        *_describe_repetition(split.train),
        *_describe_vocabulary(split.train),
        *_describe_unlearnt(split),
    )


def _describe_size(split: Split[Tokens], seq_len: int) -> Iterator[str]:
    count, held = (int(part.ids.lengths.sum()) for part in (split.train, split.validation))
    unit = split.train.vocabulary.unit
    if count < _SOME:
        hope = (
            "expect a model that repeats pieces of them"
            if count < _FEW
            else "expect its spelling and manner, not its sense"
        )
        yield f"Only {count:,} {unit} to learn from: {hope}; {_SOME:,} or more give better ones."
    if 0 < held < seq_len:
        yield (
            f"Only {held:,} {unit} are held out, less than a window of {seq_len}: the validation "
            f"loss is rough; give more data, or a smaller {name_option('seq_len')}."
        )


def _describe_repetition(tokens: Tokens) -> Iterator[str]:
    """Lines of a text, or else whole sequences, of which few are different."""
    if "\n" in tokens.vocabulary:
        (number,) = tokens.vocabulary.encode(["\n"])
        sample = tokens.ids.flat[int(tokens.ids.starts[0]) :][:_SAMPLE]
        parts = np.split(sample, np.flatnonzero(sample == number) + 1)
        name = "lines"
    else:
        parts = [tokens.ids[place] for place in range(min(len(tokens), _SAMPLE // 100))]
        name = "sequences"
    lines = [one.tobytes() for one in parts if len(one) > 1]
    different = len(set(lines))
    if len(lines) >= _LINES and different <= _REPEATED * len(lines):
        kinds = "one and the same" if different == 1 else f"only {different:,} different ones"
        yield (
            f"The first {len(lines):,} {name} are {kinds}: the model will know them by heart, and "
            "what is held out is no test of it."
        )


def _describe_vocabulary(tokens: Tokens) -> Iterator[str]:
    kinds, count = len(tokens.vocabulary.tokens), int(tokens.ids.lengths.sum())
    if tokens.vocabulary.unit == "characters" and kinds > _LARGE and count < _SEEN * kinds:
        yield (
            f"{kinds:,} different characters, each met {count / kinds:.0f} times on average: most "
            f"are too rare to be learnt; {name_option('unit')} subwords spells them by bytes."
        )


def _describe_unlearnt(split: Split[Tokens]) -> Iterator[str]:
    """Tokens that only the validation part has."""
    vocabulary = split.train.vocabulary
    learnt, judged = (_find_ids(part, vocabulary) for part in (split.train, split.validation))
    strange = np.flatnonzero(judged & ~learnt).tolist()
    if strange:
        shown = ", ".join(map(repr, vocabulary.decode(strange[:_SHOWN])))
        more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
        noun = pluralize(len(strange), vocabulary.unit.removesuffix("s"))
        yield f"Only in what is held out, so that no model can learn them: {noun} ({shown}{more})."


def _find_ids(tokens: Tokens, vocabulary: Vocabulary) -> Array:
    """Whether each id occurs: (len(vocabulary),)."""
    found = np.zeros(len(vocabulary), bool)
    for first, last in _list_spans(tokens):
        for start in range(first, last, _BLOCK):
            found[tokens.ids.flat[start : min(last, start + _BLOCK)]] = True
    return found


def _list_spans(tokens: Tokens) -> Iterator[tuple[int, int]]:
    """Where sequences lie; neighbours that lie one after another in one go."""
    starts, stops = tokens.ids.starts, tokens.ids.stops
    if not len(starts):
        return
    breaks = np.flatnonzero(starts[1:] != stops[:-1]) + 1
    for first, last in zip(np.append(0, breaks), np.append(breaks, len(starts)), strict=True):
        yield int(starts[first]), int(stops[last - 1])
