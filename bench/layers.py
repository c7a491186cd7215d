"""Layers beside torch's, in one run: inference, and training (forward and back).

    python bench/layers.py [lstm gru elman layer-norm] [--shapes 128x64x512 …]

GFLOP/s count the matrix products: 2·T·B·(I + H)·gates·H, three times that for training.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from limits import peak
from paired import Report, paired
from torch import Tensor, nn

import sluice

SHAPES = ("128x64x512", "128x64x256", "256x16x128", "256x1x128")
Made = Callable[[int], nn.Module]


class LoopedLayerNormLSTM(nn.Module):
    """The layer-norm LSTM (Ba et al. 2016) as one writes it with torch: a loop over the steps."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.of_x, self.of_h = nn.Linear(size, 4 * size), nn.Linear(size, 4 * size)
        self.norm_x, self.norm_h = nn.LayerNorm(4 * size), nn.LayerNorm(4 * size)
        self.norm_c = nn.LayerNorm(size)

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        h = c = x.new_zeros(x.shape[1:])
        outputs = []
        for projected in self.norm_x(self.of_x(x)):
            gates = projected + self.norm_h(self.of_h(h))
            i, f, g, o = gates.chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * self.norm_c(c).tanh()
            outputs.append(h)
        return torch.stack(outputs), (h, c)


CELLS: dict[str, tuple[int, Made | None, Made]] = {
    "lstm": (4, lambda n: nn.LSTM(n, n), lambda n: sluice.nn.LSTM(n, n)),
    "gru": (3, lambda n: nn.GRU(n, n), lambda n: sluice.nn.GRU(n, n)),
    "elman": (1, lambda n: nn.RNN(n, n), lambda n: sluice.nn.RNN(n, n)),
    "layer-norm": (
        4,
        LoopedLayerNormLSTM,
        lambda n: sluice.nn.Recurrent(sluice.cells.LayerNormLSTM, n, n),
    ),
}
"""Gates, torch's module, ours."""
COLUMNS = ["cell", "T×B×H", "", "torch", "fp32", "×", "bf16", "×", "int8", "×"]


def main() -> None:
    """Measure, show, keep."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("cells", nargs="*", default=list(CELLS))
    asked.add_argument("--shapes", nargs="*", default=list(SHAPES))
    asked.add_argument("--name", default="layers")
    wanted = asked.parse_args()
    limits = {name: peak(name) for name in ("float32", "bfloat16", "int8")}
    told = ", ".join(f"{k} {v / 1e9:.0f}" for k, v in limits.items() if v)
    notes = [
        "GFLOP/s of the matrix products, I = H; × is the ratio to torch in the same run.",
        f"Limit, two threads of multiply-adds on registers: {told} GFLOP/s.",
    ]
    report = Report(wanted.name, "Layers, inference and training", COLUMNS, notes)
    for cell in wanted.cells:
        for shape in wanted.shapes:
            row(report, cell, *map(int, shape.split("x")))
    report.keep()


def row(report: Report, cell: str, time: int, batch: int, size: int) -> None:
    """Measure a cell at a shape, and add its two rows."""
    gates, torchs, ours = CELLS[cell]
    x, upstream = torch.randn(time, batch, size), torch.randn(time, batch, size)
    layers = {"torch": torchs(size)} if torchs else {}
    for precision, short in ((None, "fp32"), ("bfloat16", "bf16"), ("int8", "int8")):
        layers[short] = ours(size)
        if precision:
            layers[short].precision = precision  # type: ignore[assignment]
    layers["int8"].eval()
    flops = 2 * time * batch * 2 * size * gates * size
    for way, run, factor in (("inference", infer, 1), ("training", train, 3)):
        timed = {
            name: run(layer, x, upstream)
            for name, layer in layers.items()
            if not (name == "int8" and way == "training")
        }
        seconds = paired(timed)
        cells = [cell, f"{time}×{batch}×{size}", way]
        for name in ("torch", "fp32", "bf16", "int8"):
            found = seconds.get(name)
            cells.append(f"{factor * flops / found / 1e9:.0f}" if found else "")
            if name != "torch":
                ratio = seconds["torch"] / found if found and "torch" in seconds else None
                cells.append(f"{ratio:.2f}" if ratio else "")
        report.add(*cells)


def infer(layer: nn.Module, x: Tensor, upstream: Tensor) -> Callable[[], object]:
    """A forward without gradients."""

    def call() -> None:
        with torch.inference_mode():
            layer(x)

    return call


def train(layer: nn.Module, x: Tensor, upstream: Tensor) -> Callable[[], object]:
    """A forward and its gradients, of the input too."""
    own = x.clone().requires_grad_()

    def call() -> None:
        layer.zero_grad(set_to_none=True)
        own.grad = None
        torch.autograd.backward(layer(own)[0], upstream)

    return call


if __name__ == "__main__":
    main()
