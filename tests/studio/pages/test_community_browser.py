"""Members' pages in a browser: a printed book, a book offline, order by drag, a vote, axe."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import delete

from sluice.studio.archive import books
from sluice.studio.archive import month as months
from sluice.studio.archive.activity import record_activity
from sluice.studio.archive.tables import (
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Member,
    MemberSession,
    Month,
)
from sluice.studio.archive.tables.base import get_now
from studio.conftest import PASSWORD

pytestmark = pytest.mark.browser

AOIFE, KEEPER = 1, 2
NUM_TUNES = 9


@pytest.fixture(scope="module")
def filled(site: Any) -> Any:
    """The site with a book of nine jigs, three of them a set, and one of all other things."""
    numbers = site.add_tunes([f"The Jig of Day {n}" for n in range(1, NUM_TUNES + 1)])
    now = get_now()
    with site.database.open_session(write=True) as session:
        aoife = session.get_one(Member, AOIFE)
        book = books.create_book(session, aoife, "Nine jigs", "For *Thursdays*.")
        for number in numbers:
            books.add_entry(session, book, session.get_one(ArchiveTune, number))
        for place in (1, 3, 4):
            books.name_set(book, book.entries[place], "Opening")
        tune = session.get_one(ArchiveTune, numbers[0])
        event = ArchiveEvent(
            title="Session", place="Galway", starts_at=now + timedelta(days=3), tunes=[tune],
            zone="Europe/Dublin", author=aoife,
        )  # fmt: skip
        recording = ArchiveRecording(
            title="Live", kind="link", host="vimeo", host_id="1", tunes=[tune], author=aoife,
            event=event,
        )  # fmt: skip
        month = Month(
            name="March", tune_vote_until=now.date() + timedelta(days=2),
            recordings_until=now.date() + timedelta(days=4),
            recording_vote_until=now.date() + timedelta(days=6),
        )  # fmt: skip
        session.add_all([event, recording, month])
        session.flush()
        for number in numbers[:3]:
            tune = session.get_one(ArchiveTune, number)
            months.nominate_tune(session, month, aoife, tune, now)
        record_activity(session, aoife, "event", event.id)
    return site


def count_staves(picture: Image.Image) -> int:
    """Staves on a page: five lines each, that are dark over most of the page's width."""
    dark = np.asarray(picture.convert("L")) < 160
    is_line = dark.mean(axis=1) > 0.6
    starts = np.flatnonzero(is_line[1:] & ~is_line[:-1])
    groups = np.split(starts, np.flatnonzero(np.diff(starts) > 20) + 1)
    sizes = [len(group) for group in groups if len(group)]
    assert set(sizes) <= {1, 5}  # one line is the rule below a set's name
    return sizes.count(5)


@pytest.mark.exhaustive
def test_a_book_is_printed_without_breaking_a_tune(
    open_page: Callable[..., Any], filled: Any, tmp_path: Path
) -> None:
    page = open_page()
    page.goto("/books/1/print")
    page.wait_for_selector("html[data-drawn]", state="attached")
    scores = page.locator("[data-print-score] svg")
    assert scores.count() == NUM_TUNES
    num_staves = scores.first.locator(".abcjs-staff").count()
    assert num_staves >= 4
    file = tmp_path / "book.pdf"
    page.pdf(path=file, prefer_css_page_size=True)
    if shutil.which("pdftoppm") is None:
        pytest.skip("needs pdftoppm to look at pages: apt-get install poppler-utils")
    subprocess.run(["pdftoppm", "-r", "110", "-png", file, tmp_path / "page"], check=True)
    pages = sorted(tmp_path.glob("page-*.png"))
    staves = [count_staves(Image.open(path)) for path in pages]
    texts = [
        subprocess.run(
            ["pdftotext", "-f", str(number), "-l", str(number), "-layout", file, "-"],
            check=True, capture_output=True, text=True,
        ).stdout
        for number in range(1, len(pages) + 1)
    ]  # fmt: skip
    assert "Nine jigs" in texts[0] and "collected by Aoife" in texts[0] and staves[0] == 0
    assert texts[1].split("\n")[0].strip() == "Index of titles" and staves[1] == 0
    titles = [text.count("The Jig of Day") for text in texts]
    assert titles[1] == NUM_TUNES and sum(titles[2:]) == NUM_TUNES
    # Each page has all staves of its tunes, and more than one tune.
    assert staves[2:] == [count * num_staves for count in titles[2:]]
    assert max(titles[2:]) >= 2
    # Page numbers, but none on the title page.
    assert [text.split()[-1] for text in texts[1:]] == [str(n) for n in range(2, len(pages) + 1)]
    # Small capitals and spaced letters come out of a PDF in pieces.
    plain = ["".join(text.split()).upper() for text in texts]
    with_set = next(text for text in plain if "OPENING" in text)
    assert with_set.index("OPENING") < with_set.index("THEJIGOFDAY2")


