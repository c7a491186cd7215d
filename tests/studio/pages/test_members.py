"""Members' pages, following, activity, and the weekly mail."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sluice.studio.accounts.mail import send_waiting
from sluice.studio.archive import books
from sluice.studio.archive.activity import record_activity
from sluice.studio.archive.database import Database
from sluice.studio.archive.follow import follow
from sluice.studio.archive.tables import (
    ArchiveTune,
    Comment,
    Member,
    OutgoingMail,
    Setting,
)
from sluice.studio.archive.tables.base import get_now
from sluice.studio.config import StudioConfig
from sluice.studio.web.digests import send_digests
from studio.conftest import add_member, log_in


@pytest.fixture
def bob_id(database: Database, member_id: int) -> int:
    """Bob, with a public tune and one that waits, a setting, a comment and a private book."""
    number = add_member(database, "Bob <b>", num_approved=3, about="I play *slowly*. <i>x</i>")
    with database.open_session(write=True) as session:
        bob = session.get_one(Member, number)
        tune = ArchiveTune(title="Public tune", abc="x", author=bob)
        waits = ArchiveTune(title="Waiting tune", abc="x", author=bob, visibility="waiting")
        session.add_all([tune, waits])
        session.flush()
        setting = Setting(tune=tune, number=1, abc="x", author=bob)
        comment = Comment(subject="tune", subject_id=tune.id, author=bob, text="A fine tune.")
        session.add_all([setting, comment])
        books.create_book(session, bob, "Secret book", is_public=False)
        session.flush()
        for subject, row in [("tune", tune), ("tune", waits), ("comment", comment)]:
            record_activity(session, bob, subject, row.id)  # type: ignore[arg-type]
    return number


def test_a_page_shows_what_its_viewer_may_see(
    client: TestClient, member_client: TestClient, database: Database, bob_id: int
) -> None:
    page = client.get(f"/members/{bob_id}").text
    assert "Bob &lt;b&gt;" in page and "<em>slowly</em>" in page and "<i>x" not in page
    assert "Public tune" in page and "A fine tune." in page and "setting 1" in page
    assert "Waiting tune" not in page and "Secret book" not in page
    assert "Waiting tune" not in member_client.get(f"/members/{bob_id}").text
    own = log_in(client, database, bob_id).get(f"/members/{bob_id}").text
    assert "Waiting tune" in own and "Secret book" in own and "/profile" in own


def test_a_new_members_words_are_for_nobody_else_yet(
    client: TestClient, database: Database, keeper_id: int
) -> None:
    number = add_member(database, "New", about="Buy pills at https://pills.example")
    assert "pills" not in client.get(f"/members/{number}").text
    assert "pills" in log_in(client, database, number).get(f"/members/{number}").text


def test_a_blocked_member_has_no_page(client: TestClient, database: Database) -> None:
    number = add_member(database, "Robot", is_blocked=True)
    assert client.get(f"/members/{number}").status_code == 404
    assert "Robot" not in client.get("/members").text


def test_members_are_found_by_name(client: TestClient, database: Database, bob_id: int) -> None:
    assert "Aoife" in client.get("/members").text
    found = client.get("/members", params={"words": "BOB"}).text
    assert "Bob &lt;b&gt;" in found and "Aoife" not in found
    assert "Nobody of that name." in client.get("/members", params={"words": "%"}).text


def test_what_a_member_says_of_themselves_can_be_changed(
    member_client: TestClient, client: TestClient, member_id: int
) -> None:
    assert member_client.post("/profile", data={"about": "**Fiddle**"}).status_code == 303
    assert "<strong>Fiddle</strong>" in client.get(f"/members/{member_id}").text
    refused = member_client.post("/profile", data={"about": "x" * 2001})
    assert refused.status_code == 422 and 'id="about-error"' in refused.text
    assert client.get("/profile").headers["location"].startswith("/login")


def test_following_brings_news_and_ends(
    member_client: TestClient, client: TestClient, bob_id: int
) -> None:
    sent = {"subject": "member", "id": bob_id}
    assert "Public tune" in client.get("/activity").text
    assert "Public tune" not in member_client.get("/activity?of=followed").text
    assert member_client.post("/follow", data=sent).headers["location"] == f"/members/{bob_id}"
    news = member_client.get("/activity?of=followed").text
    assert "added the tune" in news and "commented on" in news and "Waiting tune" not in news
    assert "1 follower" in client.get(f"/members/{bob_id}").text
    assert member_client.post("/unfollow", data={**sent, "next": "activity"}).status_code == 303
    assert "Public tune" not in member_client.get("/activity?of=followed").text
    for wrong in ({"subject": "book", "id": 1}, {"subject": "member"}, {}):
        assert member_client.post("/follow", data=wrong).status_code == 404
    assert client.get("/activity?of=nobody").status_code == 422


def start_digest(database: Database, member_id: int, bob_id: int) -> None:
    with database.open_session(write=True) as session:
        member = session.get_one(Member, member_id)
        member.wants_digest = True
        follow(session, member, "member", bob_id)


def wants_digest(database: Database, number: int) -> bool:
    with database.open_session() as session:
        return session.get_one(Member, number).wants_digest


def count_mails(database: Database) -> int:
    with database.open_session() as session:
        return session.query(OutgoingMail).count()


def test_a_digest_comes_once_a_week_and_only_with_news(
    database: Database, config: StudioConfig, member_id: int, bob_id: int
) -> None:
    config, now = replace(config, mail=f"file:{config.folder / 'mail'}"), get_now()
    assert send_digests(database, config, now) == 0  # nobody wants one
    start_digest(database, member_id, bob_id)
    assert send_digests(database, replace(config, mail=""), now) == 0
    assert send_digests(database, config, now + timedelta(seconds=1)) == 1
    for days in (0, 1, 6):
        assert send_digests(database, config, now + timedelta(days=days)) == 0
    assert send_digests(database, config, now + timedelta(days=7)) == 0  # no news
    assert count_mails(database) == 1
    with database.open_session(write=True) as session:
        record_activity(session, session.get_one(Member, bob_id), "tune", 1)
        session.flush()
    assert send_digests(database, config, now + timedelta(days=14)) == 0  # older than the last
    with database.open_session() as session:
        text = session.query(OutgoingMail).one().text
    assert "Bob <b> added the tune “Public tune”" in text and "Waiting" not in text


def test_a_digest_can_be_ended_by_its_link_without_login(
    database: Database, config: StudioConfig, client: TestClient, member_id: int, bob_id: int
) -> None:
    folder = config.folder / "mail"
    config = replace(config, mail=f"file:{folder}")
    start_digest(database, member_id, bob_id)
    assert send_digests(database, config, get_now() + timedelta(seconds=1)) == 1
    assert send_waiting(database, config) == 1
    mail = next(Path(folder).glob("*.eml")).read_bytes()
    # As it stands on the wire: mail programs decode no header that is to be one address.
    link = re.search(rb"^List-Unsubscribe: <http://testserver:80(\S+)>\r$", mail, re.MULTILINE)
    assert link is not None and mail.count(link[1]) == 2
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in mail
    path = link[1].decode()
    assert "<form method" in client.get(path).text and wants_digest(database, member_id)
    for wrong in (path[:-1], path.replace(f"/{member_id}/", f"/{bob_id}/")):
        assert client.post(wrong).status_code == 404
    assert wants_digest(database, member_id)
    # As RFC 8058 has it: from the provider's server, with nothing but this.
    answer = client.post(
        path,
        data={"List-Unsubscribe": "One-Click"},
        headers={"sec-fetch-site": "cross-site", "origin": "https://mail.example"},
    )
    assert answer.status_code == 200 and not wants_digest(database, member_id)


def test_too_many_posts_are_answered_with_how_long_to_wait(
    member_client: TestClient, keeper_client: TestClient
) -> None:
    sent = {"about": "I play the flute."}
    assert [member_client.post("/profile", data=sent).status_code for _ in range(10)] == [303] * 10
    refused = member_client.post("/profile", data=sent)
    assert refused.status_code == 429 and "wait about an hour" in refused.text
    assert 3000 < int(refused.headers["retry-after"]) <= 3900
    assert [keeper_client.post("/profile", data=sent).status_code for _ in range(12)] == [303] * 12
