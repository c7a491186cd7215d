"""Numbers for the page: whole numbers of 16 bits between a lowest and a highest, in base64."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from torch import Tensor

STEPS = 65535
"""A value is off by at most (highest − lowest) / (2 · 65535)."""


def pack_tensor(values: Tensor) -> dict[str, object]:
    """A tensor of any shape, finite, as what the page's ``unpack`` reads.

    Example:
        >>> import torch
        >>> pack_tensor(torch.tensor([0.0, 1.0]))
        {'shape': [2], 'low': 0.0, 'high': 1.0, 'data': 'AAD//w=='}
    """
    array = values.detach().double().cpu().numpy()
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    scaled = np.rint((array - low) / ((high - low) or 1.0) * STEPS).astype("<u2")
    data = base64.b64encode(scaled.tobytes()).decode()
    return {"shape": list(array.shape), "low": low, "high": high, "data": data}


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
