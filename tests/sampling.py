"""Part of a product of cases for every run, the rest for `make test-all`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def thin_out(values: Iterable[Any], every: int) -> list[Any]:
    """The values, of which those that are not each `every`-th are marked `exhaustive`."""
    return [
        value if i % every == 0 else pytest.param(*_spread(value), marks=pytest.mark.exhaustive)
        for i, value in enumerate(values)
    ]


def _spread(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
