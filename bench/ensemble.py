"""Ten copies of a small layer as one, compared with one such layer and with ten in a loop.

python bench/ensemble.py [--rounds 5]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from paired import Report, measure_paired

import sluice
from sluice.nn import Recurrent

COPIES, STEPS, FEATURES, HIDDEN = 10, 100, 3, 8
BLOCK = 0.02
COLUMNS = ["cell", "batch", "call", "one ms", "ten copies", "ten layers"]
NOTES = [
    f"{STEPS} steps, {FEATURES} inputs, {HIDDEN} units. One is `Recurrent(cell, {FEATURES}, "
    f"{HIDDEN})`, ten copies are the same with `copies={COPIES}`, each with an input and a loss of "
    "its own; ten layers run one after the other. Both last columns are times as parts of one's, "
    "in turns in one run, on one thread. A training step is forward, loss, backward and Adam.",
]


def main() -> None:
    """Measure all rows, and save the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    torch.set_num_threads(1)
    report = Report("ensemble", "Ten copies of a small layer", COLUMNS, NOTES)
    for cell in (sluice.cells.LSTM, sluice.cells.GRU):
        for batch in (1, 4, 16):
            for name, make in (("inference", _infer), ("training step", _train)):
                functions = {
                    "one": make(_make_layers(cell, None, 1), (STEPS, batch, FEATURES)),
                    "copies": make(_make_layers(cell, COPIES, 1), (STEPS, batch, COPIES, FEATURES)),
                    "layers": make(_make_layers(cell, None, COPIES), (STEPS, batch, FEATURES)),
                }
                times = measure_paired(functions, rounds, BLOCK)
                one = times["one"]
                ratios = [f"{times[key] / one:.2f}" for key in ("copies", "layers")]
                report.add(cell.__name__, str(batch), name, f"{one * 1e3:.3f}", *ratios)
    report.keep()


def _make_layers(cell: type[sluice.Cell], copies: int | None, count: int) -> list[Recurrent]:
    torch.manual_seed(0)
    return [Recurrent(cell, FEATURES, HIDDEN, copies=copies) for _ in range(count)]


def _infer(layers: list[Recurrent], shape: tuple[int, ...]) -> Callable[[], object]:
    x = torch.randn(shape)

    def call() -> None:
        with torch.no_grad():
            for layer in layers:
                layer(x)

    return call


def _train(layers: list[Recurrent], shape: tuple[int, ...]) -> Callable[[], object]:
    x, target = torch.randn(shape), torch.randn(*shape[:-1], HIDDEN)
    optimizers = [torch.optim.Adam(layer.parameters()) for layer in layers]

    def call() -> None:
        for layer, optimizer in zip(layers, optimizers, strict=True):
            optimizer.zero_grad()
            (layer(x)[0] - target).square().mean((0, 1, -1)).sum().backward()
            optimizer.step()

    return call


if __name__ == "__main__":
    main()
