"""Weights and texts as the bytes of a safetensors file: equal ones as equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from safetensors.torch import save
from torch import Tensor

_LENGTH = 8
"""Bytes of the header's length, and what the header's end is aligned to."""


def encode_weights(weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """As `safetensors.torch.save`, which writes the metadata in an order of chance.

    >>> import torch
    >>> one = encode_weights({"w": torch.ones(2)}, {"b": "2", "a": "1"})
    >>> one == encode_weights({"w": torch.ones(2)}, {"a": "1", "b": "2"})
    True
    """
    content = save(dict(weights), dict(metadata))
    end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    header = json.loads(content[_LENGTH:end])
    ordered = {**header, "__metadata__": dict(sorted(metadata.items()))}
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)
    return len(text).to_bytes(_LENGTH, "little") + text + content[end:]
