"""What a small table as people have it holds, or why it cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reading:
    """What a table holds: its inputs by name, and words that the report has to have."""

    columns: Mapping[str, list[float]]
    says: tuple[str, ...] = ()
    skipped: tuple[int, ...] = ()


@dataclass(frozen=True)
class NastyTable:
    """A file's content, the options that it is read with, and its reading or its refusal."""

    name: str
    content: str | bytes
    expected: Reading | str
    options: Mapping[str, object] = field(default_factory=dict)
    suffix: str = ".csv"


def read(columns: Mapping[str, list[float]], *says: str, skipped: tuple[int, ...] = ()) -> Reading:
    return Reading(columns, says, skipped)
