"""How often the programs of a batch tile meet in a step: a step of most cells takes one meeting."""

from __future__ import annotations

import pytest

from cell_list import CELLS
from sluice.codegen.gpu.meetings import find_meetings
from sluice.codegen.lower import lower_graph

# Without norms, whose statistics depend on tiles: forward and back.
COUNTS = {
    "elman": (1, 1),
    "lstm": (1, 1),
    "lstm-1997": (1, 0),  # nothing flows back through its gates
    "peephole": (1, 1),
    "projected": (2, 2),
    "gru": (1, 1),
    "gru-reset-before": (2, 2),
    "slstm": (1, 1),
}


@pytest.mark.parametrize("name", COUNTS)
def test_meetings_of_a_step(name: str) -> None:
    program = lower_graph(CELLS[name]().graph, True, ())
    counts = tuple(sum(find_meetings(program, part, set())) for part in ("forward", "backward"))
    assert counts == COUNTS[name]
