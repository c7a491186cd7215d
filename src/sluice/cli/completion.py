"""What the shell completes: cells, data sets and tasks. Nothing here needs torch."""

from __future__ import annotations

CELL_NAMES = (
    *("atr", "biasedmemoryblocks", "brc", "cfc", "cfn", "cifg", "cornn", "deltanet", "elman"),
    *("fastgrnn", "fastrnn", "fastweights", "forgetmemoryblocks", "gru", "grud", "indrnn"),
    *("integrationelman", "integrationlstm", "janet", "jordan", "layernormelman", "layernormgru"),
    *("layernormlstm", "leakyelman", "lem", "ligru", "lru", "lstm", "lstm1997", "ltc"),
    *("matrixlstm", "memoryblocks", "mgu", "mingru", "minlstm", "mogrifierlstm"),
    *("multiplicativelstm", "multiplicativernn", "mut1", "mut2", "mut3", "nascell", "nbrc"),
    *("nestedlstm", "odernn", "orderedlstm", "peepholelstm", "phasedlstm", "projectedlstm"),
    *("qrnn", "ran", "recurrenthighway", "resetbeforegru", "rwkv", "scrn", "slstm", "sru"),
    *("star", "timelstm", "typedrnn", "ugrnn", "unicornn", "workingmemorylstm"),
)
"""The names of `sluice.cells.registry.list_cells`, as text: a shell does not wait for torch."""
TASK_NAMES = ("recall", "order", "adding", "copy", "parity")


def complete_cell(incomplete: str) -> list[str]:
    """Cells whose name begins so; none where a path begins, which the shell completes itself.

    >>> complete_cell("ls")
    ['lstm', 'lstm1997']
    """
    return _select(CELL_NAMES, incomplete)


def complete_cells(incomplete: str) -> list[str]:
    """The last of several cells with commas between.

    >>> complete_cells("gru,el")
    ['gru,elman']
    """
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in complete_cell(last)]


def complete_task(incomplete: str) -> list[str]:
    """The tasks of `sluice compare` whose name begins so."""
    return _select(TASK_NAMES, incomplete)


def complete_data(incomplete: str) -> list[str]:
    """The collections of music, which are no file, where their name begins so."""
    return _select(("chorales", "tunes"), incomplete) if incomplete else []


def _select(names: tuple[str, ...], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete.lower())]
