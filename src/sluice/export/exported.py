"""What an export returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written, and what its own engine made of it.

    Attributes:
        path: The file; of several the first.
        size: How many bytes it has, of several all together.
        inputs: What it reads, by name: the shape, whose free dimensions have names.
        outputs: What it gives, likewise.
        difference: The greatest difference from ours in the check, relative to the greatest
            magnitude where that exceeds 1; None for a file that was not checked.
        usage: How to run it.
    """

    path: Path
    size: int
    inputs: dict[str, tuple[int | str, ...]]
    outputs: dict[str, tuple[int | str, ...]]
    difference: float | None
    usage: str
