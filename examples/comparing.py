"""At which lag does each cell stop learning? The pictures of docs/comparing.md.

    python examples/comparing.py docs/pictures

Trains Elman, GRU and LSTM to report the order of two marks (Hochreiter & Schmidhuber 1997,
experiment 6a) over longer and longer lags, which takes two to three minutes, and draws the
score and the gradient of each.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from sluice.report import Comparison, compare

PICTURES = ("comparison", "gradients")


def main(folder: Path, **options: Any) -> Comparison:
    """Write ``comparison.png`` and ``gradients.png`` into ``folder``, and print the verdicts."""
    torch.set_num_threads(1)
    found = compare(**options)
    for verdict in found.verdicts():
        print(f"{verdict}.")
    folder.mkdir(parents=True, exist_ok=True)
    figures = found.figures()
    for name in PICTURES:
        figures[name].savefig(folder / f"{name}.png", dpi=200)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
