"""Small posts: a part of the page changes, the rest stays as it is."""

from __future__ import annotations

from typing import Any

import pytest

from studio.browser.conftest import Players
from studio.browser.sample_tunes import JIG

pytestmark = pytest.mark.browser


def test_a_post_changes_its_part_alone(
    players: Players, player_site: tuple[str, dict[str, Any]]
) -> None:
    shown = player_site[1]
    shown["votes"] = []
    page = players.show(JIG)
    page.evaluate("window.isHere = true")
    for number in (1, 2):
        page.get_by_role("button", name="Send").click()
        page.get_by_text(f"{number} votes").wait_for()
    assert shown["votes"] == ["1", "1"]
    assert page.evaluate("window.isHere") is True
    assert page.url.endswith("/players")
    assert page.evaluate("document.activeElement.closest('#votes') !== null")
    assert players.ask("player.score.bars.length") == 7


@pytest.mark.exhaustive
def test_another_page_is_shown_whole(
    players: Players, player_site: tuple[str, dict[str, Any]]
) -> None:
    player_site[1]["votes"] = []
    page = players.show(JIG)
    page.get_by_label("Vote").fill("no")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Nobody votes no.").wait_for()
    assert page.locator("main").count() == 1
    page = players.show(JIG)
    page.get_by_label("Vote").fill("login")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/login")
    players.problems[:] = [each for each in players.problems if "status of 403" not in each]


def test_without_script_the_form_is_a_form(
    browser: Any, players: Players, player_site: tuple[str, dict[str, Any]]
) -> None:
    address, shown = player_site
    shown["votes"] = []
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(f"{address}/players")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("1 votes").wait_for()
    context.close()
