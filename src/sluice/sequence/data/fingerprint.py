"""A fingerprint of what data contain, wherever their files are and whenever they were written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from sluice.sequence.data.ragged import Array, RaggedArray

_BLOCK = 1 << 22
_PLAIN = (str, int, float, bool, bytes, type(None))


def hash_contents(*contents: object) -> str:
    """A hash of arrays, ragged arrays, tensors, texts, numbers, and collections of them.

    Equal contents of equal types have equal hashes: where a `RaggedArray` keeps its sequences does
    not count. A memory-mapped array is read once, in blocks (about 1 GB in a second).

    Raises:
        TypeError: anything else.

    >>> one, other = RaggedArray.of([[3, 4], [5]]), RaggedArray.of([[5], [3, 4]])
    >>> hash_contents("ab", one) == hash_contents("ab", other.select([1, 0]))
    True
    >>> hash_contents("ab", one) == hash_contents("ab", other)
    False
    """
    digest = hashlib.sha256()
    for one in contents:
        _add(digest, one)
    return digest.hexdigest()[:32]


class _Hash(Protocol):
    def update(self, content: bytes | memoryview, /) -> None: ...


def _add(digest: _Hash, content: object) -> None:
    digest.update(f"{type(content).__name__}:".encode())
    if isinstance(content, RaggedArray):
        _add_ragged(digest, content)
    elif isinstance(content, np.ndarray):
        _add(digest, (_describe_type(content), *content.shape))
        _add_rows(digest, content)
    elif isinstance(content, Tensor):
        _add(digest, content.detach().cpu().numpy())
    elif is_dataclass(content) and not isinstance(content, type):
        for one in fields(content):
            _add(digest, one.name)
            _add(digest, getattr(content, one.name))
    elif isinstance(content, _PLAIN):
        text = repr(content).encode()
        digest.update(f"{len(text)}:".encode() + text)
    elif isinstance(content, Mapping):
        _add(digest, sorted(content.items()))
    elif isinstance(content, Sequence):
        if all(type(one) in _PLAIN for one in content):
            _add(digest, repr(list(content)))
            return
        _add(digest, len(content))
        for one in content:
            _add(digest, one)
    else:
        raise TypeError(f"no fingerprint of a {type(content).__name__}")


def _add_ragged(digest: _Hash, ragged: RaggedArray) -> None:
    """Lengths, then the values; neighbours in one go, as most sequences lie one after another."""
    _add(digest, (_describe_type(ragged.flat), len(ragged), *ragged.flat.shape[1:]))
    digest.update(np.ascontiguousarray(ragged.lengths, "<i8").data)
    if not len(ragged):
        return
    breaks = np.flatnonzero(ragged.starts[1:] != ragged.stops[:-1]) + 1
    firsts, lasts = np.append(0, breaks), np.append(breaks, len(ragged)) - 1
    for first, last in zip(firsts, lasts, strict=True):
        _add_rows(digest, ragged.flat[ragged.starts[first] : ragged.stops[last]])


def _describe_type(array: Array) -> str:
    if array.dtype.kind not in "iubf":
        raise TypeError(f"no fingerprint of an array of {array.dtype}")
    return array.dtype.str


def _add_rows(digest: _Hash, rows: Array) -> None:
    """The bytes of an array, a block at a time."""
    step = max(1, _BLOCK // max(1, rows[:1].nbytes))
    for first in range(0, len(rows), step):
        block = np.ascontiguousarray(rows[first : first + step])
        if block.size:
            digest.update(block.view(np.uint8).data)
