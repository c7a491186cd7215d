"""A person signs up, forgets the password and moderates, in a browser and by keyboard."""

from __future__ import annotations

import email
import re
import time
from collections.abc import Iterator
from email import policy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.studio.conftest import PASSWORD, find_free_port, serve

from sluice.studio.accounts.sign_up import make_keeper_link
from sluice.studio.app import create_app
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveTune
from sluice.studio.config import StudioConfig

pytestmark = pytest.mark.browser
ABC = "X:1\nT:New\nM:4/4\nL:1/8\nK:D\nA2FA DAFA|ABAF GFEG:|\n"


@pytest.fixture
def config(tmp_path: Path) -> StudioConfig:
    return StudioConfig(
        folder=tmp_path / "studio", port=find_free_port(), mail=f"file:{tmp_path / 'mail'}"
    )


@pytest.fixture
def site(config: StudioConfig, database: Database) -> Iterator[str]:
    """The address of the web application, with no composing process."""
    with serve(create_app(config), config.port):
        yield config.public_address


@pytest.fixture
def visit(browser: Any, site: str) -> Iterator[Any]:
    """A page of a new visitor."""
    context = browser.new_context(base_url=site, viewport={"width": 1280, "height": 900})
    page, problems = context.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda text: problems.append(text.text) if "Policy" in text.text else None)
    yield page
    context.close()
    assert not problems


def wait_for_mail(folder: Path, subject: str) -> str:
    """The path of the link in a mail that the server writes by itself."""
    for _ in range(200):
        for path in folder.glob("*.eml"):
            mail = email.message_from_bytes(path.read_bytes(), policy=policy.default)
            if subject in mail["Subject"]:
                path.unlink()
                found = re.search(r"http://127\.0\.0\.1:\d+(/\S+)", mail.get_content())
                assert found is not None
                return found[1]
        time.sleep(0.1)
    raise AssertionError(f"no mail about {subject}")


def test_sign_up_forget_the_password_and_log_in(visit: Any, tmp_path: Path) -> None:
    visit.goto("/login")
    visit.get_by_role("link", name="Sign up").click()
    visit.get_by_label("Mail address").fill("ann@example.org")
    visit.get_by_label("Name", exact=True).fill("Ann")
    visit.wait_for_timeout(2100)  # robots are faster
    visit.keyboard.press("Enter")
    visit.get_by_role("heading", name="Look into your mail").wait_for()

    visit.goto(wait_for_mail(tmp_path / "mail", "sign-up"))
    visit.get_by_label("Password").fill("short")
    visit.keyboard.press("Enter")  # the browser itself says that this is too short
    visit.get_by_label("Password").fill(PASSWORD)
    visit.keyboard.press("Enter")
    visit.get_by_role("heading", name="Your account").wait_for()
    assert "Ann" in visit.get_by_role("main").inner_text()

    visit.get_by_role("button", name="Log out", exact=True).first.click()
    visit.wait_for_url("**/")
    visit.goto("/account")
    assert "/login" in visit.url
    visit.get_by_role("link", name="I forgot my password").click()
    visit.get_by_label("Mail address").fill("ann@example.org")
    visit.keyboard.press("Enter")
    visit.get_by_role("heading", name="Look into your mail").wait_for()
    visit.goto(wait_for_mail(tmp_path / "mail", "A new password"))
    visit.get_by_label("New password").fill("the banks of the sluice")
    visit.keyboard.press("Enter")
    visit.get_by_role("heading", name="Your account").wait_for()

    visit.context.clear_cookies()
    visit.goto("/account")
    for password, heading in ((PASSWORD, "Log in"), ("the banks of the sluice", "Your account")):
        visit.get_by_label("Mail address").fill("ann@example.org")
        visit.get_by_label("Password").fill(password)
        visit.keyboard.press("Enter")
        visit.get_by_role("heading", name=heading).wait_for()
    assert visit.url.endswith("/account")


@pytest.mark.exhaustive
def test_a_keeper_empties_the_queue_by_keyboard(
    visit: Any, database: Database, config: StudioConfig
) -> None:
    with database.open_session(write=True) as session:
        link = make_keeper_link(session, config, "Gráinne", "grainne@example.org")
        for title in ("One", "Two", "Three"):
            session.add(ArchiveTune(title=title, abc=ABC, visibility="waiting"))
    visit.goto(link)
    visit.get_by_label("Password").fill(PASSWORD)
    visit.keyboard.press("Enter")
    visit.get_by_role("heading", name="Your account").wait_for()
    visit.goto("/desk#first")
    keys = 0
    for title in ("One", "Two", "Three"):
        visit.get_by_role("heading", name=title).wait_for()
        while not visit.evaluate("document.activeElement.innerText").startswith("Approve"):
            visit.keyboard.press("Tab")
            keys += 1
            assert keys < 20
        visit.keyboard.press("Enter")
        visit.get_by_role("heading", name=title).wait_for(state="detached")
    visit.get_by_text("Nothing waits, and nothing was reported.").wait_for()
    with database.open_session() as session:
        assert session.scalars(select(ArchiveTune.visibility)).all() == ["public"] * 3
