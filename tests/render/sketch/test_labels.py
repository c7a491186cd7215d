"""Labels as matplotlib measures them: within their shapes, clear of dots, arrowheads and edges."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Circle, Ellipse, FancyBboxPatch, Polygon

from sampling import thin_out
from sluice import Cell, Gate, sigmoid, tanh
from sluice.cells.registry import list_cells
from sluice.render.sketch import build_layout, draw_sketch


class Six(Cell):
    """Six gates, two states."""

    forget, input, candidate, output, reset, mix = (Gate() for _ in range(6))

    def step(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        r, f, i = sigmoid(self.reset(x, h)), sigmoid(self.forget(x, h)), sigmoid(self.input(x, h))
        m, g, o = (
            sigmoid(self.mix(x, h)),
            tanh(self.candidate(x, r * h)),
            sigmoid(self.output(x, h)),
        )
        c = f * c + i * g
        h = m * h + (1 - m) * o * tanh(c)
        gates = {"forget": f, "input": i, "candidate": g, "output": o, "reset": r, "mix": m}
        return {"h": h, "c": c, **gates}


class LongNames(Cell):
    """Names as long as a careful author's."""

    attention_to_the_past, willingness_to_write, proposal, readout_strength = (
        Gate() for _ in range(4)
    )

    def step(self, x: Any, representation: Any, slow_memory_trace: Any) -> dict[str, Any]:
        a = sigmoid(self.attention_to_the_past(x, representation))
        w = sigmoid(self.willingness_to_write(x, representation))
        p = tanh(self.proposal(x, representation))
        c = a * slow_memory_trace + w * p
        r = sigmoid(self.readout_strength(x, representation))
        named = {"attention_to_the_past": a, "willingness_to_write": w, "proposal": p}
        return {
            "representation": r * tanh(c),
            "slow_memory_trace": c,
            "readout_strength": r,
            **named,
        }


GALLERY = list_cells()
# Every eighth one of the gallery, and those whose labels have little room.
CROWDED = ("LSTM", "GRU", "SLSTM", "MinLSTM", "DeltaNet", "MUT1", "LayerNormGRU")
SAMPLE = {name: GALLERY[name] for name in dict.fromkeys((*list(GALLERY)[::8], *CROWDED))}


def _is_shape(patch: Any) -> bool:
    return isinstance(patch, Ellipse | FancyBboxPatch) and not isinstance(patch, Circle)


@pytest.mark.parametrize("kind", thin_out([*SAMPLE.values(), Six, LongNames], 2))
def test_labels_stay_within_their_shapes_and_clear_of_dots_and_heads(kind: type[Cell]) -> None:
    figure = draw_sketch(kind().graph)
    renderer: Any = FigureCanvasAgg(figure).get_renderer()
    (axes,) = figure.axes
    shapes = [p for p in axes.patches if _is_shape(p)]
    marks = [p for p in axes.patches if isinstance(p, Circle | Polygon)]
    outline = shapes[0].get_window_extent(renderer)
    assert outline.width == max(shape.get_window_extent(renderer).width for shape in shapes)
    parts = [shape.get_window_extent(renderer) for shape in shapes[1:]]
    small = [mark.get_window_extent(renderer) for mark in marks]
    held = 0
    for text in axes.texts:
        box = text.get_window_extent(renderer)
        middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        around = [part for part in parts if part.contains(*middle)]
        for part in around:
            held += 1
            assert part.x0 + 2 < box.x0 and box.x1 < part.x1 - 2, text.get_text()
        if not around:
            assert not any(part.overlaps(box.padded(-1.5)) for part in parts), text.get_text()
        assert not any(mark.overlaps(box.padded(-1.0)) for mark in small), text.get_text()
        across = box.x0 < outline.x1 < box.x1 and outline.y0 < middle[1] < outline.y1
        is_end = text.get_text().startswith("$") and middle[0] > outline.x1 - 45
        assert not across or is_end, text.get_text()
    elements = build_layout(kind().graph).placement.positions
    assert held >= sum(element.kind != "join" for element in elements)
