"""Watching a training: an LSTM that must remember, one of whose layers cannot: docs/watching.md.

    python examples/watching.py docs/pictures

A sequence begins with one of four symbols, which the network must tell at its end. The first layer
starts with an open forget gate; that of the second is shut, so that nothing of its state is kept.
Prints what the monitor says, and writes ``watching.png`` by Chromium where that and Playwright are
installed.
"""

from __future__ import annotations

import shutil
import sys
from io import StringIO
from pathlib import Path

import torch
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from torch import Tensor, nn
from torch.nn import functional

import sluice
from sluice.insight import Monitor

WIDTH = 92
THEME = TerminalTheme(
    (250, 250, 248),
    (36, 36, 36),
    [(36, 36, 36), (190, 40, 40), (30, 125, 60), (205, 140, 20), (45, 95, 175), (150, 60, 140),
     (20, 120, 135), (90, 90, 90)],
)  # fmt: skip
PAGE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {height}"
 width="{terminal_width}" height="{height}">
<style>text {{ font: {char_height}px "DejaVu Sans Mono", monospace; white-space: pre; }}
{styles}</style><defs>{lines}</defs>
<rect width="100%" height="100%" fill="#fafaf8"/>
<g transform="translate({terminal_x}, 6)">{backgrounds}<g>{matrix}</g></g></svg>"""


class Model(nn.Module):
    """Two layers, and a readout of the last step."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.lstm = sluice.nn.LSTM(4, hidden, num_layers=2, forget_bias=3.0)
        self.readout = nn.Linear(hidden, 4)
        with torch.no_grad():
            self.lstm.bias_ih_l1[hidden : 2 * hidden] = -14

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(self.lstm(x)[0][-1])


def main(folder: Path, hidden: int = 32, updates: int = 150) -> Monitor:
    """Train, print what is said, and write the picture into ``folder``."""
    torch.manual_seed(1)
    model = Model(hidden)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    monitor = Monitor(model, every=5, on_message=print)
    for _ in range(updates):
        x = torch.zeros(40, 16, 4)  # time, batch, symbol
        symbols = torch.randint(4, (16,))
        x[0, range(16), symbols] = 1
        x[1:] = 0.1 * torch.randn(39, 16, 4)
        optimizer.zero_grad()
        with monitor.observe():
            functional.cross_entropy(model(x), symbols).backward()
        optimizer.step()
    write_picture(monitor, folder / "watching.png")
    return monitor


def write_picture(monitor: Monitor, path: Path) -> None:
    """The display of the terminal as a picture, if there is a browser to make one."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return
    browser_path = shutil.which("chromium")
    if browser_path is None:
        return
    console = Console(record=True, width=WIDTH, force_terminal=True, file=StringIO())
    console.print(monitor)
    svg = console.export_svg(theme=THEME, code_format=PAGE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(device_scale_factor=1.4)
        page.set_content(f'<body style="margin: 0">{svg}</body>')
        page.locator("svg").screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
