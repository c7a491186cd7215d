"""Composing in Chromium, as a visitor does it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sampling import thin_out
from sluice import tunes

pytestmark = pytest.mark.browser

DONE = '[data-tunes] [data-state="done"]:has([data-again])'


def expect_done(page: Any, count: int = 1) -> None:
    from playwright.sync_api import expect

    expect(page.locator(DONE)).to_have_count(count, timeout=60_000)


def read_seed(page: Any) -> int:
    return int(page.input_value("#seed"))


def read_abc(page: Any, place: int = 0) -> str:
    """What stands below a score."""
    text: str = page.locator("[data-tunes] [data-abc]").nth(place).text_content()
    return text


def test_a_tune_writes_itself_is_played_and_archived(page: Any) -> None:
    page.goto("/")
    expect_done(page)
    (expected,) = tunes.load_composer().compose(seed=read_seed(page))
    assert read_abc(page) == expected.abc()
    assert page.title().startswith(f"{expected.title} – ")
    assert page.url.endswith(page.locator("[data-tunes] [data-tune]").get_attribute("data-code"))
    page.click("[data-control=play]")
    page.wait_for_selector(".player.is-playing .is-sounding")
    page.click("[data-control=play]")
    page.click("[data-archive] summary")
    page.fill("[data-archive] [name=title]", "Kept by a test")
    page.fill("[data-archive] [name=author]", "A Visitor")
    page.click("[data-archive] .primary")
    link = page.get_by_role("link", name="Kept by a test")
    link.wait_for()
    address = page.url
    page.reload()
    link.wait_for()
    assert page.url == address
    assert read_abc(page) == expected.abc()
    page.goto("/compositions")
    assert page.get_by_role("link", name="Kept by a test").is_visible()


@pytest.mark.exhaustive
def test_one_wish_is_changed_with_the_seed_kept_and_undone(page: Any) -> None:
    page.goto("/")
    expect_done(page)
    seed, first = read_seed(page), read_abc(page)
    page.click("[data-change]")
    assert page.is_checked("[name=keep_seed]")
    page.select_option("#dance", "slip jig")
    page.keyboard.press("Tab")
    page.press("#temperature", "Enter")
    expect_done(page, 2)
    (expected,) = tunes.load_composer().compose(dance="slip jig", seed=seed)
    assert (read_abc(page), read_abc(page, 1)) == (expected.abc(), first)
    page.go_back()
    expect_done(page)
    assert (read_abc(page), page.input_value("#dance")) == (first, "")
    page.go_forward()
    expect_done(page, 2)
    assert page.input_value("#dance") == "slip jig"
    page.locator("[data-remove]").nth(1).click()
    expect_done(page)
    assert read_abc(page) == expected.abc()


@pytest.mark.exhaustive
def test_a_reload_in_mid_stream_loses_nothing(page: Any) -> None:
    page.goto("/?none=1")
    page.click("[data-more] summary")
    page.select_option("#count", "4")
    page.fill("#seed", "700")
    page.click(".compose-buttons .primary")
    page.wait_for_selector('[data-tunes] [data-state="running"]')
    page.reload()
    expect_done(page, 4)
    expected = [tune.abc() for tune in tunes.load_composer().compose(4, seed=700)]
    assert [read_abc(page, place) for place in range(4)] == expected


@pytest.mark.exhaustive
def test_bars_are_selected_and_varied(page: Any) -> None:
    page.goto("/?none=1")
    page.fill("#seed", "12")
    page.select_option("#dance", "jig")
    page.click(".compose-buttons .primary")
    expect_done(page)
    source = tunes.read_tune(read_abc(page))
    page.locator("[data-score]").focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert page.input_value("[data-bars]") == "2–3"
    page.click("button[value=vary]")
    expect_done(page, 2)
    varied = tunes.read_tune(read_abc(page))
    bars = [[one.tokens[b.start : b.stop] for b in one.score.bars] for one in (varied, source)]
    changed = [n for n, (new, old) in enumerate(zip(*bars, strict=True), 1) if new != old]
    assert {2, 3} & set(changed)
    assert page.locator("[data-changed]").get_attribute("data-changed").split() == [
        str(number) for number in changed
    ]
    page.go_back()
    expect_done(page)


def test_what_is_wrong_is_said_beside_its_field(page: Any) -> None:
    page.goto("/?none=1")
    page.fill("#temperature", "11")
    page.click(".compose-buttons .primary")
    problem = page.locator("#temperature-problem")
    problem.wait_for()
    assert "0.01 to 10" in problem.text_content()
    assert page.get_attribute("#temperature", "aria-invalid") == "true"
    page.fill("#temperature", "0.9")
    problem.wait_for(state="hidden")
    page.click("[data-more] summary")
    page.fill("#start", "G2 ?A")
    page.locator("[data-marked] mark").wait_for()
    assert page.locator("[data-marked] mark").text_content() == "?"
    assert re.search("character 4", page.locator("#start-problem").text_content())


@pytest.mark.exhaustive
@pytest.mark.parametrize("scheme", thin_out(["light", "dark"], 2))
def test_axe_finds_nothing(browser: Any, live_studio: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(
        base_url=live_studio, color_scheme=scheme, viewport={"width": 360, "height": 800}
    )
    page = context.new_page()
    page.goto("/")
    expect_done(page)
    page.click("[data-more] summary")
    for place in ("[data-edit]", "[data-archive]", ".compose-provenance"):
        page.click(f"{place} > summary")
    context.set_default_timeout(30_000)
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()
