"""Text to token ids, in chunks, so that files may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from sluice.files import StrPath, StrPaths, to_paths
from sluice.option_names import name_option
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers import memmap
from sluice.sequence.data.readers.encoded_cache import EncodedSequences, EncodingMetadata
from sluice.sequence.data.readers.encodings import (
    CHUNK_SIZE,
    OnBytes,
    TextScan,
    open_text,
    read_chunks,
    scan_text,
)
from sluice.sequence.data.readers.memmap import ArraySink
from sluice.sequence.data.readers.token_encoders import (
    UNKNOWN_ID,
    Encoder,
    find_id_dtype,
    make_encoder,
    splits_characters,
)
from sluice.sequence.data.readers.tokenizers import (
    check_vocabulary_size,
    extract_vocabulary,
    read_tokenizer,
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
from sluice.sequence.data.tokens import Tokens
from sluice.sequence.errors import DataError
from sluice.sequence.vocabulary import PADDING, Vocabulary

_UNITS = ("characters", "words", "subwords")
"""The kinds of tokens."""
_PER = ("file", "line")
_NOTES = 20
"""Notes on files that are shown."""


def read_text(
    files: StrPaths,
    *,
    unit: Literal["characters", "words", "subwords"] = "characters",
    per: Literal["file", "line"] = "file",
    tokenizer: StrPath | None = None,
    vocabulary: Vocabulary | None = None,
    vocabulary_size: int | None = None,
    encoding: str | None = None,
    fallback_encoding: str | None = None,
    cache: StrPath | None = None,
    on_reading: OnReading = ignore_progress,
) -> Tokens:
    """Text as sequences of characters, words or subwords, one per file or line.

    A file may be larger than memory. Above 64 MB, or with `cache`, the ids are written to files,
    which are memory-mapped and reused while the text is unchanged.

    Args:
        files: text files.
        unit: what a token is; words and subwords need the library tokenizers.
        per: whether a sequence is a file or a line; empty lines are skipped.
        tokenizer: the file of a trained tokenizer, for words and subwords.
        vocabulary: of a model, by which text is split, in place of `unit` and `tokenizer`; tokens
            that it does not have become its unknown token, or else the id `START`.
        vocabulary_size: of a tokenizer trained here; default 20,000 words or 4,000 subwords.
        encoding: of the files; default by their marks, else UTF-8, else a guess, which is noted.
        fallback_encoding: in place of a guess.
        cache: the folder for encoded files; default `~/.cache/sluice`, for large files only.
        on_reading: called with the progress.

    Raises:
        DataError: no file that can be read, or an option of an unknown value.
        MissingExtraError: words or subwords, and tokenizers is not installed.
    """
    files = to_paths(files)
    _check("unit", unit, _UNITS)
    _check("per", per, _PER)
    check_vocabulary_size(vocabulary_size)
    if tokenizer is not None and unit == "characters":
        unit = "subwords"
    asked = _TextOptions(
        unit,
        per,
        Path(tokenizer) if tokenizer else None,
        vocabulary,
        vocabulary_size,
        encoding,
        fallback_encoding,
    )

    def encode(ids: ArraySink, ends: ArraySink) -> EncodingMetadata:
        return _encode(files, asked, ids, ends, on_reading)

    known = [*files, *([asked.tokenizer] if asked.tokenizer else [])]
    large = sum(path.stat().st_size for path in files if path.is_file()) > memmap.LARGE_BYTES
    if cache is None and not large:
        return _build_tokens(files, asked, memmap.encode_to_memory(encode))
    folder = memmap.default_cache_folder() if cache is None else Path(cache)
    options = {name: str(value) for name, value in asdict(asked).items()}
    return _build_tokens(files, asked, memmap.encode_to_disk(folder, known, options, encode))


@dataclass(frozen=True)
class _TextOptions:
    unit: Literal["characters", "words", "subwords"]
    per: str
    tokenizer: Path | None
    vocabulary: Vocabulary | None
    vocabulary_size: int | None
    encoding: str | None
    fallback_encoding: str | None


def _check(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise DataError(f"{name_option(name)} must be one of {', '.join(known)}, got {value!r}.")


def _encode(
    files: Sequence[Path],
    asked: _TextOptions,
    ids: ArraySink,
    ends: ArraySink,
    on_reading: OnReading,
) -> EncodingMetadata:
    """Read every file twice, or three times to train a tokenizer as well."""
    tell = _ReadingReporter(files, on_reading)
    scanned, refused = _scan_files(files, asked, tell)
    vocabulary = _build_vocabulary(scanned, asked, tell)
    read = read_chunks if splits_characters(vocabulary) else _read_lines
    encoder = _make_encoder(vocabulary, asked)
    written = _SequenceWriter(ids, ends)
    counts = {}
    for path, found in scanned.items():
        before = written.sequences
        for piece in read(path, found.encoding, tell.make_callback("encoding", path)):
            written.add(encoder(piece))
        written.end_file()
        counts[str(path)] = written.sequences - before
    if not written.sequences:
        raise DataError(f"{files[0]} has no line that is not empty; give other text.")
    guesses = {found.encoding if found.is_guess else "" for found in scanned.values()}
    return {
        "dtype": find_id_dtype(vocabulary).str,
        "vocabulary": vocabulary.to_json(),
        "encodings": sorted({found.name for found in scanned.values()}),
        "counts": counts,
        "refused": [(one.source, one.line, one.reason) for one in refused],
        "notes": [found.note for found in scanned.values() if found.note][:_NOTES],
        "guess": guesses.pop() if len(guesses) == 1 else "",
    }


class _ReadingReporter:
    """Reports bytes read of one file as bytes read of all files."""

    def __init__(self, files: Sequence[Path], on_reading: OnReading) -> None:
        sizes = [path.stat().st_size if path.is_file() else 0 for path in files]
        self.before = {path: sum(sizes[:place]) for place, path in enumerate(files)}
        self.total, self.on_reading = sum(sizes), on_reading

    def make_callback(self, stage: str, path: Path) -> OnBytes:
        before = self.before[path]
        return lambda read: self.on_reading(LoadProgress(stage, before + read, self.total))


def _scan_files(
    files: Sequence[Path], asked: _TextOptions, tell: _ReadingReporter
) -> tuple[dict[Path, TextScan], list[SkippedItem]]:
    """The files that can be read; others are skipped, but a single file raises."""
    found, refused = {}, []
    for path in files:
        try:
            found[path] = scan_text(
                path,
                asked.encoding,
                tell.make_callback("reading", path),
                fallback=asked.fallback_encoding,
            )
        except DataError as error:
            if len(files) == 1:
                raise
            refused.append(SkippedItem.from_file_error(path, error))
    if not found:
        raise DataError(f"None of {len(files)} files could be read; the first: {refused[0]}.")
    return found, refused


def _build_vocabulary(
    scanned: dict[Path, TextScan], asked: _TextOptions, tell: _ReadingReporter
) -> Vocabulary:
    if asked.vocabulary is not None:
        return asked.vocabulary
    if asked.unit == "characters":
        characters = frozenset[str]().union(*(found.characters for found in scanned.values()))
        if asked.per == "line":
            characters -= {"\n"}
        return Vocabulary(tuple(sorted(characters)), "characters")
    if asked.tokenizer is not None:
        return extract_vocabulary(read_tokenizer(asked.tokenizer), asked.unit)
    text = (
        line.removesuffix("\n") if asked.per == "line" else line
        for path, found in scanned.items()
        for line in _read_lines(path, found.encoding, tell.make_callback("learning tokens", path))
    )
    return extract_vocabulary(train_tokenizer(text, asked.unit, asked.vocabulary_size), asked.unit)


def _read_lines(path: Path, encoding: str, on_bytes: OnBytes) -> Iterator[str]:
    """Lines with their breaks; one longer than a chunk is cut at a blank, if it has one."""
    with open_text(path, encoding) as file:
        rest = ""
        while read := file.readline(CHUNK_SIZE):
            line, rest = rest + read, ""
            blank = line.rfind(" ") if len(read) == CHUNK_SIZE and not read.endswith("\n") else -1
            if blank > 0:
                line, rest = line[:blank], line[blank:]
            yield line
            on_bytes(file.buffer.tell())
        if rest:
            yield rest


def _make_encoder(vocabulary: Vocabulary, asked: _TextOptions) -> Encoder:
    encode = make_encoder(vocabulary, asked.per == "line")
    if asked.vocabulary is not None:
        return encode

    def encode_known(piece: str) -> Array:
        ids = encode(piece)
        if (ids == UNKNOWN_ID).any():
            raise DataError("The text changed while it was read; read it again.")
        return ids

    return encode_known


class _SequenceWriter:
    """Writes ids without the `PADDING` that ends a line, and the ends of non-empty sequences."""

    def __init__(self, ids: ArraySink, ends: ArraySink) -> None:
        self.ids, self.ends = ids, ends
        self.steps = self.last = self.sequences = 0

    def add(self, ids: Array) -> None:
        breaks = np.flatnonzero(ids == PADDING)
        self._write_ends(self.steps + breaks - np.arange(len(breaks)))
        self.ids.write(ids[ids != PADDING] if len(breaks) else ids)
        self.steps += len(ids) - len(breaks)

    def end_file(self) -> None:
        """End the sequence at the end of a file."""
        self._write_ends(np.array([self.steps]))

    def _write_ends(self, ends: Array) -> None:
        new = ends[np.diff(ends, prepend=self.last) > 0].astype(np.int64)
        if len(new):
            self.ends.write(new)
            self.last = int(new[-1])
            self.sequences += len(new)


def _build_tokens(files: Sequence[Path], asked: _TextOptions, stored: EncodedSequences) -> Tokens:
    about, ids = stored.metadata, stored.ids
    vocabulary = Vocabulary.from_json(about["vocabulary"])
    read = [Path(name) for name in about["counts"]]
    ends = np.cumsum(list(about["counts"].values())).tolist()
    places = [range(*both) for both in pairwise([0, *ends])]
    given = {
        part: [place for file in chosen for place in places[file]]
        for part, chosen in split_from_names(read).items()
    }
    named = files[0].name if len(files) == 1 else pluralize(len(read), "file")
    understood = (
        f"{named}: text in {' and '.join(about['encodings'])}, "
        f"{pluralize(len(ids), 'sequence')} (one per {asked.per}), "
        f"{int(ids.lengths.sum()):,} {vocabulary.unit}, {len(vocabulary.tokens):,} different."
    )
    kept = getattr(ids.flat, "filename", None)
    notes = (*about["notes"], *((f"Encoded in {Path(kept).parent}.",) if kept else ()))
    refused = tuple(SkippedItem(*one) for one in about["refused"])
    names = tuple(map(str, read)) if asked.per == "file" else ()
    return Tokens(
        vocabulary,
        ids,
        names=names,
        predefined_split=given,
        load_report=LoadReport(understood, notes, refused),
        load_options={"fallback_encoding": about["guess"]} if about["guess"] else {},
    )
