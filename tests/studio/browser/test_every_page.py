"""Every page that links lead to: it answers, is accessible, fits a telephone, and stays at home."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urldefrag, urlsplit

import pytest

from studio.conftest import MISSING, find_free_port, wait_until_ready

if not MISSING:
    from axe_playwright_python.sync_playwright import Axe

    from sluice.studio.accounts.sessions import COOKIE
    from sluice.studio.archive.database import Database
    from sluice.studio.archive.schema import upgrade_database
    from sluice.studio.config import StudioConfig
    from studio.sample_site import SampleSite, add_sample_site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FILES = re.compile(r"\.(abc|mid|svg|pdf|ogg|musicxml|ics|json|csv|zip|bin|txt|md)$|^/media/")
PAGES = {
    "visitor": {"/tunes/N", "/recordings/N", "/events/N", "/books/N", "/month/N", "/members/N",
                "/tunes", "/help", "/about", "/data", "/api", "/login", "/glas-herry"},
    "member": {"/account", "/tunes/N/edit", "/submit", "/books/N"},
    "keeper": {"/desk"},
}  # fmt: skip


@pytest.fixture(scope="module")
def sample_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, SampleSite]]:
    """The address of a studio with some of everything, and its logged-in browsers."""
    folder, port = tmp_path_factory.mktemp("sample") / "studio", find_free_port()
    folder.mkdir()
    database = Database(StudioConfig(folder=folder).database_url)
    upgrade_database(database)
    tokens = add_sample_site(database)
    database.close()
    command = [sys.executable, "-m", "sluice", "studio", "--folder", str(folder), "--no-browser"]
    process = subprocess.Popen([*command, "--port", str(port)], start_new_session=True)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", tokens
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def name_kind(path: str) -> str:
    """A path without its numbers, so that one page of each kind is seen."""
    path = re.sub(r"/(c|static)/[^/]+", r"/\1/CODE", path)
    return re.sub(r"/\d+", "/N", path)


def list_links(page: Any, address: str) -> Iterator[str]:
    """The addresses on this site that a page links to."""
    for link in page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)"):
        url = urldefrag(link).url
        if url.startswith(address):
            yield url.removeprefix(address)


def find_problems(page: Any, axe: Axe) -> list[str]:
    """What axe finds, and what does not fit."""
    found = []
    for one in axe.run(page).response["violations"]:
        places = [node["target"][0] for node in one["nodes"]]
        found.append(f"{one['id']}: {one['help']}: {places[:3]}")
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > page.viewport_size["width"]:
        found.append(f"{width} pixels wide in a window of {page.viewport_size['width']}")
    return found


@pytest.mark.parametrize(
    ("who", "width", "scheme"),
    [
        ("visitor", 360, "light"),
        pytest.param("member", 360, "dark", marks=pytest.mark.exhaustive),
        pytest.param("keeper", 1280, "dark", marks=pytest.mark.exhaustive),
    ],
)
def test_every_page(
    sample_site: tuple[str, SampleSite], browser: Any, who: str, width: int, scheme: str
) -> None:
    address, tokens = sample_site
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    if who != "visitor":
        value = getattr(tokens, who)
        context.add_cookies([{"name": COOKIE, "value": value, "url": address}])
    page, axe, problems = context.new_page(), Axe(), []
    page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
    page.on("console", lambda message: message.type in ("error", "warning")
            and problems.append(f"{page.url}: {message.text}"))  # fmt: skip
    page.on("request", lambda request: request.url.startswith((address, "data:", "blob:"))
            or problems.append(request.url))  # fmt: skip
    # The first tune is the member's own; a keeper sees the rest as others do.
    waiting, seen = {"keeper": ["/desk"]}.get(who, ["/", "/tunes/1"]), set[str]()
    while waiting:
        path = waiting.pop(0)
        kind = name_kind(urlsplit(path).path)
        if kind in seen or FILES.search(kind) or (who == "keeper" and "/desk" not in path):
            continue
        seen.add(kind)
        answer = page.goto(address + path)
        page.wait_for_timeout(100)
        if answer.status >= 400:
            problems.append(f"{path}: {answer.status}")
            continue
        if who != "member" or kind not in PAGES["visitor"]:
            problems += [f"{path}: {one}" for one in find_problems(page, axe)]
        waiting += list_links(page, address)
    context.close()
    assert not problems, "\n".join(sorted(set(problems)))
    assert PAGES[who] <= seen
