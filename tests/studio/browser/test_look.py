"""The look of pages: contrasts and labels by axe in both schemes, paper, and their weight."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

import sluice
from sampling import thin_out
from studio.browser.conftest import Players
from studio.browser.sample_tunes import JIG, REEL

pytestmark = pytest.mark.browser
STATIC = Path(sluice.__file__).parent / "studio/static"

VIEWS = [
    {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    for width, scheme in ((1280, "light"), (390, "dark"))
]


@pytest.mark.parametrize("players", thin_out(VIEWS, 2, 1), indirect=True)
def test_axe_finds_nothing(players: Players) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = players.show(REEL, editor=JIG)
    page.locator("[data-control=tablature]").first.select_option("whistle")
    page.locator(".score").first.focus()
    page.keyboard.press("ArrowRight")
    page.locator("details.abc-text summary").first.click()
    if page.locator(".site-menu").is_visible():
        page.locator(".site-menu summary").click()
    assert describe(axe.run(page)) == []
    page.locator("[data-control=help]").first.click()
    assert describe(axe.run(page, context="dialog")) == []
    players.problems[:] = [each for each in players.problems if "axe" not in each]


def describe(results: Any) -> list[str]:
    return [
        f"{found['id']}: {node['html'][:200]} {node['failureSummary']}"
        for found in results.response["violations"]
        for node in found["nodes"]
    ]


def test_what_a_page_first_loads_is_at_most_220_kb(players: Players) -> None:
    players.show(REEL)
    names = {
        url.split("/static/", 1)[1].split("/", 1)[1]
        for url in players.requests
        if "/static/" in url
    }
    assert any("abcjs" in name for name in names) and "own/studio.css" in names
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes(), 9)) for name in names}
    html = players.page.request.get(f"{players.address}/players").body()
    assert sum(sizes.values()) + len(gzip.compress(html, 9)) < 220_000, sizes


@pytest.mark.exhaustive
def test_paper_shows_scores_and_no_controls(players: Players) -> None:
    page = players.show(REEL, JIG)
    page.emulate_media(media="print")
    for name in (".site-header", ".site-footer", ".player-controls", ".abc-text"):
        assert page.locator(name).first.is_hidden(), name
    assert page.locator(".score svg").first.is_visible()
    kept = page.evaluate("getComputedStyle(document.querySelector('.score')).breakInside")
    assert kept == "avoid"
    page.emulate_media(media="screen")
