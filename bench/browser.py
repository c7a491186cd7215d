"""How many tokens a second the bundled model of tunes computes in Chromium.

    pip install playwright
    apt-get install chromium clang lld
    python bench/browser.py

Each form of the model's JavaScript is loaded in a page of its own; the step of a token is called
for a while, in rounds, and the median round counts. Plain JavaScript and WebAssembly with SIMD.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from paired import Report
from playwright.sync_api import sync_playwright

import sluice
from sluice.export.to_js.wasm import can_compile
from sluice.sequence import Checkpoint
from sluice.tunes.composition.inputs import find_checkpoint

ROUNDS, SECONDS = 5, 0.5
LEAST = 100
"""Tokens a second that a page should reach."""

MEASURE = """
([rounds, seconds]) => {
  const { createState, step, outputSize } = globalThis.net;
  const state = createState(), logits = new Float32Array(outputSize);
  const run = (limit) => {
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < limit) step(state, 3 + (count++ % 100), logits);
    return (1000 * count) / (performance.now() - start);
  };
  run(500);
  return Array.from({ length: rounds }, () => run(1000 * seconds));
}
"""


def main() -> None:
    """Measure every form, and save the table."""
    if not can_compile():
        raise SystemExit("clang or wasm-ld is missing; install what the docstring lists")
    model = Checkpoint.load(find_checkpoint()).model
    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for int8 in (False, True):
            for wasm in (False, True):
                path = Path(folder) / "net.js"
                made = sluice.export.js(model, path, int8=int8, wasm=wasm, check=False)
                speed = measure(browser, path)
                form = ["int8" if int8 else "float32", "WebAssembly" if wasm else "JavaScript"]
                rows.append([*form, f"{made.size / 1e6:.1f} MB", f"{speed:.0f}"])
        version = browser.version
        browser.close()
    notes = [
        f"The bundled model of tunes (LSTM 256 → 512 × 2, 136 tokens) in Chromium {version}, "
        f"without drawing; the goal is {LEAST} tokens a second.",
        "WebAssembly has the matrix products with SIMD, all else is the same JavaScript.",
        f"Load of the machine meanwhile: {os.getloadavg()[0]:.1f} programs on {os.cpu_count()} "
        "processors.",
    ]
    columns = ["weights", "products", "file", "tokens a second"]
    report = Report("browser", "In the browser", columns, notes)
    for row in rows:
        report.add(*row)
    report.keep()


def measure(browser: Any, path: Path) -> float:
    """The tokens a second of a module, the median of several rounds."""
    page = browser.new_page()
    names = "{ createState, step, outputSize }"
    text = f'<script type="module">{path.read_text()}\nglobalThis.net = {names};</script>'
    path.with_suffix(".html").write_text(text)
    page.goto(path.with_suffix(".html").as_uri(), timeout=120_000)
    found = page.evaluate(MEASURE, [ROUNDS, SECONDS])
    page.close()
    return statistics.median(found)


if __name__ == "__main__":
    main()
