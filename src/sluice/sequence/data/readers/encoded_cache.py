"""A cache of encoded text: its files, and everything that is checked before they are believed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np

from sluice.files import StrPath, StrPaths, to_paths, write_atomically
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.readers.file_kinds import require_regular_file
from sluice.sequence.data.readers.token_encoders import find_id_dtype
from sluice.sequence.data.report import make_read_error
from sluice.sequence.errors import SequenceError
from sluice.sequence.vocabulary import START, Vocabulary

ENDS_DTYPE = np.dtype("<i8")
_FORMAT = "sluice encoded tokens 2"
_BLOCK = 1 << 22
_MOST_METADATA = 1 << 28
"""Bytes of metadata that are read: a vocabulary with a tokenizer has a few megabytes."""


class EncodingMetadata(TypedDict):
    """What is stored with encoded text, as JSON.

    `counts` are sequences by file, `refused` the source, line and reason of skipped items, `notes`
    what was assumed, and `guess` the encoding that was guessed for all files, or empty.
    """

    dtype: str
    vocabulary: str
    encodings: list[str]
    counts: dict[str, int]
    refused: list[tuple[str, int | None, str]]
    notes: list[str]
    guess: str


class EncodedSequences(NamedTuple):
    """Sequences with their metadata."""

    ids: RaggedArray
    metadata: EncodingMetadata


def compute_fingerprint(files: StrPaths) -> str:
    """A hash of the names and the whole content of files, about half a gigabyte in a second.

    Sizes and times alone would miss an edit that keeps them.

    Raises:
        DataError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in to_paths(files):
        require_regular_file(path)
        digest.update(f"{path.resolve()}\n".encode(errors="surrogateescape"))
        digest.update(bytes.fromhex(_hash_file(path)))
    return digest.hexdigest()


def _hash_file(path: StrPath) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise make_read_error(path, error) from None


def build_ragged(flat: Array, ends: Array) -> RaggedArray:
    """Sequences that lie one after another, by the end of each."""
    starts = np.concatenate((np.zeros(min(len(ends), 1), ENDS_DTYPE), ends[:-1]))
    return RaggedArray(flat, starts, ends)


def write_complete(home: StrPath, mark: str, about: EncodingMetadata) -> None:
    """Write the metadata that make the two arrays in a folder a cache of what `mark` stands for.

    Raises:
        OSError: the folder cannot be written to.
    """
    home = Path(home)
    hashes = {name: _hash_file(home / f"{name}.bin") for name in ("ids", "ends")}
    content = {"format": _FORMAT, "fingerprint": mark, "hashes": hashes, "about": about}
    kept = {"content": content, "hash": _hash_content(content)}
    write_atomically(home / "about.json", json.dumps(kept).encode())


def _hash_content(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_complete(home: StrPath, mark: str) -> EncodedSequences | None:
    """The cache in a folder, if it is whole, of what `mark` stands for, and possible at all.

    Types, bounds and every id are checked: whoever can write to the folder can write hashes too.
    """
    home = Path(home)
    try:
        for name in ("about.json", "ids.bin", "ends.bin"):
            require_regular_file(home / name)
        if (home / "about.json").stat().st_size > _MOST_METADATA:
            return None
        kept = json.loads((home / "about.json").read_bytes())
        content = kept["content"]
        known = (content["format"], content["fingerprint"], kept["hash"])
        if known != (_FORMAT, mark, _hash_content(content)):
            return None
        about = _parse_metadata(content["about"])
        vocabulary = Vocabulary.from_json(about["vocabulary"])
        dtype = find_id_dtype(vocabulary)
        if about["dtype"] != dtype.str:
            return None
        flat = _map_array(home / "ids.bin", dtype, content["hashes"]["ids"])
        ends = _map_array(home / "ends.bin", ENDS_DTYPE, content["hashes"]["ends"])
        _check_bounds(flat, ends, about, len(vocabulary))
    except (OSError, SequenceError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return EncodedSequences(build_ragged(flat, ends), about)


def _parse_metadata(about: object) -> EncodingMetadata:
    if not isinstance(about, dict):
        raise TypeError("no metadata")
    texts = [about["dtype"], about["vocabulary"], about["guess"], *about["encodings"]]
    texts += [*about["notes"], *about["counts"]]
    texts += [part for source, _, reason in about["refused"] for part in (source, reason)]
    numbers = [*about["counts"].values()]
    numbers += [line for _, line, _ in about["refused"] if line is not None]
    if not all(isinstance(one, str) for one in texts):
        raise TypeError("a text is none")
    if not all(type(one) is int and one >= 0 for one in numbers):
        raise TypeError("a number is none")
    found: EncodingMetadata = {
        "dtype": about["dtype"],
        "vocabulary": about["vocabulary"],
        "encodings": about["encodings"],
        "counts": about["counts"],
        "refused": [(source, line, reason) for source, line, reason in about["refused"]],
        "notes": about["notes"],
        "guess": about["guess"],
    }
    return found


def _map_array(path: Path, dtype: np.dtype[np.generic], expected: str) -> Array:
    # An empty file cannot be mapped.
    array = np.memmap(path, dtype, "r") if path.stat().st_size else np.empty(0, dtype)
    digest = hashlib.sha256()
    for first in range(0, len(array), _BLOCK):
        digest.update(np.ascontiguousarray(array[first : first + _BLOCK]).data)
    if digest.hexdigest() != expected:
        raise ValueError("another content")
    return array


def _check_bounds(flat: Array, ends: Array, about: EncodingMetadata, size: int) -> None:
    rising = len(ends) and ends[0] > 0 and bool((ends[1:] > ends[:-1]).all())
    if not (rising and ends[-1] == len(flat) and len(ends) == sum(about["counts"].values())):
        raise ValueError("ends out of bounds")
    for first in range(0, len(flat), _BLOCK):
        block = flat[first : first + _BLOCK]
        low, high = int(block.min()), int(block.max())
        if low < START or high >= size:
            raise ValueError("ids out of bounds")
