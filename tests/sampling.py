"""Part of a product of cases for every run, the rest for `make test-all`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet


def thin_out(values: Iterable[Any], every: int, first: int = 0) -> list[Any]:
    """The values; those that are not each `every`-th, from `first` on, are marked `exhaustive`.

    A value may be a `pytest.param`, whose marks and name it keeps.
    """
    cases = [_make_case(value) for value in values]
    return [
        case
        if i % every == first
        else pytest.param(*case.values, id=case.id, marks=(*case.marks, pytest.mark.exhaustive))
        for i, case in enumerate(cases)
    ]


def _make_case(value: Any) -> ParameterSet:
    if isinstance(value, ParameterSet):
        return value
    return pytest.param(*(value if isinstance(value, tuple) else (value,)))
