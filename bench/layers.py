"""Layers compared with torch's and others in one run: inference and training.

    python bench/layers.py [lstm gru elman layer-norm own-lstm own-highway] [--shapes 128x64x512 …]
        [--rounds 3]

GFLOP/s count the matrix products: 2·T·B·(I + H)·gates·H, three times that for training.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from limits import peak
from own_cells import Highway, Mine
from paired import Report, measure_in_turns, measure_paired
from rivals import HighwayLoop, LayerNormLoop, as_lstm, of_torch, onnxruntime
from torch import Tensor, nn

import sluice

SHAPES = ("128x64x512", "128x64x256", "256x16x128", "256x1x128")
Layer = Callable[[Tensor], tuple[Tensor, Any]]


@dataclass(frozen=True)
class Subject:
    """A layer, `make_layer(input_size, hidden_size)`, and two rivals with the same weights."""

    gates: int
    make_layer: Callable[[int, int], nn.Module]
    torchs: Callable[[Any], nn.Module]
    rival: str
    others: Callable[[Any], Layer]
    compared: int | None = None
    """Number of steps over which rivals must agree; untrained norms amplify rounding errors."""


def own(cell: type[sluice.Cell]) -> Callable[[int, int], nn.Module]:
    """A layer of any cell."""
    return partial(sluice.nn.Recurrent, cell)


CELLS = {
    "lstm": Subject(4, sluice.nn.LSTM, of_torch(nn.LSTM), "onnxruntime", onnxruntime),
    "gru": Subject(3, sluice.nn.GRU, of_torch(nn.GRU), "onnxruntime", onnxruntime),
    "elman": Subject(1, sluice.nn.RNN, of_torch(nn.RNN), "onnxruntime", onnxruntime),
    "layer-norm": Subject(
        4,
        own(sluice.cells.LayerNormLSTM),
        LayerNormLoop,
        "indexed loop",
        partial(LayerNormLoop, by_index=True),
        compared=5,
    ),
    "own-lstm": Subject(4, own(Mine), as_lstm(nn.LSTM), "sluice.nn.LSTM", as_lstm(sluice.nn.LSTM)),
    "own-highway": Subject(
        4, own(Highway), HighwayLoop, "compiled step", partial(HighwayLoop, compiled=True)
    ),
}
COLUMNS = ["cell", "T×B×H", "", "in a program ×", "torch", "fp32", "×", "bf16", "×", "int8", "×"]
COLUMNS += ["compared with", "", "fp32 ×"]
NOTES = [
    "'In a program': the time of torch over ours in float32, called by turns with a parallel "
    "operator of torch's before each call, everything at its default. The other columns are quiet "
    "figures: blocks of calls, with a pause before each block.",
    "GFLOP/s of the matrix products, I = H; × is the ratio to torch, the last × that of fp32 to "
    "the layer named beside it, all in the same run and with the same weights.",
    "torch is its own layer for lstm, gru, elman and own-lstm (the LSTM's equations as a user's "
    "cell), and for the others a Python loop of torch operations over the unbound projected input.",
    "'indexed loop' takes each step by index instead, as is common: its gradient "
    "is as large as all of xs at every step. 'compiled step' is the Python loop with its step "
    "through torch.compile, without the time to compile.",
]


def main() -> None:
    """Measure the layers, print the table and save it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("cells", nargs="*", default=list(CELLS))
    arguments.add_argument("--shapes", nargs="*", default=list(SHAPES))
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--name", default="layers")
    wanted = arguments.parse_args()
    limits = {name: peak(name) for name in ("float32", "bfloat16", "int8")}
    peaks = ", ".join(f"{k} {v / 1e9:.0f}" for k, v in limits.items() if v)
    limit = f"Limit, two threads of multiply-adds on registers: {peaks} GFLOP/s."
    report = Report(wanted.name, "Layers, inference and training", COLUMNS, [*NOTES, limit])
    for cell in wanted.cells:
        for shape in wanted.shapes:
            rows(report, cell, wanted.rounds, *map(int, shape.split("x")))
    report.keep()


