"""The random numbers of a sequence, from its seed."""

from __future__ import annotations

import operator
from hashlib import sha256

import torch
from torch import Tensor

from sluice.sequence.errors import SequenceError

_LIMIT = 1 << 64
"""Torch's generators take seeds below this."""


def check_seed(seed: object) -> int:
    """`seed` as an integer. Raises SequenceError if it is negative or no integer."""
    try:
        if isinstance(seed, bool):
            raise TypeError
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        raise SequenceError(
            f"A seed must be a whole number of at least 0, got {seed!r} ({type(seed).__name__})."
        ) from None
    if number < 0:
        raise SequenceError(f"A seed must be a whole number of at least 0, got {number}.")
    return number


class UniformNumbers:
    """Random numbers in [0, 1) from a seed of any size: of one of 64 bits or more, its SHA-256."""

    def __init__(self, seed: object) -> None:
        number = check_seed(seed)
        if number >= _LIMIT:
            digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
            number = int.from_bytes(sha256(digits).digest()[:8], "big")
        self._generator = torch.Generator().manual_seed(number)

    def draw(self, count: int) -> Tensor:
        """The next numbers, (count,), float64."""
        return torch.rand(count, generator=self._generator, dtype=torch.float64)
