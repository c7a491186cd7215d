"""How large a graph may be: beyond it, compiling would take minutes, or numbers would not fit."""

from __future__ import annotations

from sluice.equations.symbol import EquationError

MAX_TEXT_BYTES = 4_000_000
MAX_NODES = 20_000
MAX_DECLARATIONS = 2_000
"""Of each kind: states, stacks of gates, vectors, norms, masks."""
MAX_GATES = 2_000
MAX_NAME_LENGTH = 200
MAX_SIZE = 2**31 - 1
"""What a width may stand for."""


def require_at_most(limit: int, count: int, what: str) -> None:
    """Raise `EquationError` where there is more of something than a graph may have."""
    if count > limit:
        raise EquationError(f"a cell may have at most {limit:,} {what}, got {count:,}")
