"""The gates of an LSTM that memorised a nursery rhyme, in pictures.

    python examples/reading.py docs/pictures

Trains a small model on a few lines of text for a few seconds and writes three pictures of what it
does on them: gates over the text, cell states, and the text coloured by one of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

import sluice
from sluice.insight import plots

TEXT = """\
This is the house that Jack built.
This is the malt
That lay in the house that Jack built.
This is the rat,
That ate the malt
That lay in the house that Jack built.
This is the cat,
That killed the rat,
That ate the malt
That lay in the house that Jack built.
"""


class Reader(nn.Module):
    """Letters in, the logits of the next letter out."""

    def __init__(self, letters: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(letters, 16)
        self.lstm = sluice.nn.LSTM(16, hidden)
        self.readout = nn.Linear(hidden, letters)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        """``(time, batch)`` integers to ``(time, batch, letters)``."""
        logits: torch.Tensor = self.readout(self.lstm(self.embedding(text))[0])
        return logits


def learn(text: torch.Tensor, hidden: int, updates: int) -> Reader:
    """A reader of ``text``, ``(time, 1)``."""
    model = Reader(int(text.max()) + 1, hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(updates):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(text[:-1]).flatten(0, 1), text[1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def main(folder: Path, hidden: int = 24, updates: int = 300) -> None:
    """Write ``gates.png``, ``cell_states.png`` and ``coloured_text.png`` into ``folder``."""
    torch.manual_seed(1)
    letters = sorted(set(TEXT))
    text = torch.tensor([[letters.index(letter)] for letter in TEXT])
    model = learn(text, hidden, updates)
    with torch.no_grad(), sluice.record(model) as tape:
        model(text)
    line = slice(52, 91)  # "That lay in the house that Jack built."
    values = {name: value[line] for name, value in tape.layer(0).items()}
    tokens = list(TEXT[line])
    cell = tape.c[:, 0]
    unit = int(cell.std(dim=0).argmax())
    folder.mkdir(parents=True, exist_ok=True)
    gates = plots.plot_heat_map(values, ["forget", "input", "output"], tokens=tokens, sort="mean")
    gates.savefig(folder / "gates.png", dpi=200)
    states = plots.plot_traces(values, "c", tokens=tokens)
    states.axes[0].set_ylabel("cell state c")
    states.savefig(folder / "cell_states.png", dpi=200)
    coloured = plots.plot_text(list(TEXT), cell[:, unit], label=f"c of unit {unit}")
    coloured.savefig(folder / "coloured_text.png", dpi=200)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
