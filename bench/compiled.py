"""Layers in compiled and exported programs, compared with plain calls and with torch's layer.

python bench/compiled.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from paired import Report, measure_paired
from torch import Tensor, nn

import sluice

STEPS, BATCH, UNITS = 128, 16, 128
BLOCK = 0.08
COLUMNS = ["layer", "pass", "plain ms", "compiled", "exported", "AOTInductor", "torch", "compiled"]
NOTES = [
    f"{STEPS} steps × {BATCH} sequences × {UNITS} units, float32, default settings. Training is a "
    "forward and a backward pass, without an optimizer. After the plain call's milliseconds come "
    "the times of others as multiples of it, in turns in one run: the same layer by "
    "torch.compile(fullgraph=True), from torch.export, from a package of AOTInductor (which only "
    "infers); then torch's layer, plain and by torch.compile (which leaves it as it is)."
]


class Leaky(sluice.Cell):
    """A cell of one's own: a leak for each unit and step."""

    leak, candidate = sluice.Gate(), sluice.Gate()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        """One step."""
        k = sluice.sigmoid(self.leak(x, h))
        return {"h": k * h + (1 - k) * sluice.tanh(self.candidate(x, h))}


def main() -> None:
    """Measure all rows, and save the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    rounds = arguments.parse_args().rounds
    report = Report("compiled", "Compiled and exported programs", COLUMNS, NOTES)
    makers: dict[str, Callable[[], nn.Module]] = {
        "LSTM": lambda: sluice.nn.LSTM(UNITS, UNITS),
        "GRU": lambda: sluice.nn.GRU(UNITS, UNITS),
        "own cell": lambda: sluice.nn.Recurrent(Leaky, UNITS, UNITS),
    }
    for name, make in makers.items():
        programs = _build_programs(make(), getattr(nn, name, None))
        for kind, way in (("training", _train), ("inference", _infer)):
            x = torch.randn(STEPS, BATCH, UNITS)
            functions = {
                key: way(program, x)
                for key, program in programs.items()
                if kind == "inference" or key != "AOTInductor"
            }
            times = measure_paired(functions, rounds, BLOCK)
            ratios = [
                f"{times[key] / times['plain']:.2f}" if key in times else "–"
                for key in ("compiled", "exported", "AOTInductor", "torch", "torch compiled")
            ]
            report.add(name, kind, f"{times['plain'] * 1e3:.2f}", *ratios)
    report.keep()


def _build_programs(layer: nn.Module, native: Any) -> dict[str, Callable[..., Any]]:
    x = torch.randn(STEPS, BATCH, UNITS)
    exported = torch.export.export(layer, (x,))
    folder = tempfile.mkdtemp()
    package = str(Path(folder) / "layer.pt2")
    torch._inductor.aoti_compile_and_package(exported, package_path=package)
    found: dict[str, Callable[..., Any]] = {
        "plain": layer,
        "compiled": torch.compile(layer, fullgraph=True),
        "exported": exported.module(),
        "AOTInductor": torch._inductor.aoti_load_package(package),
    }
    if native is not None:
        found["torch"] = native(UNITS, UNITS)
        found["torch compiled"] = torch.compile(native(UNITS, UNITS))
    return found


def _train(program: Callable[..., Any], x: Tensor) -> Callable[[], object]:
    upstream = torch.linspace(-1, 1, x.numel()).view_as(x)

    def call() -> None:
        program(x)[0].backward(upstream)

    return call


def _infer(program: Callable[..., Any], x: Tensor) -> Callable[[], object]:
    def call() -> None:
        with torch.no_grad():
            program(x)

    return call


if __name__ == "__main__":
    main()
