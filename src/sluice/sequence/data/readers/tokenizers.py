"""Words and subwords with the library tokenizers: trained on text, or read from a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from sluice.extras import MissingExtraError
from sluice.files import StrPath
from sluice.option_names import name_option
from sluice.sequence.data.readers.file_kinds import read_head
from sluice.sequence.errors import DataError
from sluice.sequence.vocabulary import UNKNOWN, Unit, Vocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DEFAULT_SIZE = {"words": 20_000, "subwords": 4_000}

WORD_PATTERN = r"\n|\w+|[^\w\s]+"
"""A line break, a word, or a run of punctuation."""


MOST_TOKENS = 1_000_000
"""Of a vocabulary that is learnt; the library reserves memory for all of them."""


def check_vocabulary_size(size: int | None) -> None:
    """Refuse a size that no vocabulary has, before anything is read.

    Raises:
        DataError: below 1, or above a million.
    """
    if size is not None and not 1 <= size <= MOST_TOKENS:
        raise DataError(
            f"{name_option('vocabulary_size')} must be 1 to {MOST_TOKENS:,}, got {size:,}."
        )


def extract_vocabulary(tokenizer: Tokenizer, unit: Unit) -> Vocabulary:
    """The tokenizer's tokens in the order of their ids, and the tokenizer itself.

    Raises:
        DataError: ids that do not run from 0 on.
    """
    numbered = sorted((number, token) for token, number in tokenizer.get_vocab().items())
    if [number for number, _ in numbered] != list(range(len(numbered))):
        raise DataError("The ids of this tokenizer do not run from 0 on; train it again.")
    return Vocabulary(tuple(token for _, token in numbered), unit, tokenizer.to_str())


def read_tokenizer(path: StrPath) -> Tokenizer:
    """A trained tokenizer, as the library saves it (`tokenizer.json`).

    Raises:
        MissingExtraError: the library is not installed.
        DataError: the file cannot be read or is not a tokenizer.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise MissingExtraError("tokenizers", "data") from None
    read_head(path, 1)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except BaseException as error:
        # The library raises plain Exception, and for some files the PanicException of its Rust.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise DataError(f"{path} is not a file of the library tokenizers ({error}).") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def train_tokenizer(
    text: Iterable[str], unit: Literal["words", "subwords"], size: int | None
) -> Tokenizer:
    """Train a tokenizer of at most `size` tokens on chunks of text.

    Words are the most frequent words and punctuation, others become `[UNK]`; subwords are
    byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019), which covers any
    text.

    Raises:
        MissingExtraError: the library is not installed.
    """
    try:
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError:
        raise MissingExtraError("tokenizers", "data") from None
    size = DEFAULT_SIZE[unit] if size is None else size
    trainer: trainers.Trainer
    if unit == "words":
        tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD_PATTERN), "removed", invert=True)
        trainer = trainers.WordLevelTrainer(
            vocab_size=size, special_tokens=[UNKNOWN], show_progress=False
        )
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    tokenizer.train_from_iterator(text, trainer)
    return tokenizer
