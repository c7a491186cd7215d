"""Part of a product of cases for every run, the rest for `make test-all`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def thin_out(values: Iterable[Any], every: int, first: int = 0) -> list[Any]:
    """The values; those that are not each `every`-th, from `first` on, are marked `exhaustive`."""
    return [
        value if i % every == first else pytest.param(*_spread(value), marks=pytest.mark.exhaustive)
        for i, value in enumerate(values)
    ]


def _spread(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
