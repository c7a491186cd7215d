"""Texts with labels to token ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from sluice.files import StrPaths, to_paths
from sluice.option_names import name_option, name_setting
from sluice.sequence.data.labelled_texts import LabelledTexts
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.readers.csv_layout import HasHeader
from sluice.sequence.data.readers.label_lines import Column
from sluice.sequence.data.readers.label_texts import (
    LabelTexts,
    are_whole_texts,
    read_label_texts,
)
from sluice.sequence.data.readers.pair_texts import TextPair
from sluice.sequence.data.readers.pairs import (
    PairUnit,
    choose_unit,
    describe_unit,
    learn_vocabulary,
    require_unit,
    split_files,
)
from sluice.sequence.data.readers.table_options import sort_naturally
from sluice.sequence.data.readers.token_encoders import find_id_dtype, make_encoder
from sluice.sequence.data.readers.tokenizers import check_vocabulary_size
from sluice.sequence.data.report import (
    LoadProgress,
    LoadReport,
    OnReading,
    SkippedItem,
    ignore_progress,
    pluralize,
)
from sluice.sequence.errors import DataError
from sluice.sequence.vocabulary import Vocabulary

_SHOWN = 10
"""Classes that a report lists."""
_FEW_TEXTS = 20
"""Of more texts, most must share their label with another."""


def read_labels(
    files: StrPaths,
    *,
    columns: Sequence[Column] | None = None,
    header: HasHeader | None = None,
    per: Literal["file", "line"] | None = None,
    unit: PairUnit | None = None,
    vocabulary_size: int | None = None,
    vocabulary: Vocabulary | None = None,
    encoding: str | None = None,
    on_reading: OnReading = ignore_progress,
) -> LabelledTexts:
    """Texts with labels, in lines of a text, a tab and its label; in CSV; or in folders of files.

    Args:
        files: text files; their texts are held in memory.
        columns: of text and label, by number from 1 or by name; default the only two, where one
            has few values that repeat, or those with usual names.
        header: "yes" or "no": whether the first line names the columns; None to recognise it.
        per: whether a file is a text, in a folder named after its label, or a line; default a
            file for files of text in several folders.
        unit: what a token is; by default subwords where most texts have a blank, else characters.
        vocabulary_size: of words or subwords; default as for pairs.
        vocabulary: of a model, by which texts are split, in place of `unit`.
        encoding: of the files; None to detect it.
        on_reading: called with the progress.

    Raises:
        DataError: no file that can be read, columns that a file does not have or that may be
            either, fewer than two classes, or more than half as many as texts.
        MissingExtraError: words or subwords, and tokenizers is not installed.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "names.tsv"
    >>> _ = path.write_text("text\\tlabel\\nOlga\\tRussian\\nHans\\tGerman\\n")
    >>> read_labels([path]).classes
    ('German', 'Russian')
    """
    require_unit(unit)
    check_vocabulary_size(vocabulary_size)
    paths = to_paths(files)
    total = sum(path.stat().st_size for path in paths if path.is_file())
    on_reading(LoadProgress("reading", 0, total))
    whole = are_whole_texts(paths) if per is None else per == "file"
    texts = read_label_texts(
        paths,
        columns=columns,
        header=None if header is None else header == "yes",
        encoding=encoding,
        whole=whole,
    )
    on_reading(LoadProgress("learning tokens", total // 2, total))
    sources = [one.source for one in texts.pairs]
    chosen = unit or choose_unit([sources])
    known = vocabulary or learn_vocabulary(sources, chosen, vocabulary_size)
    if whole:
        texts.notes.append("Each file is a text; the name of its folder is its label.")
    if unit is None and vocabulary is None:
        texts.notes.append(describe_unit("Texts", chosen))
    return _encode_texts(paths, texts, known, whole=whole)


def _encode_texts(
    files: Sequence[Path], texts: LabelTexts, vocabulary: Vocabulary, *, whole: bool
) -> LabelledTexts:
    encode = make_encoder(vocabulary)
    pairs, ids, skipped = list[TextPair](), list[Array](), list(texts.skipped_items)
    for one in texts.pairs:
        tokens = encode(one.source)
        if len(tokens):
            pairs.append(one)
            ids.append(tokens)
        else:
            skipped.append(SkippedItem(one.file, one.line, "a text without a token"))
    counts = Counter(one.target or "" for one in pairs)
    classes = tuple(sorted(counts, key=sort_naturally))
    _require_classes(files[0], len(pairs), classes)
    numbers = {name: number for number, name in enumerate(classes)}
    held = RaggedArray.of(ids, find_id_dtype(vocabulary))
    named = files[0].name if len(files) == 1 else pluralize(len(files), "file")
    understood = (
        f"{named}: {pluralize(len(pairs), 'text')} with labels in {' and '.join(texts.encodings)}, "
        f"{len(held.flat):,} {vocabulary.unit}, {len(vocabulary.tokens):,} different."
    )
    parts = split_files([path.parent for path in files] if whole else files, files, pairs)
    return LabelledTexts(
        vocabulary,
        held,
        tuple(numbers[one.target or ""] for one in pairs),
        classes,
        names=tuple(one.place for one in pairs),
        groups=tuple(one.source for one in pairs),
        predefined_split=parts,
        load_report=LoadReport(
            understood, (*texts.notes, *_describe_texts(pairs, counts)), tuple(skipped)
        ),
        load_options={
            "per": "file" if whole else "line",
            **({"columns": texts.columns} if texts.columns else {}),
            **({} if whole else {"header": "yes" if texts.has_header else "no"}),
        },
    )


def _describe_texts(pairs: Sequence[TextPair], counts: Counter[str]) -> Iterator[str]:
    listed = [f"{name} {count:,}" for name, count in counts.most_common(_SHOWN)]
    more = f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
    yield f"Classes, one per text: {', '.join(listed)}{more}."
    repeated = len(pairs) - len({one.source for one in pairs})
    if repeated:
        yield f"{pluralize(repeated, 'text')} repeat an earlier one; a split keeps these together."


def _require_classes(file: Path, texts: int, classes: Sequence[str]) -> None:
    if len(classes) < 2:
        raise DataError(
            f"{file}: labels need at least two classes, got {', '.join(classes) or 'none'}; add "
            "texts of others."
        )
    if texts >= _FEW_TEXTS and 2 * len(classes) > texts:
        raise DataError(
            f"{file}: {texts:,} texts have {len(classes):,} different labels, such as "
            f"{classes[0]!r}; is it another column ({name_option('columns')}), or are these pairs "
            f"({name_setting('kind', 'pairs')})?"
        )
