"""Pre-activations found in graphs of usual and unusual cells."""

from __future__ import annotations

from typing import Any

import sluice
from cell_list import CELLS
from sluice.cells.cell import Cell
from sluice.equations.instrument import find_learned_maps, find_preactivations, instrument_graph
from sluice.render.latex import EquationWriter


def format_preactivations(cell: Cell) -> dict[str, str]:
    writer = EquationWriter.from_graph(cell.graph)
    return {
        gate: writer.expand(node).plain for gate, node in find_preactivations(cell.graph).items()
    }


def test_sums_of_the_usual_cells() -> None:
    assert format_preactivations(CELLS["gru"]())["candidate"] == (
        "W_ih x_t + b_ih + r_t ⊙ (W_hh h_{t-1} + b_hh)"
    )
    assert format_preactivations(CELLS["peephole"]())["output"] == (
        "W_io x_t + b_io + W_ho h_{t-1} + b_ho + p_o ⊙ c_t"
    )
    assert format_preactivations(CELLS["layer-norm-elman"]())["hidden"] == (
        "LN_{ih,h}(W_ih x_t) + LN_{hh,h}(W_hh h_{t-1})"
    )
    assert (
        format_preactivations(CELLS["slstm"]())["input"] == "W_ii x_t + b_ii + W_hi h_{t-1} + b_hi"
    )
    assert set(format_preactivations(CELLS["projected"]())) == {
        "input",
        "forget",
        "candidate",
        "output",
    }


class Odd(Cell):
    """A gate without a function, one within a sum with a state, and one that nothing returns."""

    plain, lone, hidden = sluice.Gate(), sluice.Gate(), sluice.Gate()
    mixed = sluice.Map()

    def step(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        kept = sluice.sigmoid(self.hidden(x, h)) * c
        c = kept + self.plain(x, h)
        return dict(h=sluice.tanh(self.mixed(c)) - self.lone(x), c=c)


def test_odd_cells() -> None:
    assert format_preactivations(Odd()) == {
        "plain": "W_{i,plain} x_t + b_{i,plain} + W_{h,plain} h_{t-1} + b_{h,plain}",
        "lone": "W_{i,lone} x_t + b_{i,lone}",
        "hidden": "W_ih x_t + b_ih + W_hh h_{t-1} + b_hh",
        "mixed": "W_mixed c_t + b_mixed",
    }


def test_an_instrumented_graph_names_more_values_and_computes_no_more() -> None:
    graph = CELLS["gru"]().graph
    more = instrument_graph(graph, pre=True, maps=True)
    assert set(more.nodes) == set(graph.nodes) and more.parameters == graph.parameters
    assert list(more.outputs_by_name)[:4] == list(graph.outputs_by_name)
    for one in find_learned_maps(graph):
        assert more.outputs_by_name[one.result] is one.affine
        assert more.outputs_by_name[one.operand] is one.affine.operand
