"""Sketches: their parts, their layout, and that nothing overlaps."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cell_list import CELLS
from sampling import thin_out
from sluice.cells import GRU, LSTM, Elman, PeepholeLSTM
from sluice.equations import Graph
from sluice.render.picture import FORMATS, encode_figure
from sluice.render.sketch import build_layout, draw_series, draw_sketch
from sluice.render.sketch.layout import Layout


@cache
def build_net(name: str) -> Layout:
    return build_layout(CELLS[name]().graph)


def find_parts(graph: Graph) -> Counter[tuple[str, str]]:
    parts = build_layout(graph).placement.positions
    return Counter((part.kind, part.label) for part in parts if part.kind != "join")


def test_the_usual_cells_show_one_part_for_each_operation() -> None:
    times, plus = ("circle", r"\times"), ("circle", "+")
    assert find_parts(LSTM().graph) == {
        ("layer", r"\sigma"): 3, ("layer", r"\tanh"): 1, ("pointwise", r"\tanh"): 1,
        times: 3, plus: 1,
    }  # fmt: skip
    assert find_parts(GRU().graph) == {
        ("layer", r"\sigma"): 2, ("layer", r"\tanh"): 1, ("layer", "W_{hh}"): 1,
        ("circle", "1 -"): 1, times: 3, plus: 1,
    }  # fmt: skip
    assert find_parts(Elman().graph) == {("layer", r"\tanh"): 1}
    assert find_parts(PeepholeLSTM().graph)["pointwise", r"\times\,p_{o}"] == 1


@pytest.mark.parametrize("name", thin_out(CELLS, 2))
def test_states_run_straight_and_every_value_has_a_label(name: str) -> None:
    found, graph = build_net(name), CELLS[name]().graph
    where = {label.name: label.box.middle for label in found.labels}
    assert {"x", *graph.outputs_by_name, *(f"{s.name} before" for s in graph.states)} <= set(where)
    for state in graph.states:
        assert where[state.name][1] == where[f"{state.name} before"][1]
        on_rail = [found.placement.positions[part] for part in found.placement.spines[state.name]]
        assert {spot.y for spot in on_rail} <= {found.placement.rails[state.name]}
        assert [s.x for s in on_rail] == sorted(s.x for s in on_rail)


@pytest.mark.parametrize("name", thin_out(CELLS, 3))
def test_no_parts_overlap(name: str) -> None:
    figure = draw_sketch(CELLS[name]().graph)
    renderer: Any = FigureCanvasAgg(figure).get_renderer()
    texts = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert not any(one.overlaps(other) for one, other in combinations(texts, 2))
    spots = build_net(name).placement.positions.values()
    for one, other in combinations(spots, 2):
        apart = abs(one.x - other.x) >= one.half_width + other.half_width
        assert apart or abs(one.y - other.y) >= one.half_height + other.half_height


@pytest.mark.parametrize("name", CELLS)
def test_wires_lead_from_what_yields_a_value_and_share_no_stretch(name: str) -> None:
    found = build_net(name)
    of, spots = found.placement.elements.by_value, found.placement.positions
    owner: dict[frozenset[tuple[int, int]], object] = {}
    for wire in found.wires:
        assert all(x == u or y == v for (x, y), (u, v) in pairwise(wire.points))
        if wire.net in of:
            spot = spots[of[wire.net]]
            assert wire.points[0] == (spot.x, spot.y)
        for (x, y), (u, v) in pairwise(wire.points):
            length = abs(u - x) + abs(v - y)
            line = [
                (x + (u - x) * k // length, y + (v - y) * k // length) for k in range(length + 1)
            ]
            for stretch in map(frozenset, pairwise(line)):
                assert owner.setdefault(stretch, wire.net) == wire.net
    ends = Counter(wire.points[-1] for wire in found.wires if not wire.arrow)
    for spot in spots.values():
        read = [n for n in spot.element.inputs if isinstance(n, tuple) or not _parameter(found, n)]
        assert ends[spot.x, spot.y] == len(read)


def _parameter(found: Layout, net: Any) -> bool:
    return found.placement.elements.is_parameter(net)


def test_an_lstm_is_revealed_as_forget_input_update_output() -> None:
    steps = build_layout(LSTM().graph).placement.steps
    assert [sorted(step) for step in steps] == [
        ["forget"], ["candidate", "input"], ["c"], ["h", "output"],
    ]  # fmt: skip
    faint = [
        sum(line.get_color() == "#d9d9d9" for line in figure.axes[0].lines)
        for figure in draw_series(LSTM().graph)
    ]
    assert faint == sorted(faint, reverse=True) and faint[0] > 0 and faint[-1] == 0


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_same_bytes_every_time(ending: str, theme: str) -> None:
    first, second = (encode_figure(draw_sketch(Elman().graph, theme), ending) for _ in range(2))
    assert first == second
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
    assert first.startswith(starts[ending])
