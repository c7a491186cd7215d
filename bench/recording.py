"""A training step of one layer (forward and back) with and without `sluice.record`.

    python bench/recording.py

"recorded" keeps all values and derivatives on the tapes; "and read" copies every one of them out
as well, as a full inspection would.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from paired import Report, measure_paired

import sluice

LAYERS = {"lstm": sluice.nn.LSTM, "gru": sluice.nn.GRU}


def step(
    kind: type[torch.nn.Module], sizes: tuple[int, int, int], record: bool, read: bool
) -> Callable[[], None]:
    """A function that runs a forward and a backward pass."""
    steps, batch, size = sizes
    layer = kind(size, size)
    x = torch.randn(steps, batch, size, requires_grad=True)
    upstream = torch.randn(steps, batch, size)

    def run_plain() -> None:
        layer.zero_grad()
        layer(x)[0].backward(upstream)

    def run_recorded() -> None:
        with sluice.record(layer) as tape:
            run_plain()
        if read:
            tape.tensors()

    return run_recorded if record else run_plain


def main() -> None:
    report = Report(
        "recording",
        "A training step of one layer, I = H, float32: milliseconds, and the ratio to no recording",
        ["cell", "T×B×H", "plain", "recorded", "×", "and read", "×"],
        [
            "Recorded: all named values and their derivatives are stored on the tapes. "
            "And read: every one of them is also copied out as a tensor."
        ],
    )
    for name, kind in LAYERS.items():
        for sizes in ((128, 64, 256), (256, 16, 128)):
            found = measure_paired(
                {
                    "plain": step(kind, sizes, record=False, read=False),
                    "recorded": step(kind, sizes, record=True, read=False),
                    "read": step(kind, sizes, record=True, read=True),
                },
                rounds=9,
                block=0.4,
            )
            cells = [name, "×".join(map(str, sizes)), f"{found['plain'] * 1e3:.1f}"]
            for key in ("recorded", "read"):
                cells += [f"{found[key] * 1e3:.1f}", f"{found[key] / found['plain']:.2f}"]
            report.add(*cells)
    report.keep()


if __name__ == "__main__":
    main()
