"""Sketches of cells of the literature: drawn in full where wires find a way, else as blocks."""

from __future__ import annotations

import random
import re
from collections import Counter
from itertools import combinations, pairwise
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import published_gated as gated
import published_others as others
from long_cells import LONG_CELLS
from random_graphs import draw_graph
from sampling import thin_out
from sluice import Cell, Gate, Vector, sigmoid, tanh
from sluice.cells import JANET, LEM
from sluice.cells.registry import list_cells
from sluice.equations import Graph
from sluice.render.latex import format_equations
from sluice.render.picture import encode_figure
from sluice.render.sketch import animate_sketch, build_layout, draw_series, draw_sketch
from sluice.render.sketch.layout import Layout, _build_blocks

PUBLISHED = {**list_cells(), **{cell.__name__: cell for cell in (*gated.GATED, *others.OTHERS)}}
HARD = (
    "Delay1",
    "Delay2",
    "Delay3",
    "PlainMinLSTM",
    "JANET",
    "MCLSTM",
    "LEM",
    "CoRNN",
    "Clockwork",
)
BLOCKS = {"RWKV": others.RWKV().graph, "NARX": others.NARX().graph}
BLOCKS |= {name: graph for name, graph in LONG_CELLS.items() if name not in ("3 shared", "doubles")}


def check_labels(found: Layout, graph: Graph) -> None:
    """Every value has a label, none of them above another, all of them on the page."""
    names = {label.name for label in found.labels}
    boxed = {part.label for part in found.placement.positions if part.kind in ("layer", "block")}
    notation = found.placement.elements.writer.notation
    for name in graph.outputs_by_name:
        symbol = notation.value(name).latex
        assert name in names or any(symbol in label.split(" = ") for label in boxed)
    read = {operand for node in graph.nodes for operand in node.operands}
    read |= {graph.outputs_by_name[state.name] for state in graph.states}
    for leaf in graph.state_leaves:
        assert (f"{leaf.name} before" in names) == (leaf in read)


def check_texts(graph: Graph, **values: Any) -> None:
    figure = draw_sketch(graph, **values)
    renderer: Any = FigureCanvasAgg(figure).get_renderer()
    texts = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert not any(one.overlaps(other) for one, other in combinations(texts, 2))
    page = figure.get_window_extent(renderer)
    assert all(page.x0 <= t.x0 and t.x1 <= page.x1 for t in texts)
    assert all(page.y0 <= t.y0 and t.y1 <= page.y1 for t in texts)


