"""Why the LSTM: the gradient that reaches back through time, in an Elman cell and in an LSTM.

    python examples/vanishing.py docs/pictures

Both learn to recall, at the last step, the symbol that they saw at the first, with noise between.
For each, the derivative of the loss with respect to its state is recorded at every step and drawn:
of the hidden state h in the one, of the cell state c in the other. The LSTM starts from chrono
initialisation (Tallec & Ollivier 2018): its forget gates begin nearly open.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import sluice
from sluice.insight import plots

SYMBOLS, BATCH = 4, 32


class Recaller(nn.Module):
    """A recurrent layer, and a readout of its last output."""

    def __init__(self, layer: nn.Module, hidden: int) -> None:
        super().__init__()
        self.layer, self.readout = layer, nn.Linear(hidden, SYMBOLS)

    def forward(self, x: Tensor) -> Tensor:
        """``(time, batch, symbols)`` to ``(batch, symbols)``."""
        logits: Tensor = self.readout(self.layer(x)[0][-1])
        return logits


def draw(steps: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A batch: a symbol, then noise; and the symbol, which is what to recall."""
    symbol = torch.randint(SYMBOLS, (BATCH,), generator=generator)
    x = torch.randn(steps, BATCH, SYMBOLS, generator=generator) * 0.3
    x[0] = nn.functional.one_hot(symbol, SYMBOLS).float() * 3.0
    return x, symbol


def learn(model: Recaller, steps: int, updates: int, generator: torch.Generator) -> float:
    """Train for ``updates`` updates; return the accuracy on ten new batches."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(updates):
        x, symbol = draw(steps, generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), symbol).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        batches = [draw(steps, generator) for _ in range(10)]
        hits = [(model(x).argmax(dim=1) == symbol).float().mean() for x, symbol in batches]
    return float(torch.stack(hits).mean())


def flow(model: Recaller, state: str, steps: int, generator: torch.Generator) -> Tensor:
    """The norm of dL/d state at each step, averaged over a batch: ``(time,)``."""
    x, symbol = draw(steps, generator)
    with sluice.record(model) as tape:
        nn.functional.cross_entropy(model(x), symbol).backward()
    gradient = tape.layer(0).gradient[state]
    return gradient.double().norm(dim=-1).mean(dim=1)


def run(name: str, seed: int, steps: int, hidden: int, updates: int) -> tuple[Tensor, Tensor]:
    """The gradient flow in one model, before and after training."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    if name == "Elman":
        layer, state = sluice.nn.RNN(SYMBOLS, hidden), "h"
    else:
        layer, state = sluice.nn.LSTM(SYMBOLS, hidden, chrono=steps), "c"
    model = Recaller(layer, hidden)
    before = flow(model, state, steps, generator)
    accuracy = learn(model, steps, updates, generator)
    print(f"{name}, run {seed}: recalls {accuracy:.0%} after {steps} steps")
    return before, flow(model, state, steps, generator)


def main(
    folder: Path, steps: int = 60, hidden: int = 32, updates: int = 400, runs: int = 3
) -> None:
    """Write ``vanishing.png`` into ``folder``, and print the accuracy of each model."""
    norms: dict[str, Tensor] = {}
    for name, state in (("Elman", "h"), ("LSTM", "c")):
        found = [run(name, seed, steps, hidden, updates) for seed in range(runs)]
        for when, several in zip(("before", "after"), zip(*found, strict=True), strict=True):
            norms[f"{name}, {state}, {when} training"] = torch.stack(several)
    folder.mkdir(parents=True, exist_ok=True)
    picture = plots.plot_gradient_flow(norms, label="norm of the gradient of the state")
    picture.savefig(folder / "vanishing.png", dpi=200)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
