"""The file of the glass box: a header in JSON, and arrays of numbers.

All numbers are little-endian. The file is

    8 bytes   ``SLUICEGB``
    u32       the version, 1
    u32       the length of the header in bytes
    header    JSON in UTF-8, padded with spaces to a multiple of 8 bytes
    data      the arrays, C order, each from a multiple of 8 bytes on

The header's ``arrays`` says of each array by name its ``type`` (``u1``, ``u2`` or ``f4``), its
``shape``, and the ``offset`` in bytes from the beginning of the data. A value in a byte stands
beside an array of the name with ``.range``: the least and the greatest value of each unit (2,
units). Byte b of a unit means ``least + b / 255 * (greatest - least)``.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.studio.errors import StudioError

MAGIC = b"SLUICEGB"
VERSION = 1
RANGE = ".range"
_ALIGNMENT = 8
_HEAD = struct.Struct("<8sII")
_TYPES = ("u1", "u2", "f4")


class PackError(StudioError):
    """Bytes that are no file of the glass box; the message says where they are wrong."""


def pack(header: Mapping[str, object], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """One file of a header and arrays; the same bytes for the same values.

    >>> header, arrays = unpack(pack({"a": 1}, {"b": np.arange(3, dtype=np.uint8)}))
    >>> header["a"], arrays["b"].tolist()
    (1, [0, 1, 2])
    """
    places: dict[str, object] = {}
    data = bytearray()
    for name, array in arrays.items():
        kind = f"{array.dtype.kind}{array.dtype.itemsize}"
        if kind not in _TYPES:
            raise TypeError(f"arrays must be of {', '.join(_TYPES)}, got {kind} for {name!r}")
        data += bytes(-len(data) % _ALIGNMENT)
        places[name] = {"type": kind, "shape": array.shape, "offset": len(data)}
        data += np.ascontiguousarray(array, dtype=f"<{kind}").tobytes()
    text = json.dumps({**header, "arrays": places}, ensure_ascii=False, separators=(",", ":"))
    encoded = text.encode()
    encoded += b" " * (-len(encoded) % _ALIGNMENT)
    return _HEAD.pack(MAGIC, VERSION, len(encoded)) + encoded + bytes(data)


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The header and the arrays of a file.

    Raises:
        PackError: the bytes are no such file, of another version, or truncated.
    """
    if len(content) < _HEAD.size:
        raise PackError(f"A file of the glass box has at least {_HEAD.size} bytes.")
    magic, version, length = _HEAD.unpack_from(content)
    if magic != MAGIC or version != VERSION:
        raise PackError(f"The file does not begin as one of the glass box, version {VERSION}.")
    start = _HEAD.size + length
    try:
        header = json.loads(content[_HEAD.size : start])
        arrays = {
            name: _read_array(content, start, place) for name, place in header["arrays"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PackError(f"The file of the glass box is damaged: {error}.") from error
    return header, arrays


def _read_array(content: bytes, start: int, place: Mapping[str, Any]) -> NDArray[Any]:
    if place["type"] not in _TYPES:
        raise ValueError(f"unknown type {place['type']!r}")
    shape = tuple(place["shape"])
    found = np.frombuffer(
        content, f"<{place['type']}", math.prod(shape), start + int(place["offset"])
    )
    return found.reshape(shape)


def quantise(values: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Values (time, units) as a byte each, and the least and greatest of each unit (2, units)."""
    limits = np.stack([values.min(axis=0), values.max(axis=0)]).astype(np.float32)
    low, high = limits.astype(np.float64)
    spread = np.where(high > low, high - low, 1.0)
    steps = np.rint((values.astype(np.float64) - low) / spread * 255)
    return np.clip(steps, 0, 255).astype(np.uint8), limits


def restore(quantised: NDArray[np.uint8], limits: NDArray[np.float32]) -> NDArray[np.float64]:
    """The values that bytes and ranges mean, each within half a step of the one it was."""
    low, high = limits.astype(np.float64)
    found: NDArray[np.float64] = low + quantised / 255.0 * (high - low)
    return found
