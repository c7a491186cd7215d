"""A grammar of brackets, for tests."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

END, OPEN, CLOSE, NOTE = 2, 3, 4, 5


@dataclass
class Nested:
    """Brackets that close, at most three deep; `NOTE` anywhere inside; it ends outside."""

    def start(self) -> int:
        return 0

    def get_allowed_tokens(self, state: int) -> Collection[int]:
        if state == 0:
            return {OPEN, END}
        return {OPEN, CLOSE, NOTE} if state < 3 else {CLOSE, NOTE}

    def advance(self, state: int, token: int) -> int:
        return state + {OPEN: 1, CLOSE: -1, NOTE: 0}[token]


class Closing(Nested):
    """The same, knowing how far the end is."""

    max_distance = 4

    def distance_to_end(self, state: int) -> int:
        return state + 1
