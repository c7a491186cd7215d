"""Draw the pictures of docs/equations-and-sketches.md: python examples/sketches.py [FOLDER]."""

import sys
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

import sluice
from sluice import Cell, Gate, Map, State, Vector, exp, maximum, sigmoid, tanh
from sluice.cells import GRU, LSTM, Elman, LayerNormLSTM
from sluice.files import write_atomically
from sluice.render import typeset_equations
from sluice.render.picture import save_figure
from sluice.render.sketch import (
    animate_sketch,
    draw_blanks,
    draw_series,
    draw_side_by_side,
    draw_sketch,
    draw_stack,
    draw_stroke_sheet,
    draw_unrolled,
)


class Leaky(Cell):
    """A leaky tanh unit: a gate mixes the old state and the candidate."""

    leak, candidate = Gate(), Gate()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        k = sigmoid(self.leak(x, h))  # how much to keep
        g = tanh(self.candidate(x, h))  # what to write
        return {"h": k * h + (1 - k) * g, "leak": k, "candidate": g}


class RWKV(Cell):
    """Time mixing of RWKV-4 (Peng et al. 2023), with its stabiliser."""

    r, k, v, out = (Map(bias=False) for _ in range(4))
    mix_r, mix_k, mix_v = (Vector(width="input") for _ in range(3))
    w, u = Vector(), Vector()
    before, top = State(width="input"), State(initial=-1e38)

    def step(self, x: Any, h: Any, a: Any, b: Any, top: Any, before: Any) -> dict[str, Any]:
        r = self.r(x * self.mix_r + before * (1 - self.mix_r))
        k = self.k(x * self.mix_k + before * (1 - self.mix_k))
        v = self.v(x * self.mix_v + before * (1 - self.mix_v))
        high = maximum(top, self.u + k)
        old, new = exp(top - high), exp(self.u + k - high)
        y = sigmoid(r) * (old * a + new * v) / (old * b + new)
        decayed = top - exp(self.w)
        high = maximum(decayed, k)
        old, new = exp(decayed - high), exp(k - high)
        return {
            "h": self.out(y),
            "a": old * a + new * v,
            "b": old * b + new,
            "top": high,
            "before": x,
        }


def record_lstm() -> Figure:
    """An LSTM with a large forget bias, at one step of a slow signal."""
    torch.manual_seed(0)
    layer = sluice.nn.LSTM(1, 16, forget_bias=2.0).double()  # the same picture on every machine
    with torch.no_grad(), sluice.record(layer) as tape:
        layer(torch.linspace(0, 12, 40).double().sin().reshape(-1, 1, 1) * 3)
    return sluice.insight.sketch_recorded(tape, step=12, unit=3)


def main(folder: Path) -> None:
    """Write every picture of the page into ``folder``."""
    save_figure(draw_sketch(LSTM().graph, output=True), folder / "lstm.svg")
    save_figure(typeset_equations(LSTM().graph), folder / "lstm-equations.svg")
    save_figure(draw_series(LSTM().graph)[1], folder / "lstm-input.svg")
    write_atomically(folder / "lstm-moving.svg", animate_sketch(LSTM().graph))
    save_figure(record_lstm(), folder / "lstm-values.svg")
    save_figure(draw_sketch(GRU().graph), folder / "gru.svg")
    save_figure(draw_sketch(Leaky().graph), folder / "leaky.svg")
    save_figure(draw_sketch(RWKV().graph), folder / "rwkv.svg")
    three = [kind().graph for kind in (Elman, GRU, LSTM)]
    save_figure(draw_side_by_side(three), folder / "elman-gru-lstm.svg")
    save_figure(draw_unrolled(LSTM().graph, 3, output=True), folder / "lstm-unrolled.svg")
    save_figure(draw_stack(LSTM().graph, 2, output=True), folder / "lstm-stack.svg")
    save_figure(draw_stack(GRU().graph, 1, bidirectional=True), folder / "gru-two-directions.svg")
    save_figure(draw_sketch(LayerNormLSTM().graph), folder / "layer-norm-lstm.svg")
    save_figure(draw_stroke_sheet(LSTM().graph, output=True)[0], folder / "lstm-strokes.svg")
    save_figure(draw_blanks(LSTM().graph)[0], folder / "lstm-blanks.svg")
    save_figure(typeset_equations(Leaky().graph), folder / "leaky-equations.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent.parent / "docs" / "pictures")
