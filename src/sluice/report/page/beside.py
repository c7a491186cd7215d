"""Two models on one page: they must read the same data."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch

from sluice.report.page.inputs import ReportError, ReportInputs


def require_same_data(first: ReportInputs, second: ReportInputs, sequence: int, stop: int) -> None:
    """Refuse a second model that does not read the same steps as the first one.

    Raises:
        ReportError: vocabularies, labels, data or kinds of models differ.
    """
    ours, theirs = list(first.classes or ()), list(second.classes or ())
    if ours != theirs:
        pairs = enumerate(zip_longest(ours, theirs))
        place, (one, other) = next((k, pair) for k, pair in pairs if pair[0] != pair[1])
        raise ReportError(
            f"two models beside each other must know the same tokens or labels, but the first "
            f"knows {len(ours)} and the second {len(theirs)}; number {place} is {_quote(one)} for "
            f"the first and {_quote(other)} for the second: give two models of the same vocabulary"
        )
    mine, yours = first.batch(sequence, stop), second.batch(sequence, stop)
    if type(first.view) is not type(second.view) or mine.shape != yours.shape:
        raise ReportError(
            "two models beside each other must read the same data in the same way, but the first "
            f"reads {tuple(mine.shape)} and the second {tuple(yours.shape)} of sequence "
            f"{sequence}: give two models of the same kind"
        )
    if mine.dtype != yours.dtype or (not mine.is_floating_point() and not torch.equal(mine, yours)):
        raise ReportError(
            "two models beside each other must read the same tokens, but the second splits the "
            "data differently: give two models of the same vocabulary"
        )


def _quote(token: str | None) -> str:
    return "missing" if token is None else repr(token)


def require_same_outputs(first: int, second: int) -> None:
    """Refuse a second model with another number of outputs.

    Raises:
        ReportError: the numbers differ.
    """
    if first != second:
        raise ReportError(
            "two models beside each other must know the same tokens or labels, but the first has "
            f"{first} outputs and the second {second}: give two models of the same vocabulary"
        )


def require_same_axes(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Refuse payloads whose steps are not the same, so that no scrubber fits both."""
    ours, theirs = ([(a["name"], a["length"]) for a in one["axes"]] for one in (first, second))
    if ours != theirs:
        raise ReportError(
            "two models beside each other must have the same steps, but the first has "
            f"{_describe(ours)} and the second {_describe(theirs)}"
        )


def _describe(axes: list[tuple[str, int]]) -> str:
    return " and ".join(f"{length} of {name!r}" for name, length in axes)


def name_models(first: ReportInputs, second: ReportInputs) -> tuple[str, str]:
    """What the two are called: their files, as far as these differ."""
    paths = [Path(one.facts.get("weights", "")) for one in (first, second)]
    if not paths[0].name or not paths[1].name or paths[0] == paths[1]:
        return "first model", "second model"
    if paths[0].name != paths[1].name:
        return paths[0].name, paths[1].name
    return str(paths[0]), str(paths[1])
