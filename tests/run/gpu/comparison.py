"""Which tensors of a pass differ from what is expected."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from run.cases import error
from run.rounded_reference import measure


def find_faults(
    found: Sequence[Tensor | None],
    expected: Sequence[Tensor | None],
    limit: float | Sequence[float],
) -> list[str]:
    """A line for each tensor that differs by more than ``limit`` of its largest value.

    Where all that is expected is zero, or almost, the limit is absolute. ``limit`` may differ from
    tensor to tensor.
    """
    faults = []
    limits = [limit] * len(found) if isinstance(limit, float) else limit
    for number, (one, other, bound) in enumerate(zip(found, expected, limits, strict=True)):
        if one is None or other is None:
            if one is not other:
                faults.append(f"tensor {number}: {one} and {other}")
            continue
        if one.shape != other.shape:
            faults.append(f"tensor {number}: shapes {tuple(one.shape)}, {tuple(other.shape)}")
            continue
        missing = int(one.isnan().sum())
        size = other.abs().max().item() if other.numel() else 0.0
        by = error(one, other) * (size if size < 1e-9 else 1.0)
        if missing or not by <= bound:
            faults.append(
                f"tensor {number} {tuple(one.shape)}: off by {by:.1e} with {bound:.1e} allowed, "
                f"{missing} are NaN"
            )
    return faults


def find_rounding_faults(
    found: Sequence[Tensor], expected: Sequence[Tensor], middle: float = float("inf")
) -> list[str]:
    """A line for each tensor that differs from the rounded reference, in float16.

    A sum's last digit now and then rounds to another narrow number, which few others show. What
    this adds up to is bounded in the root mean square; ``middle`` bounds half of all numbers.
    """
    faults = []
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        mean, half = measure(one, other)[0], _measure_middle(one, other)
        if not (mean <= 1e-3 and half <= middle):
            faults.append(f"tensor {number} {tuple(one.shape)}: {mean:.1e}, half {half:.1e}")
    return faults


def _measure_middle(found: Tensor, expected: Tensor) -> float:
    """The median difference, relative to the root mean square of what is expected."""
    difference = (found.detach().double() - expected.detach()).abs()
    size = float(expected.detach().square().mean().sqrt())
    return float(difference.median()) / (size if size > 1e-9 else 1.0)
