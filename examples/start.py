"""Draw the pictures of the documentation's start page: python examples/start.py [FOLDER].

``leaky-recording.png`` is a recording of the page's cell after it learned to recall a symbol;
``speed.png`` shows rows of bench/results/layers.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import vanishing
from matplotlib.figure import Figure
from sketches import Leaky

import sluice
from sluice.insight import plots

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results" / "layers.md"
SHAPE = "256×16×128"
CELLS = {
    "lstm": "LSTM\n(torch.nn.LSTM)",
    "gru": "GRU\n(torch.nn.GRU)",
    "own-highway": "a cell of your own\n(Python loop)",
}


def draw_recording(steps: int, hidden: int, updates: int) -> Figure:
    """Train a `Leaky` layer to recall the first symbol, then record one sequence."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    layer = sluice.nn.Recurrent(Leaky, vanishing.SYMBOLS, hidden)
    with torch.no_grad():
        layer.bias_ih_l0[:hidden] = 3.0  # the first gate, leak, starts nearly open
    model = vanishing.Recaller(layer, hidden)
    vanishing.learn(model, steps, updates, generator)
    x, _ = vanishing.draw(steps, generator)
    with torch.no_grad(), sluice.record(model) as tape:
        model(x)
    return plots.plot_heat_map(tape, ["leak", "h"], sort="mean")


def read_speeds(table: str, shape: str = SHAPE) -> dict[str, tuple[float, float]]:
    """GFLOP/s of training in float32, torch's and ours, by the name of a cell."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return {
        row[0]: (float(row[3]), float(row[4]))
        for row in rows
        if len(row) > 4 and row[1] == shape and row[2] == "training"
    }


def draw_speeds(speeds: dict[str, tuple[float, float]]) -> Figure:
    """Bars of GFLOP/s: torch beside Sluice, longer is faster."""
    figure = Figure(figsize=(5.2, 2.5), layout="constrained")
    axes = figure.add_subplot()
    for offset, (name, colour) in enumerate((("torch", "#9a9a9a"), ("Sluice", "#0072b2"))):
        values = [speeds[cell][offset] for cell in CELLS]
        places = [place + 0.38 * offset for place in range(len(CELLS))]
        bars = axes.barh(places, values, height=0.34, color=colour, label=name)
        axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    axes.set_yticks([place + 0.19 for place in range(len(CELLS))], list(CELLS.values()), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 165)
    axes.set_xlabel(f"training, GFLOP/s (T×B×H = {SHAPE}, float32)", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def main(folder: Path, steps: int = 40, hidden: int = 24, updates: int = 300) -> None:
    """Write every picture of the start page into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    draw_recording(steps, hidden, updates).savefig(folder / "leaky-recording.png", dpi=200)
    draw_speeds(read_speeds(RESULTS.read_text())).savefig(folder / "speed.png", dpi=200)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs" / "pictures")