def test_a_visited_book_is_read_and_played_without_a_connection(
    open_page: Callable[..., Any], filled: Any
) -> None:
    page = open_page()
    page.goto("/books/1")
    page.get_by_text("Kept in this browser").wait_for(timeout=30_000)
    page.context.set_offline(True)
    page.reload()
    assert page.get_by_role("heading", level=1).inner_text() == "Nine jigs"
    page.get_by_text("There is no connection").wait_for()
    page.get_by_text("The Jig of Day 4", exact=True).click()
    player = page.locator("[data-entry] .player").first
    player.locator(".score-sheet svg").wait_for()
    player.get_by_role("button", name="Play").click()
    player.locator("[data-control=play][aria-pressed=true]").wait_for()
    page.locator(".player.is-playing").wait_for()
    page.locator(".is-sounding").first.wait_for(state="attached")
    page.goto("/books/1/print")
    page.wait_for_selector("html[data-drawn]", state="attached")
    page.goto("/books/77")
    assert page.get_by_role("heading", level=1).inner_text() == "No connection"
    page.context.set_offline(False)


@pytest.mark.exhaustive
def test_a_book_that_became_private_is_no_longer_kept(
    open_page: Callable[..., Any], filled: Any
) -> None:
    with filled.database.open_session(write=True) as session:
        owner = session.get_one(Member, AOIFE)
        number = books.create_book(session, owner, "Public for now").id
    page = open_page()
    page.goto(f"/books/{number}")
    page.get_by_text("Kept in this browser").wait_for(timeout=30_000)
    with filled.database.open_session(write=True) as session:
        books.find_book(session, number, None).is_public = False
    assert page.goto(f"/books/{number}").status == 404
    page.context.set_offline(True)
    page.goto(f"/books/{number}")
    assert page.get_by_role("heading", level=1).inner_text() == "No connection"


@pytest.mark.exhaustive
def test_tunes_are_dragged_into_order_and_moved_by_keys(
    open_page: Callable[..., Any], filled: Any
) -> None:
    with filled.database.open_session(write=True) as session:
        book = books.create_book(session, session.get_one(Member, AOIFE), "Short")
        for number in (1, 2, 3):
            books.add_entry(session, book, session.get_one(ArchiveTune, number))
        number = book.id
    page = open_page(AOIFE)
    page.goto(f"/books/{number}")

    def read_days() -> str:
        return "".join(title[-1] for title in page.locator(".entry-title").all_inner_texts())

    assert read_days() == "123"
    handles = page.locator("[data-handle]")
    start, goal = handles.nth(2).bounding_box(), handles.nth(0).bounding_box()
    page.mouse.move(start["x"] + 5, start["y"] + 10)
    page.mouse.down()
    page.mouse.move(goal["x"] + 5, goal["y"] + 2, steps=4)
    with page.expect_navigation():
        page.mouse.up()
    assert read_days() == "312"
    page.get_by_role("button", name="Move The Jig of Day 1 down").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert read_days() == "321"


@pytest.mark.exhaustive
def test_a_member_votes_by_keys_and_changes_the_vote(
    open_page: Callable[..., Any], filled: Any
) -> None:
    page = open_page(KEEPER)
    page.goto("/month/1")
    page.get_by_role("radio", name="The Jig of Day 1").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="Vote").focus()
    page.keyboard.press("Enter")
    page.get_by_text("You have voted").wait_for()
    assert page.get_by_role("radio", name="The Jig of Day 2").is_checked()
    page.get_by_role("radio", name="The Jig of Day 3").check()
    page.get_by_role("button", name="Change my vote").click()
    page.get_by_text("You have voted").wait_for()
    assert page.get_by_role("radio", name="The Jig of Day 3").is_checked()
    # A script finds tunes to name without sending the form.
    page.get_by_role("searchbox", name="Find a tune").fill("day 7")
    page.get_by_role("checkbox", name="The Jig of Day 7").check()
    page.get_by_role("button", name="Name what is checked").click()
    page.get_by_role("radio", name="The Jig of Day 7").wait_for()


@pytest.mark.exhaustive
def test_what_was_typed_while_the_session_ended_is_still_there(
    open_page: Callable[..., Any], site: Any
) -> None:
    page = open_page()

    def log_in() -> None:
        page.fill("[name=email]", "aoife@example.org")
        page.fill("[name=password]", PASSWORD)
        page.click("main button.primary")

    page.goto("/login?next=/books/new")
    log_in()
    page.wait_for_url("**/books/new")
    page.fill("[name=name]", "Typed in vain?")
    page.fill("[name=text]", "A long text")
    with site.database.open_session(write=True) as session:
        session.execute(delete(MemberSession))
    page.click("main button.primary")
    page.get_by_text("Back button").wait_for(timeout=30_000)
    log_in()
    page.wait_for_url("**/books/new")
    for _ in range(2):  # over the login page, which sends on who is logged in
        page.go_back()
    assert page.input_value("[name=text]") == "A long text"
    page.click("main button.primary")
    assert page.get_by_role("heading", name="Typed in vain?").is_visible()
