"""Lines of Python, indented."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TextBuilder:
    """Collects lines; a block's lines stand one step further in."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0

    def __call__(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """``head``, and around what is written inside the ``with`` a deeper indent."""
        self(head)
        self.depth += 1
        yield
        self.depth -= 1
