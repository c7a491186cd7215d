"""The archive as a person uses it in Chromium: search, a setting with errors, hostile texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from studio.browser.hostile_abc import BODY, HEAD, HOSTILE, LINK, MARKUP
from studio.conftest import MISSING, add_member, find_free_port, serve

if not MISSING:
    from sluice.studio.accounts.sessions import COOKIE, start_session
    from sluice.studio.app import create_app
    from sluice.studio.archive.comments import add_comment
    from sluice.studio.archive.database import Database
    from sluice.studio.archive.notes import add_note
    from sluice.studio.archive.settings import add_setting
    from sluice.studio.archive.tables import Member
    from sluice.studio.archive.tunes import add_tune
    from sluice.studio.config import StudioConfig
    from sluice.studio.errors import StudioError

pytestmark = pytest.mark.browser

ROAD = "X:1\nT:The Long Road\nR:jig\nM:6/8\nL:1/8\nK:G\n|:GAB d2e|d2B A3:|\n"


class Archive:
    """A studio whose pages a member of it looks at; what goes wrong on them is kept."""

    def __init__(self, address: str, database: Database, browser: Any, token: str) -> None:
        self.address, self.database = address, database
        context = browser.new_context(base_url=address, viewport={"width": 390, "height": 844})
        context.add_cookies([{"name": COOKIE, "value": token, "url": address}])
        self.page, self.problems = context.new_page(), list[str]()
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: self.problems.append(dialog.message))
        self.page.on("request", self._check_request)

    def _check_request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.problems.append(request.url)


@pytest.fixture
def archive(tmp_path: Path, browser: Any) -> Iterator[Archive]:
    config = StudioConfig(folder=tmp_path / "studio", port=find_free_port())
    config.folder.mkdir()
    database = Database(config.database_url)
    database.create_tables()
    number = add_member(database, "Aoife", num_approved=3)
    with database.open_session(write=True) as session:
        token = start_session(session, session.get_one(Member, number))
    with serve(create_app(config), config.port):
        opened = Archive(config.public_address, database, browser, token)
        yield opened
        opened.page.context.close()
    database.close()
    assert opened.problems == []


def fill(archive: Archive, change: Callable[[Any, Any], None]) -> None:
    with archive.database.open_session(write=True) as session:
        change(session, session.get_one(Member, 1))


def test_search_by_notes_leads_to_the_tune(archive: Archive) -> None:
    def change(session: Any, member: Any) -> None:
        add_tune(session, title="", abc=ROAD, author=member)
        for key in "DEA":
            abc = ROAD.replace("Long", key).replace("GAB d2e", "BAG GFE").replace("K:G", f"K:{key}")
            add_tune(session, title="", abc=abc, author=member)

    fill(archive, change)
    page = archive.page
    page.goto("/tunes")
    page.get_by_label("Notes, in any key").fill("CDE G2 A")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tunes?notes=CDE+G2+A", timeout=30_000)
    assert page.locator(".tune-list h3").all_text_contents() == ["The Long Road"]
    page.locator(".incipit svg path").first.wait_for(state="attached")
    page.get_by_label("Notes, in any key").fill("what?")
    page.keyboard.press("Enter")
    assert "is no note" in page.get_by_role("alert").inner_text()
    page.go_back()
    page.get_by_role("link", name="The Long Road").press("Enter")
    page.wait_for_url("**/tunes/1")
    page.locator(".score svg").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.exhaustive
def test_setting_with_errors_is_mended(archive: Archive) -> None:
    fill(archive, lambda session, member: add_tune(session, title="", abc=ROAD, author=member))
    page = archive.page
    page.goto("/tunes/1")
    page.get_by_role("link", name="Add your setting").click()
    field = page.get_by_label("ABC", exact=True)
    page.locator(".score svg").first.wait_for()
    wrong = ROAD.replace("d2B A3", "(3de|f")
    field.fill(wrong)
    page.get_by_role("button", name="Save setting").click()
    page.get_by_role("alert").wait_for()
    assert "Line 7: a tuplet with too few notes" in page.get_by_role("alert").inner_text()
    assert field.input_value().strip() == wrong.strip()
    assert field.get_attribute("aria-invalid") == "true"
    field.fill(wrong.replace("(3de|f", "(3def B3"))
    page.get_by_label("What is different").fill("as in Clare")
    page.get_by_role("button", name="Save setting").click()
    page.wait_for_url("**/tunes/1/settings/1")
    page.locator(".score svg").first.wait_for()
    assert "as in Clare" in page.locator("main").inner_text()


def test_hostile_texts_are_only_texts(archive: Archive) -> None:
    ordinary = HEAD + f"T:{MARKUP}\n" + BODY

    def change(session: Any, member: Any) -> None:
        member.name = MARKUP[:80]
        tune = add_tune(session, title=MARKUP, abc=ordinary, author=member)
        add_setting(session, tune, member, ordinary.replace("GABc", "cBAG"), MARKUP)
        add_note(session, tune, member, MARKUP + LINK)
        add_comment(session, "tune", tune.id, member, f"{MARKUP} [a]({LINK}) ![b]({LINK}) <{LINK}>")
        for number, abc in enumerate(HOSTILE):
            title = f'{number} "><script>alert(5)</script>'
            with suppress(StudioError):  # too long, or no text
                add_tune(
                    session, title=title, abc=abc, author=None, author_name=MARKUP[:80],
                    keeps_unread=True,
                )  # fmt: skip

    fill(archive, change)
    page = archive.page
    paths = ["/tunes/1", "/tunes/1/edit", "/tunes/1/settings/1", "/tunes", "/tunes?page=2",
             "/tunes?q=script", "/tunes?q=%22%3E%3Cscript%3Ealert(6)%3C%2Fscript%3E",
             "/tunes?notes=%22%3E%3Cscript%3E", "/tunes?dance=%22%3E%3Cscript%3Ealert(7)",
             "/comments/1/edit", "/tunes/20", "/tunes/33"]  # fmt: skip
    for path in paths:
        page.goto(path)
        page.mouse.wheel(0, 4000)
        page.wait_for_timeout(60)
        added = page.evaluate(
            """[...document.querySelectorAll("*")].filter((element) =>
                [...element.attributes].some(({ name }) => name.startsWith("on")) ||
                element.matches("main script:not([type]), main img, main iframe, main object") ||
                /^javascript:/i.test(element.getAttribute("href") ?? "")).length"""
        )
        assert added == 0, path
    page.goto("/tunes/1")
    assert page.title().startswith(MARKUP)
    assert page.locator("h1").inner_text() == MARKUP
