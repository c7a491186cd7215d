"""Sketches with numbers: colours, openings, signs, and cells that are hard to draw."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from cell_list import CELLS
from sluice import Cell, Gate, Mask, sigmoid, tanh
from sluice.cells import LSTM
from sluice.render.sketch import build_layout, draw_series, draw_sketch
from sluice.render.theme import THEMES

VALUES = {"forget": 0.75, "input": 0.0, "candidate": -1.0, "c": 2.0, "c before": -2.0, "h": 0.5}


class Arithmetic(Cell):
    """Differences and a quotient of two values each."""

    write, scale = Gate(), Gate()

    def step(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        a, s = tanh(self.write(x, h)), sigmoid(self.scale(x, h))
        return dict(h=(a - c) / s, c=c - a, a=a, s=s)


class Delay(Cell):
    """States that are shifted into each other."""

    write = Gate()

    def step(self, x: Any, h: Any, m: Any, n: Any) -> dict[str, Any]:
        return dict(h=m, m=n, n=tanh(self.write(x, h)))


class Masked(Cell):
    """A mask and a vector's function, returned as they are."""

    write, noise = Gate(), Mask(rate=0.3)

    def step(self, x: Any, h: Any, noise: Any) -> dict[str, Any]:
        return dict(h=noise * tanh(self.write(x, h)), noise=noise, rest=1.0 - noise)


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("theme", THEMES)
def test_numbers_colours_and_openings(theme: str) -> None:
    figure = draw_sketch(LSTM().graph, theme, values=VALUES, title="step 12")
    labels = texts(figure)
    assert {"$0.75$", "$0.00$", "$-1.00$", "$2.00$", "$-2.00$", "$0.50$", "step 12"} <= set(labels)
    assert "$-2$" in labels and "$2$" in labels  # the scale's ends
    lines, inks = figure.axes[0].lines, THEMES[theme].ink
    coloured = {line.get_color() for line in lines} - {inks}
    assert len(coloured) == 6  # one for each value
    boxes = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    filled = [b for b in boxes if b.get_facecolor()[:3] != (0, 0, 0) and b.get_clip_path()]
    heights = [b.get_height() / 2.3 for b in filled if abs(b.get_width() - 3.4) < 1e-9]
    assert heights == pytest.approx([0.75, 0.0])  # forget and input; the output is not known


def test_values_of_another_cell_are_refused() -> None:
    with pytest.raises(KeyError, match=r"has no value 'update'; its values are h, c, .*, c before"):
        draw_sketch(LSTM().graph, values={"update": 0.3})
    with pytest.raises(ValueError, match="must be finite, got nan for 'forget'"):
        draw_sketch(LSTM().graph, values={"forget": float("nan")})
    with pytest.raises(ValueError, match="theme must be 'light' or 'dark'"):
        draw_sketch(LSTM().graph, "blue")


@pytest.mark.parametrize(
    "cell",
    [*(CELLS[n] for n in ("elman", "lstm", "gru", "slstm-exponential")), Arithmetic, Delay, Masked],
)
def test_numbers_overlap_nothing(cell: Any) -> None:
    graph = cell().graph
    names = [*graph.outputs_by_name, *(f"{state.name} before" for state in graph.states)]
    figure = draw_sketch(graph, values=dict.fromkeys(names, -0.12), title="title")
    renderer: Any = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    page = figure.get_window_extent(renderer)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 for b in boxes)


def test_the_subtrahend_and_the_divisor_are_marked() -> None:
    graph = Arithmetic().graph
    found = build_layout(graph)
    marks = [label for label in found.labels if label.small]
    assert sorted(mark.text for mark in marks) == ["+", "+", "-", "-", r"\div"]
    a, c = graph.outputs_by_name["a"], graph.state_leaves[1]
    parts = [part for part in found.placement.positions if part.label == "-"]
    assert {part.inputs for part in parts} == {(a, c), (c, a)}
    for part in parts:
        spot = found.placement.positions[part]
        for net, sign in zip(part.inputs, ("+", "-"), strict=True):
            wire = next(w for w in found.wires if w.net == net and w.points[-1] == (spot.x, spot.y))
            (x, y), (u, v) = wire.points[-2:]
            direction = ((u > x) - (u < x), (v > y) - (v < y))
            entry = (u - 1.8 * direction[0], v - 1.8 * direction[1])
            near = min(
                marks,
                key=lambda m, e=entry: sum(
                    abs(p - q) for p, q in zip(m.box.middle, e, strict=True)
                ),
            )
            assert near.text == sign


def test_a_delay_line_is_drawn() -> None:
    found = build_layout(Delay().graph)
    ends = {wire.net: wire.points[-1] for wire in found.wires if wire.arrow}
    rails, leaves = found.placement.rails, Delay().graph.state_leaves
    assert ends[leaves[1]][1] == rails["h"] and ends[leaves[2]][1] == rails["m"]


def test_returned_inputs_are_labelled() -> None:
    found = texts(draw_sketch(Masked().graph))
    assert {r"$\mathrm{noise}_{t}\ \mathrm{given}$"} < set(found)
    assert any(text.startswith(r"$\mathrm{rest}_{t} = ") for text in found)


def test_steps_come_with_their_equations() -> None:
    figures = draw_series(LSTM().graph)
    equations = [[text for text in texts(figure) if " = " in text] for figure in figures]
    assert [[line[1] for line in lines] for lines in equations] == [
        ["f"], ["i", "\\"], ["c"], ["o", "h"],
    ]  # fmt: skip
    assert equations[2] == [r"$c_{t} = f_{t} \odot c_{t-1} + i_{t} \odot \tilde{c}_{t}$"]
    assert len({tuple(figure.get_size_inches()) for figure in figures}) == 1
