"""One LSTM layer step by step on one sequence, compared with torch's `nn.LSTMCell`: μs a step.

    python bench/streaming.py

The call from Python is counted; `fresh` gives a new tensor at every step, `out=` fills the
caller's. The limit is how long one thread takes to read the weights once, measured in the same run.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from limits import bandwidth
from paired import Report, measure_paired
from torch import nn

import sluice

SIZES = (32, 128, 512)
BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}


def main() -> None:
    report = Report(
        "streaming",
        "Streaming: μs a step, one LSTM layer, one sequence, I = H",
        ["H", "precision", "LSTMCell", "fresh", "×", "out=", "×", "weights, KB", "limit"],
        [
            f"Sluice uses {sluice.get_num_threads()} threads where they help, "
            f"torch uses {torch.get_num_threads()}."
        ],
    )
    for size in SIZES:
        cell, layer = nn.LSTMCell(size, size), sluice.nn.LSTM(size, size).eval()
        x, out = torch.randn(1, size), torch.empty(1, size)
        state = (torch.zeros(1, size), torch.zeros(1, size))
        functions: dict[str, Callable[[], object]] = {"torch": lambda c=cell, s=state, v=x: c(v, s)}
        for precision in BYTES:
            layer.precision = precision
            stream = layer.stream()
            functions[precision] = lambda s=stream, v=x: s(v)
            functions[f"{precision} out"] = lambda s=stream, v=x, o=out: s(v, out=o)
        with torch.inference_mode():
            found = measure_paired(functions)
        for precision, width in BYTES.items():
            weights = 8 * size * size * width
            limit = weights / bandwidth(weights) * 1e6
            own, filled = found[precision] * 1e6, found[f"{precision} out"] * 1e6
            base = found["torch"] * 1e6
            report.add(
                str(size),
                precision,
                f"{base:.1f}",
                f"{own:.2f}",
                f"{base / own:.1f}",
                f"{filled:.2f}",
                f"{base / filled:.1f}",
                f"{weights / 1024:.0f}",
                f"{limit:.2f}",
            )
    report.keep()


if __name__ == "__main__":
    main()