def check_stretches(found: Layout) -> None:
    """No two values share a stretch of wire."""
    owner: dict[Any, Any] = {}
    for wire in found.wires:
        for (x, y), (u, v) in pairwise(wire.points):
            assert x == u or y == v
            length = abs(u - x) + abs(v - y)
            line = [(x + (u - x) * k // length, y + (v - y) * k // length) for k in range(length)]
            for stretch in map(frozenset, pairwise(line)):
                assert owner.setdefault(stretch, wire.net) == wire.net


@pytest.mark.parametrize("name", HARD)
def test_small_cells_are_drawn_in_full(name: str) -> None:
    graph = PUBLISHED[name]().graph
    found = build_layout(graph)
    assert not found.is_simplified
    check_labels(found, graph)
    check_stretches(found)
    check_texts(graph)


@pytest.mark.parametrize("name", PUBLISHED)
def test_equations_of_published_cells(name: str) -> None:
    graph = PUBLISHED[name]().graph
    lines = format_equations(graph).lines
    assert {line.name for line in lines if line.name} == set(graph.outputs_by_name)
    assert len({line.left.latex for line in lines}) == len(lines)


@pytest.mark.parametrize("name", thin_out(BLOCKS, 2))
def test_others_are_drawn_as_blocks(name: str) -> None:
    graph = BLOCKS[name]
    found = build_layout(graph)
    assert found.is_simplified
    check_labels(found, graph)
    check_stretches(found)
    spots = found.placement.positions
    for one, other in combinations(spots.values(), 2):
        apart = abs(one.x - other.x) >= one.half_width + other.half_width
        assert apart or abs(one.y - other.y) >= one.half_height + other.half_height
    ends = Counter(wire.points[-1] for wire in found.wires if not wire.arrow)
    for part, spot in spots.items():
        assert ends[spot.x, spot.y] == 1  # one line leads to a box, ...
        leads = {w.points[0] for w in found.wires if w.points[-1] == (spot.x, spot.y)}
        ((column, _),) = leads
        for read in part.inputs:  # ... and what the box reads reaches that line
            wires = [w for w in found.wires if w.net is read]
            points = {w.points[-1] for w in wires if w.points[0][1] == w.points[-1][1]}
            assert (spot.x, spot.y) in points or any(x == column for x, _ in points)
    assert {w.net for w in found.wires if w.arrow} == {
        graph.outputs_by_name[state.name] for state in graph.states
    }


def test_texts_of_blocks_overlap_nothing() -> None:
    graph = others.RWKV().graph
    names = [*graph.outputs_by_name, *(f"{state.name} before" for state in graph.states)]
    check_texts(graph)
    check_texts(graph, values=dict.fromkeys(names, -0.12), title="step 3", theme="dark")


def test_blocks_are_revealed_and_animated() -> None:
    graph = BLOCKS["NARX"]
    captions = [text.get_text() for text in draw_series(graph)[-1].axes[0].texts]
    assert any("simplified" in caption for caption in captions)
    assert any(caption.startswith("$h_{t} = ") for caption in captions)
    assert b"prefers-reduced-motion" in animate_sketch(graph)
    assert encode_figure(draw_sketch(graph), "svg") == encode_figure(draw_sketch(graph), "svg")


def test_a_page_finds_the_boxes_of_values() -> None:
    written = encode_figure(draw_sketch(others.RWKV().graph), "svg").decode()
    assert {'id="label-top"', 'id="label-a"', 'id="label-top before"'} <= set(
        re.findall(r'id="label-[^"]*"', written)
    )


def find_labels(cell: Cell) -> set[str]:
    return {part.label for part in build_layout(cell.graph).placement.positions}


def test_labels_say_where_the_value_goes() -> None:
    assert r"1 - \sigma(\cdot - 1)" in find_labels(JANET())
    assert r"\tanh(\cdot + b_{\mathrm{gate},h})" in find_labels(gated.FastGRNN())
    assert r"0.05\,W" in find_labels(gated.SCRN())
    assert r"\sigma(-W)" in find_labels(others.ClosedForm())
    assert not any("1.0" in label or label == "=" for label in find_labels(LEM()))


def test_states_that_nothing_reads_have_no_name() -> None:
    names = {label.name for label in build_layout(gated.MCLSTM().graph).labels}
    assert "m before" in names and "h before" not in names and "h" in names


def test_values_that_nothing_reads_have_their_names() -> None:
    graph = others.Unread().graph
    check_labels(build_layout(graph), graph)
    check_texts(graph)


def test_a_factor_of_one_is_no_part() -> None:
    class Plain(Cell):
        keep, write = Gate(), Gate()
        scale = 1.0

        def step(self, x: Any, h: Any) -> dict[str, Any]:
            k = self.scale * sigmoid(self.keep(x, h))
            new = self.scale * (k * h) + (1 - k) * (tanh(self.write(x, h)) / self.scale)
            return dict(h=new, k=k)

    parts = build_layout(Plain().graph).placement.positions
    kinds = Counter(part.label for part in parts if part.kind != "join")
    assert kinds == {r"\sigma": 1, r"\tanh": 1, "1 -": 1, r"\times": 2, "+": 1}


def test_wide_names_fit_the_page() -> None:
    check_texts(gated.PhasedKeep().graph)


def test_paths_of_a_state_are_not_counted_one_by_one() -> None:
    class Ladder(Cell):
        write = Gate()

        def step(self, x: Any, h: Any) -> dict[str, Any]:
            g = tanh(self.write(x, h))
            for _ in range(32):  # four thousand million ways from h to h
                h = h * g + tanh(h)
            return dict(h=h)

    assert build_layout(Ladder().graph).labels


class Fixed(Cell):
    """States that are set to what neither the input nor a state reaches."""

    write, level, offset = Gate(), Vector(), Vector()

    def step(self, x: Any, h: Any, a: Any, b: Any) -> dict[str, Any]:
        return dict(h=tanh(self.write(x, h) + a * b), a=tanh(self.level), b=self.offset)


def test_states_that_are_set_to_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Fixed().graph
    found = build_layout(graph)
    assert r"\tanh(\mathrm{level})" in {part.label for part in found.placement.positions}
    blocks = _build_blocks(graph, {})
    for layout in (found, blocks):
        arrows = {wire.net for wire in layout.wires if wire.arrow}
        assert arrows == {graph.outputs_by_name[state.name] for state in graph.states}
    monkeypatch.setattr("sluice.render.sketch.layout._route", lambda _: None)
    check_texts(graph)


@pytest.mark.parametrize("first", thin_out([0, 20], 2))
def test_random_graphs(first: int) -> None:
    for seed in range(first, first + 20):
        graph = draw_graph(random.Random(seed), "Drawn")
        check_labels(build_layout(graph), graph)
        lefts = [line.left.latex for line in format_equations(graph).lines]
        assert len(set(lefts)) == len(lefts)
