"""A sketch that a page fills with numbers."""

from xml.etree import ElementTree

import pytest

from sluice.cells import GRU, LSTM, SLSTM, Elman, MinLSTM, NASCell, PeepholeLSTM
from sluice.equations.graph import Elementwise
from sluice.render.sketch import draw_interactive_sketch


def read(cell):
    graph = cell().graph
    root = ElementTree.fromstring(draw_interactive_sketch(graph))
    found = {}
    for element in root.iter():
        for kind in (element.get("class") or "").split():
            found.setdefault(kind, []).append(element)
    return graph, root, found


@pytest.mark.parametrize("cell", [LSTM, GRU, SLSTM, MinLSTM, PeepholeLSTM, Elman])
def test_every_named_value_has_a_number(cell):
    graph, _, found = read(cell)
    numbers = {int(one.get("data-net")) for one in found["number"]}
    assert numbers >= {graph.nodes.index(node) for _, node in graph.outputs}


def test_the_gates_of_an_lstm_are_valves_on_what_they_gate():
    graph, _, found = read(LSTM)
    named = {graph.nodes.index(node): name for name, node in graph.outputs}
    assert sorted(named[int(v.get("data-gate"))] for v in found["valve"]) == [
        "forget",
        "input",
        "output",
    ]
    for valve in found["valve"]:
        product = graph.nodes[int(valve.get("data-net"))]
        assert isinstance(product, Elementwise)
        assert product.op == "multiply"
    assert {named[int(one.get("data-net"))] for one in found["level"]} == {
        "forget",
        "input",
        "output",
    }


def test_a_gru_opens_one_valve_by_a_gate_and_one_by_its_complement():
    graph, _, found = read(GRU)
    ops = sorted(graph.nodes[int(v.get("data-gate"))].op for v in found["valve"])
    assert ops == ["sigmoid", "sigmoid", "subtract"]


def test_normalised_gates_are_valves():
    _, _, found = read(MinLSTM)
    assert len(found["valve"]) == 2


@pytest.mark.parametrize("cell", [LSTM, NASCell])
def test_valves_and_numbers_lie_within_the_drawing(cell):
    _, root, found = read(cell)
    _, _, width, height = map(float, root.get("viewBox").split())
    for element, x, y in [(v, "data-x", "data-y") for v in found.get("valve", [])] + [
        (n, "x", "y") for n in found["number"]
    ]:
        assert 0 < float(element.get(x)) < width
        assert 0 < float(element.get(y)) < height


def test_a_page_with_a_strict_policy_can_show_it():
    _, root, _ = read(LSTM)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not names & {"style", "script", "metadata", "image"}
    assert not any("style" in element.attrib for element in root.iter())


def test_the_same_cell_gives_the_same_sketch():
    assert draw_interactive_sketch(LSTM().graph) == draw_interactive_sketch(LSTM().graph)
