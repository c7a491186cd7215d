"""Numbers and texts for the page: whole numbers of 16 bits or fewer, compressed, in base64."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

BITS, FEW_BITS = 16, 12
"""A value is off by at most half of (highest − lowest) / (2^bits − 1)."""
PRECISION = 0.005
"""On a logarithmic scale a value is off by at most this part of itself, over 280 decades."""


def pack_tensor(values: Tensor, bits: int = BITS) -> dict[str, object]:
    """A tensor of any shape, finite, as what the page's ``unpack`` reads.

    Example:
        >>> import torch
        >>> packed = pack_tensor(torch.tensor([0.0, 0.5, 1.0]))
        >>> packed["shape"], packed["high"], unpack_tensor(packed).round(3).tolist()
        ([3], 1.0, [0.0, 0.5, 1.0])
    """
    array = values.detach().double().cpu().numpy()
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    count = 2**bits - 1
    codes = np.rint((array - low) / ((high - low) or 1.0) * count)
    found = {"shape": list(array.shape), "low": low, "high": high, "data": _compress(codes)}
    return found if bits == BITS else {**found, "steps": count}


def pack_levels(levels: Tensor) -> dict[str, object]:
    """Small whole numbers ``(rows, units)``, less than 256, unit after unit."""
    array = levels.detach().cpu().numpy().astype(np.uint8)
    return {"shape": list(array.shape), "data": _encode(array.T.tobytes())}


def pack_text(text: str) -> dict[str, str]:
    """A long text; the page finds it as ``text``."""
    return {"zip": _encode(text.encode())}


def unpack_text(packed: Mapping[str, str]) -> str:
    """What `pack_text` packed."""
    return zlib.decompress(base64.b64decode(packed["zip"])).decode()


def pack_magnitudes(values: Tensor) -> dict[str, object]:
    """Magnitudes of any size, not negative, on a logarithmic scale; 0 stays 0.

    Example:
        >>> import torch
        >>> packed = pack_magnitudes(torch.tensor([0.0, 1e-24, 1e20], dtype=torch.float64))
        >>> [f"{v:.2g}" for v in unpack_tensor(packed).tolist()]
        ['0', '1e-24', '1e+20']
    """
    array = values.detach().double().cpu().numpy()
    above = array[array > 0]
    low, high = (float(above.min()), float(above.max())) if above.size else (1.0, 1.0)
    span = np.log(high) - np.log(low)
    # No finer than the precision, so that it compresses well.
    count = min(2**BITS - 2, int(np.ceil(span / (2 * np.log1p(PRECISION)))))
    codes = np.zeros(array.shape)
    codes[array > 0] = np.rint((np.log(above) - np.log(low)) / (span or 1.0) * count) + 1
    return {
        "shape": list(array.shape),
        "low": low,
        "high": high,
        "log": max(count, 1),
        "data": _compress(codes),
    }


def _compress(codes: np.ndarray[Any, Any]) -> str:
    """All low bytes, then all high bytes: these compress better apart."""
    pairs = codes.astype("<u2").reshape(-1, 1).view(np.uint8)
    return _encode(pairs.T.tobytes())


def _encode(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 9)).decode()


def unpack_tensor(packed: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What was packed, float64, as the page reads it."""
    raw = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8)
    low_bytes, high_bytes = raw.astype(np.uint16).reshape(2, -1)
    codes = (low_bytes + 256 * high_bytes).astype(np.float64).reshape(packed["shape"])
    low, high = packed["low"], packed["high"]
    if "log" not in packed:
        return np.asarray(low + (high - low) * codes / packed.get("steps", 2**BITS - 1))
    share = (codes.clip(1) - 1) / packed["log"]
    return np.where(codes > 0, np.exp((1 - share) * np.log(low) + share * np.log(high)), 0.0)


def round_values(values: Tensor, digits: int = 4) -> list[Any]:
    """Numbers with so many significant digits, as JSON has them; infinite ones are None."""
    flat = [float(f"{v:.{digits}g}") for v in values.detach().double().flatten().tolist()]
    found = [v if np.isfinite(v) else None for v in flat]
    if values.dim() < 2:
        return found
    width = values.shape[1]
    return [found[k : k + width] for k in range(0, len(found), width)]


def dump_script_json(payload: dict[str, object]) -> str:
    """JSON that may stand within a script element: no tag can end it, nor a comment begin."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
