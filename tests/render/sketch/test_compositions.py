"""Several units in a picture: side by side, unrolled, stacked, in two directions."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sluice import Cell, Gate, tanh
from sluice.cells import GRU, LSTM, Elman
from sluice.cells.registry import list_cells
from sluice.render.picture import PictureError
from sluice.render.sketch import (
    build_layout,
    draw_series,
    draw_side_by_side,
    draw_sketch,
    draw_stack,
    draw_unrolled,
)


class Long(Cell):
    """Too many operations for a part for each."""

    write = Gate()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        a = tanh(self.write(x, h))
        for k in range(70):
            a = tanh(a * h + float(k))
        return {"h": a}


PICTURES = {
    "side by side": lambda: draw_side_by_side([k().graph for k in (Elman, GRU, LSTM)], output=True),
    "unrolled": lambda: draw_unrolled(LSTM().graph, 3, output=True),
    "stack": lambda: draw_stack(GRU().graph, 2, output=True),
    "two directions": lambda: draw_stack(LSTM().graph, 2, bidirectional=True),
    "dark, German": lambda: draw_sketch(LSTM().graph, "dark", output=True, language="de"),
}


def read_texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("name", PICTURES)
def test_no_texts_overlap_or_leave_the_page(name: str) -> None:
    figure = PICTURES[name]()
    renderer: Any = FigureCanvasAgg(figure).get_renderer()
    page = figure.get_window_extent(renderer)
    boxes = [(text, text.get_window_extent(renderer)) for text in figure.axes[0].texts]
    for (one, box), (other, second) in combinations(boxes, 2):
        assert not box.overlaps(second), (one.get_text(), other.get_text())
    for text, box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()


def test_side_by_side_is_at_one_scale_and_on_one_line() -> None:
    figure = PICTURES["side by side"]()
    outlines = [p for p in figure.axes[0].patches if p.get_zorder() == 0]
    assert len(outlines) == 3
    assert len({outline.get_bbox().y0 for outline in outlines}) == 1
    alone = [build_layout(kind().graph).box for kind in (Elman, GRU, LSTM)]
    for outline, box in zip(outlines, alone, strict=True):
        assert outline.get_width() == box.right - box.left
    texts = read_texts(figure)
    assert [text for text in texts if text in ("Elman", "GRU", "LSTM")] == ["Elman", "GRU", "LSTM"]
    assert texts.count(r"$y_{t} = \mathrm{softmax}(V\,h_{t} + b)$") == 3


def test_an_unrolled_cell_hands_on_its_states() -> None:
    texts = read_texts(draw_unrolled(LSTM().graph, 4, output=True))
    assert texts.count("LSTM") == 3  # and the inside of one
    steps = {"-1": "t-1", "0": "t", "1": "t+1", "2": "t+2"}
    for symbol in "xy":
        assert {f"${symbol}_{{{step}}}$" for step in steps.values()} <= set(texts)
    for state in "hc":  # before the first, between the four, after the last
        assert {f"${state}_{{{step}}}$" for step in ("t-2", *steps.values())} <= set(texts)
    assert f"$h_{{{'t+3'}}}$" not in texts
    for state in ("h", "c"):
        assert texts.count(f"${state}_{{t-1}}$") == 1


def test_a_stack_names_the_states_of_its_layers() -> None:
    texts = read_texts(draw_stack(LSTM().graph, 3))
    for layer in (1, 2, 3):
        assert {f"$c_{{t-1}}^{{({layer})}}$", f"$h_{{t}}^{{({layer})}}$"} <= set(texts)
        assert f"Layer {layer}" in texts
    assert texts.count("$x_{t}$") == 1 and texts.count("forget gate") == 3


def test_the_backward_direction_is_a_mirror_image_of_t_plus_1() -> None:
    figure = draw_stack(GRU().graph, 1, bidirectional=True)
    texts = set(read_texts(figure))
    forward, backward = r"\overrightarrow{h}", r"\overleftarrow{h}"
    assert {f"${forward}_{{t-1}}$", f"${backward}_{{t+1}}$"} <= texts
    assert f"${backward}_{{t-1}}$" not in texts
    xs = {text.get_text(): text.get_position()[0] for text in figure.axes[0].texts}
    assert xs[f"${forward}_{{t-1}}$"] < xs[f"${forward}_{{t}}$"]
    assert xs[f"${backward}_{{t}}$"] < xs[f"${backward}_{{t+1}}$"]


def test_a_reverse_layer_reads_the_next_step() -> None:
    for figure in (
        draw_sketch(LSTM().graph, reverse=True),
        *draw_series(GRU().graph, reverse=True),
    ):
        assert not any("t-1" in text for text in read_texts(figure))
        assert any("h_{t+1}" in text for text in read_texts(figure))


def test_a_series_has_a_step_that_stands_out() -> None:
    widths, quiet = [], []
    for figure in draw_series(LSTM().graph):
        lines = figure.axes[0].lines
        strong = [line for line in lines if line.get_linewidth() > 2]
        widths.append(len(strong))
        assert {line.get_color() for line in strong} == {"#1a1a1a"}
        colours = {line.get_color() for line in lines} - {"#1a1a1a", "#d9d9d9"}
        quiet.append(len(colours))
    assert min(widths) >= 1 and quiet == [0, 1, 1, 1]


def test_a_layer_norm_over_all_gates_is_one_bar() -> None:
    found = list_cells()["LayerNormLSTM"]
    texts = read_texts(draw_sketch(found().graph))
    assert texts.count("layer norm") == 1 and texts.count(r"$\mathrm{LN}$") == 1


def test_what_cannot_be_drawn_is_refused() -> None:
    for draw in (draw_unrolled, draw_stack):
        with pytest.raises(PictureError, match="Long is too intricate"):
            draw(Long().graph)
    with pytest.raises(PictureError, match="2 to 9 steps in a row, got 1"):
        draw_unrolled(LSTM().graph, 1)
    with pytest.raises(PictureError, match="1 to 6 layers, got 0"):
        draw_stack(LSTM().graph, 0)
    with pytest.raises(PictureError, match="got 1 cells and 2 titles"):
        draw_side_by_side([LSTM().graph], titles=["a", "b"])
    with pytest.raises(ValueError, match="language must be 'en' or 'de', got 'fr'"):
        draw_sketch(LSTM().graph, language="fr")
