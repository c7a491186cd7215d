"""The studio as `sluice studio` starts it, with visitors and a browser on the same machine: prints
rows of `bench/results/studio.md`.

    python bench/studio.py

The goals are those of two processor cores, on which the visitors, the browser and all processes of
the studio run. Visitors are coroutines of one process; each sends the form as it stands and reads
its tune's events. "On screen" is in Chromium, from the press of the button to the frame in which
the first note stands. Memory is the proportional set size (PSS) of all processes of the studio.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from studio_visitors import Figures, compose_together

from sluice import doctor

ROUNDS, AT_ONCE = 3, 50
PAGES = ["/", "/tunes", "/compositions"]
FIRST_NOTE = """async () => {
  const before = new Set(document.querySelectorAll("[data-tune]"));
  const start = performance.now();
  document.querySelector(".compose-buttons .primary").click();
  for (;;) {
    await new Promise(requestAnimationFrame);
    const fresh = [...document.querySelectorAll("[data-tunes] [data-tune]")];
    if (fresh.some((one) => !before.has(one) && one.querySelector(".abcjs-note"))) {
      return performance.now() - start;
    }
  }
}"""


@contextmanager
def serve() -> Iterator[tuple[str, int]]:
    """The address of a studio with an empty archive, and the number of its first process."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "sluice", "studio", "--folder", f"{folder}/studio",
             "--port", "0", "--no-browser"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        found = re.search(r"http://[\w.:]+", process.stdout.readline())
        assert found is not None
        try:
            for _ in range(3):
                asyncio.run(compose_together(found[0], 2, 900, PAGES))
            yield found[0], process.pid
        finally:
            process.terminate()
            process.wait(20)


def list_processes(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in list_processes(int(child)))]


def measure_memory(pid: int) -> float:
    """MB of a process and all below it: each page in halves, thirds, … among who share it."""
    total = 0
    for one in list_processes(pid):
        text = Path(f"/proc/{one}/smaps_rollup").read_text()
        total += int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0])
    return total / 1024


@contextmanager
def watch_memory(pid: int) -> Iterator[Callable[[], float]]:
    """The most that was measured while the block ran."""
    most, is_over = [0.0], threading.Event()

    def watch() -> None:
        while not is_over.wait(0.1):
            most.append(measure_memory(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: max(most)
    finally:
        is_over.set()
        thread.join()


def measure_browser(site: str) -> tuple[list[float], int, list[float]]:
    """Milliseconds to the first note on screen, bytes of the first load, and milliseconds from the
    address to the first note of the tune that writes itself."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = chromium.new_page(base_url=site)
        sizes: list[int] = []
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on(
            "Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"])
        )
        page.goto("/")
        page.wait_for_selector("[data-tunes] [data-again]")
        loaded = int(sum(sizes))
        arrivals = []
        for _ in range(ROUNDS):
            page.goto("/")
            page.wait_for_selector("[data-tunes] .abcjs-note")
            arrivals.append(page.evaluate("performance.now()"))
        page.goto("/?none=1")
        times = []
        for _ in range(2 * ROUNDS):
            times.append(page.evaluate(FIRST_NOTE))
            page.wait_for_selector("[data-tunes] [data-tune]:first-child [data-again]")
            page.wait_for_timeout(150)
        chromium.close()
    return times, loaded, arrivals


def compose_in_rounds(site: str, count: int, rounds: int, first: int) -> Figures:
    """The figures of all rounds together."""
    found = Figures()
    for place in range(rounds):
        pages = PAGES if count > 1 else []
        one = asyncio.run(compose_together(site, count, first + place * (count + 1), pages))
        found.first += one.first
        found.whole += one.whole
        found.pages += one.pages
        time.sleep(0.5)
    return found


def find_percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    rows: list[tuple[str, ...]] = []

    def add(what: str, values: list[float], goal: str, unit: str = "ms") -> None:
        scale = 1000 if unit == "ms" else 1
        median, high = statistics.median(values) * scale, find_percentile(values, 0.95) * scale
        form = "{:.0f} {}" if unit == "ms" else "{:.2f} {}"
        rows.append((what, form.format(median, unit), form.format(high, unit), goal))

    with serve() as (site, pid):
        time.sleep(8)
        idle = measure_memory(pid)
        alone = compose_in_rounds(site, 1, 2 * ROUNDS, 0)
        with watch_memory(pid) as most:
            compose_in_rounds(site, AT_ONCE, 1, 100)
        busy = most()
        together = compose_in_rounds(site, AT_ONCE, ROUNDS, 200)
        times, loaded, arrivals = measure_browser(site)
    add("first note alone, POST to event", alone.first, "")
    add("first note alone, on screen", [one / 1000 for one in times], "150 ms")
    add("first note of the first page, from its address", [one / 1000 for one in arrivals], "")
    add(f"first note, {AT_ONCE} at once", together.first, "300 ms (95 %)")
    add(f"whole tune, {AT_ONCE} at once", together.whole, "3 s", "s")
    add(f"pages, while {AT_ONCE} compose", together.pages, "100 ms (95 %)")
    rows.append(("first load, compressed", f"{loaded / 1000:.0f} KB", "", "220 KB"))
    rows.append(("memory, idle", f"{idle:.0f} MB", "", "350 MB"))
    rows.append((f"memory, {AT_ONCE} compose", f"{busy:.0f} MB", "", "450 MB"))
    lines = ["| What | median | 95 % | goal |", "|---|---:|---:|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += [f"- {name}: {value}" for name, value in doctor.describe_machine().items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
