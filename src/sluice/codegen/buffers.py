"""The buffers of a program, created when they are first needed."""

from __future__ import annotations

from sluice.codegen.program import BufferSlot

Item = tuple[int, int]
"""One value's place: a buffer's index, and which of its items."""


class BufferTable:
    """All buffers of a program, found by role and width, numbered in the order of creation."""

    def __init__(self) -> None:
        self.buffers: list[BufferSlot] = []
        self._indices: dict[tuple[str, int, str], int] = {}

    def get(self, role: str, scope: str, width: str, index: int = 0, items: int = 1) -> int:
        """The index of a buffer, which is created if there is none."""
        key = (role, index, width)
        if key not in self._indices:
            self._indices[key] = len(self.buffers)
            self.buffers.append(BufferSlot(role, index, scope, width, items))
        return self._indices[key]

    def allocate_item(self, role: str, scope: str, width: str, count: int = 1) -> Item:
        """The next free item (the first of ``count``) of a buffer that grows."""
        buffer = self.get(role, scope, width, items=0)
        self.buffers[buffer].items += count
        return buffer, self.buffers[buffer].items - count