def rows(report: Report, cell: str, rounds: int, time: int, batch: int, size: int) -> None:
    """Measure a cell at a shape, and add its two rows."""
    subject = CELLS[cell]
    x, upstream = torch.randn(time, batch, size), torch.randn(time, batch, size)
    layers = build_layers(subject, size)
    for name in ("torch", "also"):
        compare(name, layers[name], layers["fp32"], x[: subject.compared])
    flops = 2 * time * batch * 2 * size * subject.gates * size
    for way, run, factor in (("inference", infer, 1), ("training", train, 3)):
        timed = layers
        if way == "training":
            trainable = {k: v for k, v in layers.items() if isinstance(v, nn.Module)}
            timed = {name: layer for name, layer in trainable.items() if name != "int8"}
        calls = {name: run(layer, x, upstream) for name, layer in timed.items()}
        seconds = measure_paired(calls, rounds)
        speeds = {name: factor * flops / found / 1e9 for name, found in seconds.items()}
        shape = f"{time}×{batch}×{size}"
        ratio = f"{ratio_in_program(calls):.2f}"
        others = against_torch(speeds), format_rival(subject.rival, speeds)
        report.add(cell, shape, way, ratio, *others[0], *others[1])


def ratio_in_program(calls: Mapping[str, Callable[[], object]]) -> float:
    """Torch's time over ours where operators of torch's run between the calls."""
    matrix = torch.randn(512, 512)
    seconds = measure_in_turns(
        {name: calls[name] for name in ("torch", "fp32")}, lambda: torch.mm(matrix, matrix).tanh_()
    )
    return seconds["torch"] / seconds["fp32"]


def build_layers(subject: Subject, size: int) -> dict[str, Layer]:
    """Our layer in each precision, and its rivals, all with the same weights."""
    layers: dict[str, Any] = {}
    for short, precision in (("fp32", "float32"), ("bf16", "bfloat16"), ("int8", "int8")):
        layers[short] = subject.make_layer(size, size)
        layers[short].load_state_dict(layers["fp32"].state_dict())
        layers[short].precision = precision
    layers["int8"].eval()
    return {
        "torch": subject.torchs(layers["fp32"]),
        **layers,
        "also": subject.others(layers["fp32"]),
    }


def compare(name: str, rival: Layer, ours: Layer, x: Tensor) -> None:
    """Exit unless both outputs agree."""
    with torch.inference_mode():
        off = (rival(x)[0] - ours(x)[0]).abs().max().item()
    if not off < 1e-5:
        raise SystemExit(
            f"The outputs of {name} differ from ours by {off:.1e}: not the same layer."
        )


def against_torch(speeds: Mapping[str, float]) -> list[str]:
    """Torch's speed, then ours in each precision with its ratio to that."""
    cells = [f"{speeds['torch']:.0f}"]
    for name in ("fp32", "bf16", "int8"):
        found = speeds.get(name)
        cells += [f"{found:.0f}", f"{found / speeds['torch']:.2f}"] if found else ["", ""]
    return cells


def format_rival(name: str, speeds: Mapping[str, float]) -> list[str]:
    """The other rival's name, its speed, and our ratio to it; empty where it does not run."""
    found = speeds.get("also")
    return [name, f"{found:.0f}", f"{speeds['fp32'] / found:.2f}"] if found else ["", "", ""]


def infer(layer: Layer, x: Tensor, upstream: Tensor) -> Callable[[], object]:
    """A forward pass without gradients."""

    def call() -> None:
        with torch.inference_mode():
            layer(x)

    return call


def train(layer: Any, x: Tensor, upstream: Tensor) -> Callable[[], object]:
    """A forward and a backward pass, the input's gradient included."""
    own = x.clone().requires_grad_()

    def call() -> None:
        layer.zero_grad(set_to_none=True)
        own.grad = None
        torch.autograd.backward(layer(own)[0], upstream)

    return call


if __name__ == "__main__":
    main()
