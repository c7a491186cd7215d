"""Comments and following on a tune's page, which stays where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def test_comments_and_following_leave_the_page_as_it_is(
    open_page: Callable[..., Any], site: Any
) -> None:
    (number,) = site.add_tunes(["The Comment"])
    page = open_page(1)
    page.goto(f"/tunes/{number}")
    page.locator(".score-sheet svg").first.wait_for()
    page.evaluate("window.isHere = true")
    page.get_by_label("Your comment").fill("A *fine* tune & <b>more</b>")
    page.get_by_role("button", name="Save comment").click()
    page.locator("#comments em", has_text="fine").wait_for()
    assert "& <b>more</b>" in page.locator("#comments").inner_text()
    assert page.get_by_label("Your comment").input_value() == ""
    page.get_by_role("button", name="Follow The Comment", exact=True).click()
    page.get_by_role("button", name="Unfollow The Comment").wait_for()
    assert page.evaluate("window.isHere") is True
    assert page.locator(".score-sheet svg").count() == 1
    page.reload()
    assert page.locator("#comments em").count() == 1
    assert page.get_by_role("button", name="Unfollow The Comment").count() == 1
