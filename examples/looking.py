"""A report on the small LSTM of `reading.py`, and a picture of the page: docs/looking.md.

    python examples/looking.py docs/pictures

Writes ``looking.html``, and ``looking.png`` by Chromium where that and Playwright are installed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch
from reading import TEXT, learn

from sluice.report import look
from sluice.report.properties import text_properties

MOST_HEIGHT = 1100


def main(folder: Path, hidden: int = 24, updates: int = 300) -> None:
    """Write the page, and its picture, into ``folder``."""
    torch.manual_seed(1)
    letters = sorted(set(TEXT))
    text = torch.tensor([[letters.index(letter)] for letter in TEXT])
    report = look(
        learn(text, hidden, updates),
        text[:-1],  # time, batch
        text[1:],
        tokens=[TEXT[:-1]],
        classes=letters,
        properties=text_properties([TEXT[:-1]]),
        title="The house that Jack built",
    )
    page = folder / "looking.html"
    report.save(page)
    chromium = shutil.which("chromium")
    if chromium:
        photograph(page, folder / "looking.png", chromium)
    else:
        print("no Chromium here, so no picture")


def photograph(
    page: Path, picture: Path, chromium: str, step: int = 33, part: str = "", zooms: int = 0
) -> None:
    """A screenshot of the first part of a page, or of one section, at a step."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1200, "height": 1560}, color_scheme="light")
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector("html[data-ready]")
        tab.fill("#slider", str(step))
        tab.locator("#slider").blur()
        for _ in range(zooms):
            tab.click("#scrubber [data-part=in]")
        if part:
            box = tab.locator(f"[data-part={part}]").bounding_box()
            height = min(MOST_HEIGHT, box["height"])
            clip = {
                "x": 0,
                "y": box["y"] + tab.evaluate("scrollY"),
                "width": 1200,
                "height": height,
            }
            tab.screenshot(path=picture, clip=clip, full_page=True)
        else:
            tab.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
