"""A training step compared with the same model of `torch.nn`: embedding → two layers → readout →
loss → fused AdamW.

    python bench/training_step.py

torch's OpenMP threads spin for a while after every parallel operator, and a layer that runs right
after one shares its processor with them: the layer's own ratio is listed too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from paired import Report, measure_paired
from torch import nn
from torch.nn import functional

import sluice

VOCABULARY = 90
LAYERS = {"lstm": (nn.LSTM, sluice.nn.LSTM), "gru": (nn.GRU, sluice.nn.GRU)}


class Model(nn.Module):
    """Embedding, two recurrent layers, readout."""

    def __init__(self, kind: type[nn.Module], size: int) -> None:
        super().__init__()
        self.embedding, self.layers = nn.Embedding(VOCABULARY, size), kind(size, size, 2)
        self.readout = nn.Linear(size, VOCABULARY)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.readout(self.layers(self.embedding(tokens))[0])


def step(model: Model, tokens: torch.Tensor) -> Callable[[], None]:
    """A function that runs one training step."""
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)

    def once() -> None:
        optimiser.zero_grad()
        logits = model(tokens[:-1])
        functional.cross_entropy(logits.flatten(0, 1), tokens[1:].flatten()).backward()
        optimiser.step()

    return once


def layer(kind: type[nn.Module], size: int, steps: int, batch: int) -> Callable[[], None]:
    """The recurrent layers alone, forward and backward."""
    layers = kind(size, size, 2)
    x = torch.randn(steps, batch, size, requires_grad=True)
    upstream = torch.randn(steps, batch, size)

    def once() -> None:
        layers.zero_grad()
        layers(x)[0].backward(upstream)

    return once


def main() -> None:
    report = Report(
        "training_step",
        "A training step, two layers, I = H: milliseconds, and ratios to torch",
        ["cell", "T×B×H", "torch", "fp32", "×", "bf16", "×", "layers alone, fp32 ×"],
        [],
    )
    for name, (theirs, ours) in LAYERS.items():
        for steps, batch, size in ((128, 64, 256), (256, 16, 128)):
            tokens = torch.randint(VOCABULARY, (steps + 1, batch))
            narrow = Model(ours, size)
            narrow.layers.precision = "bfloat16"
            found = measure_paired(
                {
                    "torch": step(Model(theirs, size), tokens),
                    "fp32": step(Model(ours, size), tokens),
                    "bf16": step(narrow, tokens),
                    "their layers": layer(theirs, size, steps, batch),
                    "our layers": layer(ours, size, steps, batch),
                },
                block=0.4,
            )
            base = found["torch"]
            report.add(
                name,
                f"{steps}×{batch}×{size}",
                f"{base * 1e3:.1f}",
                f"{found['fp32'] * 1e3:.1f}",
                f"{base / found['fp32']:.2f}",
                f"{found['bf16'] * 1e3:.1f}",
                f"{base / found['bf16']:.2f}",
                f"{found['their layers'] / found['our layers']:.2f}",
            )
    report.keep()


if __name__ == "__main__":
    main()
