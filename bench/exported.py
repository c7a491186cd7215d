"""Layers in ONNX files beside the kernels: onnxruntime's own operators, and its `Scan`.

    python bench/exported.py

Each file is what `sluice.export.onnx` writes. An LSTM and a GRU are ONNX's own operators there;
once more they are written as a `Scan`, as every other cell is. Float32, two threads each, forward.
`quiet` calls each alone; `in turns` calls each after an operator of torch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnxruntime
import torch
from paired import Report, measure_in_turns, measure_paired
from torch import nn

import sluice
from sluice.cells import LayerNormLSTM
from sluice.export.to_onnx import over_time

SHAPES = ((100, 1, 128), (100, 16, 128), (100, 16, 512))
CASES: dict[str, tuple[Callable[[int], nn.Module], bool]] = {
    "LSTM, own operator": (lambda size: sluice.nn.LSTM(size, size), True),
    "LSTM, Scan": (lambda size: sluice.nn.LSTM(size, size), False),
    "GRU, own operator": (lambda size: sluice.nn.GRU(size, size), True),
    "GRU, Scan": (lambda size: sluice.nn.GRU(size, size), False),
    "layer-norm LSTM, Scan": (lambda size: sluice.nn.Recurrent(LayerNormLSTM(), size, size), True),
}


def open_file(layer: nn.Module, is_native: bool, path: Path) -> onnxruntime.InferenceSession:
    """The layer's file, opened; as a `Scan` even where ONNX has the cell, unless `is_native`."""
    if is_native:
        sluice.export.onnx(layer, path)
    else:
        with patch.object(over_time, "find_native", return_value=None):
            sluice.export.onnx(layer, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(path.read_bytes(), options)


def main() -> None:
    """Measure, print and keep the table."""
    report = Report(
        "exported",
        "Layers in ONNX files beside the kernels: milliseconds, and their ratio",
        ["cell in the file", "steps, batch, units", "kernels", "onnxruntime", "ratio", "in turns"],
        [
            f"onnxruntime {onnxruntime.__version__}, threads each: {torch.get_num_threads()}. A "
            "ratio above 1 is how many times as fast the kernels are: of quiet figures, and called "
            "each after a product of torch's, as a program does."
        ],
    )
    noise = torch.randn(256, 256)
    for name, (make, is_native) in CASES.items():
        for steps, batch, size in SHAPES:
            torch.manual_seed(0)
            layer, x = make(size).eval(), torch.randn(steps, batch, size)
            with tempfile.TemporaryDirectory() as folder:
                session = open_file(layer, is_native, Path(folder) / "layer.onnx")
            given = {"input": x.numpy()} | {
                one.name: np.zeros((1, batch, size), np.float32)
                for one in session.get_inputs()
                if one.name != "input"
            }
            functions = {
                "ours": lambda layer=layer, x=x: layer(x),
                "file": lambda session=session, given=given: session.run(None, given),
            }
            with torch.inference_mode():
                # Alone and first: onnxruntime's threads spin on after a call, on the processors
                # that whatever comes next would have.
                turns = {
                    name: measure_in_turns({name: one}, lambda: noise @ noise)[name]
                    for name, one in functions.items()
                }
                quiet = measure_paired(functions)
            ratios = [one["file"] / one["ours"] for one in (quiet, turns)]
            report.add(
                name,
                f"{steps}, {batch}, {size}",
                f"{1000 * quiet['ours']:.2f}",
                f"{1000 * quiet['file']:.2f}",
                *(f"{ratio:.2f}" for ratio in ratios),
            )
    report.keep()


if __name__ == "__main__":
    main()
