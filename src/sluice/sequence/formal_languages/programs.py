"""Programs for one memory cell: store a value, keep it, load it, delete it."""

from __future__ import annotations

from sluice.sequence.errors import SequenceError
from sluice.sequence.formal_languages.language import FormalLanguage

LOAD, DELETE, KEEP = "load", "delete", "keep"
NOTHING = "nothing"
"""The output of every instruction but a `load` of a cell that holds a value."""


def memory_program(values: int = 2) -> FormalLanguage:
    """Words are programs; the output of each instruction is what the memory shows then.

    ``store 0``, ``store 1``, … write a value, ``load`` shows it, ``delete`` empties the cell and
    ``keep`` does nothing. Only a load shows something, the value, or nothing if the cell is empty.
    A cell that has gates can do each of them by one gate, so that they can be compared with what
    the gates do.

    Args:
        values: how many different ones, at least 1.

    Raises:
        SequenceError: fewer than 1 value.

    >>> program = ["store 1", "keep", "load", "delete", "load"]
    >>> memory_program().label_prefixes(program)
    ['nothing', 'nothing', 'nothing', '1', 'nothing', 'nothing']
    """
    if values < 1:
        raise SequenceError(f"values must be at least 1, got {values}")
    names = tuple(str(value) for value in range(values))

    def advance(state: tuple[str, bool], symbol: str) -> tuple[str, bool]:
        content = NOTHING if symbol == DELETE else state[0]
        if symbol.startswith("store "):
            content = symbol.removeprefix("store ")
        return content, symbol == LOAD

    return FormalLanguage(
        "memory program",
        f"instructions to a memory cell for {values} values",
        "after the gates of Hochreiter & Schmidhuber 1997",
        *((*(f"store {name}" for name in names), LOAD, DELETE, KEEP), (NOTHING, *names)),
        *((NOTHING, False), advance),
        lambda state: state[0] if state[1] else NOTHING,
    )
