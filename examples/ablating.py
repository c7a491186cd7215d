"""What a small LSTM loses without each of its gates and units.

    python examples/ablating.py docs/pictures

Trains the reader of examples/reading.py on a nursery rhyme for a few seconds, then clamps each of
its gates open, shut and at its mean, and silences each unit in turn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from reading import TEXT, learn
from torch.nn import functional

from sluice.report import Ablation, ablate


def main(folder: Path, hidden: int = 24, updates: int = 300) -> Ablation:
    """Write ``ablation.png`` into ``folder``, and print the gates, the most important first."""
    torch.manual_seed(1)
    letters = sorted(set(TEXT))
    text = torch.tensor([[letters.index(letter)] for letter in TEXT])
    model = learn(text, hidden, updates)

    def loss() -> float:
        """Nats per letter of the rhyme itself: the text it was trained on."""
        return float(functional.cross_entropy(model(text[:-1]).flatten(0, 1), text[1:].flatten()))

    found = ablate(model, loss)
    print(f"whole: {found.loss:.3f} nats per letter")
    for effect in found.gates():
        print(f"{effect.intervention}: {effect.increase:+.3f}")
    folder.mkdir(parents=True, exist_ok=True)
    picture = found.figure(label="increase of the loss (nats per letter)")
    picture.savefig(folder / "ablation.png", dpi=200)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
