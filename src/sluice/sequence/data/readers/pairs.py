"""Pairs of texts, a source and a target in each line, to token ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sluice.files import StrPath, StrPaths, to_paths
from sluice.option_names import name_option
from sluice.sequence.data.pairs import Pairs
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.readers.pair_groups import PairSide, group_pairs
from sluice.sequence.data.readers.pair_texts import (
    PairTexts,
    TextPair,
    read_pair_texts,
    read_parallel_texts,
)
from sluice.sequence.data.readers.token_encoders import UNKNOWN_ID, find_id_dtype, make_encoder
from sluice.sequence.data.readers.tokenizers import (
    DEFAULT_SIZE,
    check_vocabulary_size,
    extract_vocabulary,
    train_tokenizer,
)
from sluice.sequence.data.report import (
    LoadProgress,
    LoadReport,
    OnReading,
    SkippedItem,
    ignore_progress,
    pluralize,
)
from sluice.sequence.data.splits import split_from_names
from sluice.sequence.errors import DataError
from sluice.sequence.vocabulary import UNKNOWN, Vocabulary

PairUnit = Literal["characters", "words", "subwords"]
_UNITS = ("characters", "words", "subwords")
_DEFAULT_UNIT: PairUnit = "subwords"
"""Of texts with blanks: see the measurements in docs/pairs.md."""
_FEWEST_SUBWORDS = 500
_LONGEST = 500
"""Tokens of the longest source or target that is read by default."""
_FEW_PAIRS = 1_000
"""A model learns little more than the pairs themselves from fewer."""


def read_pairs(
    files: StrPaths,
    *,
    target_file: StrPath | None = None,
    unit: PairUnit | None = None,
    columns: Sequence[int | str] | None = None,
    header: bool | None = None,
    vocabulary_size: int | None = None,
    joint_vocabulary: bool = False,
    vocabulary: Vocabulary | None = None,
    target_vocabulary: Vocabulary | None = None,
    group_by: PairSide | None = None,
    max_length: int = _LONGEST,
    encoding: str | None = None,
    on_reading: OnReading = ignore_progress,
) -> Pairs:
    """Pairs of texts, one a line: a source, a tab and a target; two columns of CSV; or two files.

    Args:
        files: text files; their texts are held in memory.
        target_file: a file with the target of each line of the only file of `files`.
        unit: what a token is; by default subwords where most sides have a blank, else characters.
        columns: the columns of source and target, from 1, where lines have more than two.
        header: whether the first line names the columns; None to recognise usual names.
        vocabulary_size: of each side's words or subwords; default 20,000 words, or a subword for
            every 10 pairs, from 500 to 4,000.
        joint_vocabulary: whether both sides have one vocabulary, learnt from both.
        vocabulary: of a model's sources, by which they are split, in place of `unit`.
        target_vocabulary: of a model's targets.
        group_by: the side, ``"source"``, ``"target"`` or ``"both"``, whose equal texts a split
            keeps in one part; default both, or the source where targets are like labels.
        max_length: tokens; pairs with a longer side are skipped and reported.
        encoding: of the files; None to detect it.
        on_reading: called with the progress.

    Raises:
        DataError: no file that can be read, fewer than two pairs, columns that a file does not
            have, or an option of an unknown value.
        MissingExtraError: words or subwords, and tokenizers is not installed.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "pairs.tsv"
    >>> _ = path.write_text("abc\\tcba\\nbad\\tdab\\n")
    >>> read_pairs([path]).report().splitlines()[0]
    'pairs.tsv: pairs in UTF-8, 2; sources: 6 characters, 4 different; targets: 6, 4 different.'
    """
    require_unit(unit)
    check_vocabulary_size(vocabulary_size)
    if max_length < 1:
        raise DataError(f"max_length must be at least 1, got {max_length}.")
    paths = to_paths(files)
    total = sum(path.stat().st_size for path in paths if path.is_file())
    on_reading(LoadProgress("reading", 0, total))
    texts = (
        read_pair_texts(paths, columns=columns, header=header, encoding=encoding)
        if target_file is None
        else read_parallel_texts(_get_only(paths), target_file, encoding)
    )
    if not texts.have_targets:
        raise DataError(
            f"{texts.pairs[0].place}: expected a source, a tab and a target, got no tab; targets "
            f"in a file of their own are given by {name_option('target_file')}"
        )
    on_reading(LoadProgress("learning tokens", total // 2, total))
    sides = [[one.source for one in texts.pairs], [one.target or "" for one in texts.pairs]]
    chosen = unit or choose_unit(sides)
    if joint_vocabulary:
        sides = [sides[0] + sides[1]] * 2
        vocabulary = vocabulary or target_vocabulary
        vocabulary = vocabulary or learn_vocabulary(sides[0], chosen, vocabulary_size)
        target_vocabulary = target_vocabulary or vocabulary
    source, target = (
        known or learn_vocabulary(side, chosen, vocabulary_size)
        for known, side in zip((vocabulary, target_vocabulary), sides, strict=True)
    )
    read = _Encoded(texts, source, target, max_length, group_by)
    guessed = unit is None and vocabulary is None
    notes = [describe_unit("Sources and targets", chosen)] if guessed else []
    return read.build(paths, [*texts.notes, *notes])


def _get_only(paths: Sequence[Path]) -> Path:
    if len(paths) != 1:
        raise DataError(
            f"{name_option('target_file')} needs a single file of sources, got {len(paths)}."
        )
    return paths[0]


def require_unit(unit: str | None) -> None:
    """Refuse what is no unit of text."""
    if unit is not None and unit not in _UNITS:
        raise DataError(f"{name_option('unit')} must be one of {', '.join(_UNITS)}, got {unit!r}.")


def choose_unit(sides: Sequence[Sequence[str]]) -> PairUnit:
    """The unit of texts with blanks, or characters for texts that have hardly any."""
    spaced = sum(" " in text.strip() for side in sides for text in side)
    return _DEFAULT_UNIT if 2 * spaced >= sum(map(len, sides)) else "characters"


def describe_unit(what: str, unit: PairUnit) -> str:
    """Why texts are split as they are, as a sentence."""
    why = "most have no blank" if unit == "characters" else "most have blanks"
    return f"{what} are split into {unit}, as {why}; see {name_option('unit')}."


def learn_vocabulary(texts: Sequence[str], unit: PairUnit, size: int | None) -> Vocabulary:
    """The tokens of texts: their characters, or the words or subwords that are learnt of them."""
    if unit == "characters":
        return Vocabulary(tuple(sorted(frozenset().union(*texts))), "characters")
    if unit == "subwords":
        size = size or min(max(len(texts) // 10, _FEWEST_SUBWORDS), DEFAULT_SIZE[unit])
    return extract_vocabulary(train_tokenizer(texts, unit, size), unit)


class _Encoded:
    """The ids of pairs, without those that are empty or too long."""

    def __init__(
        self,
        texts: PairTexts,
        source: Vocabulary,
        target: Vocabulary,
        max_length: int,
        group_by: PairSide | None,
    ) -> None:
        self.texts, self.source, self.target = texts, source, target
        self.group_by = group_by
        encode, encode_target = make_encoder(source), make_encoder(target)
        self.pairs, self.skipped = list[TextPair](), list(texts.skipped_items)
        self.sources, self.targets = list[Array](), list[Array]()
        for pair in texts.pairs:
            ids, wanted = encode(pair.source), encode_target(pair.target or "")
            fault = _find_fault(len(ids), len(wanted), max_length)
            if fault:
                self.skipped.append(SkippedItem(pair.file, pair.line, fault))
                continue
            self.pairs.append(pair)
            self.sources.append(ids)
            self.targets.append(wanted)

    def build(self, files: Sequence[Path], notes: Sequence[str]) -> Pairs:
        """The data with their report."""
        if len(self.pairs) < 2:
            first = f"; the first line skipped: {self.skipped[0]}" if self.skipped else ""
            raise DataError(
                f"{files[0]} holds {pluralize(len(self.pairs), 'pair')} that can be read; give "
                f"more{first}"
            )
        sources = RaggedArray.of(self.sources, find_id_dtype(self.source))
        targets = RaggedArray.of(self.targets, find_id_dtype(self.target))
        named = files[0].name if len(files) == 1 else pluralize(len(files), "file")
        summary = (
            f"{named}: pairs in {' and '.join(self.texts.encodings)}, "
            f"{len(self.pairs):,}; sources: {len(sources.flat):,} {self.source.unit}, "
            f"{len(self.source.tokens):,} different; targets: {len(targets.flat):,}, "
            f"{len(self.target.tokens):,} different."
        )
        groups = group_pairs(
            [pair.source for pair in self.pairs],
            [pair.target or "" for pair in self.pairs],
            self.group_by,
        )
        about = [
            *notes,
            *self._describe_unknown(sources, targets),
            *groups.notes,
            *_describe_repetition(self.pairs),
        ]
        return Pairs(
            self.source,
            self.target,
            sources,
            targets,
            names=tuple(pair.place for pair in self.pairs),
            groups=groups.groups,
            predefined_split=split_files(files, files, self.pairs),
            load_report=LoadReport(summary, tuple(about), tuple(self.skipped)),
        )

    def _describe_unknown(self, sources: RaggedArray, targets: RaggedArray) -> list[str]:
        sides = (
            ("sources", sources, self.source),
            ("targets", targets, self.target),
        )
        notes = []
        for side, ids, vocabulary in sides:
            unknown = int((ids.flat == find_unknown_id(vocabulary)).sum())
            if unknown:
                share = unknown / len(ids.flat)
                notes.append(
                    f"Of the {side}' {vocabulary.unit}, {unknown:,} ({share:.1%}) are not in the "
                    "vocabulary."
                )
        return notes


def find_unknown_id(vocabulary: Vocabulary) -> int:
    """The id of tokens that a vocabulary does not have."""
    known = vocabulary.tokenizer and UNKNOWN in vocabulary
    return vocabulary.encode([UNKNOWN])[0] if known else UNKNOWN_ID


def _find_fault(source: int, target: int, longest: int) -> str:
    """Why a pair of these lengths cannot be used; empty if it can."""
    for side, length in (("source", source), ("target", target)):
        if not length:
            return f"a {side} without a token"
        if length > longest:
            return f"a {side} of {length:,} tokens, above {longest:,}"
    return ""


def _describe_repetition(pairs: Sequence[TextPair]) -> list[str]:
    notes = []
    again = len(pairs) - len({(pair.source, pair.target) for pair in pairs})
    if again:
        notes.append(f"{pluralize(again, 'pair')} repeat an earlier one.")
    if len(pairs) < _FEW_PAIRS:
        notes.append(
            f"{pluralize(len(pairs), 'pair')} are few: a model may learn them by heart and little "
            "else."
        )
    return notes


def split_files(
    named: StrPaths, files: StrPaths, pairs: Sequence[TextPair]
) -> dict[str, list[int]]:
    """The split by the names of files, or of their folders, if it covers all files."""
    paths = to_paths(files)
    parts = {
        str(paths[place]): part
        for part, places in split_from_names(named).items()
        for place in places
    }
    found: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        if parts:
            found.setdefault(parts[pair.file], []).append(place)
    return found
