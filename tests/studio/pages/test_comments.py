"""Comments and notes on a tune."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveEvent, ArchiveRecording
from sluice.studio.archive.tables.base import get_now
from sluice.studio.archive.tunes import add_tune
from studio.conftest import add_member, log_in

ABC = "X:1\nT:The Long Road\nM:6/8\nK:G\n|:GAB d2e|d2B A3:|\n"


@pytest.fixture
def tune_id(database: Database) -> int:
    with database.open_session(write=True) as session:
        tune = add_tune(session, title="", abc=ABC, author=None)
        tune.visibility = "public"
        return tune.id


@pytest.fixture
def other_client(studio_app: FastAPI, database: Database) -> Iterator[TestClient]:
    with TestClient(studio_app, follow_redirects=False) as opened:
        yield log_in(opened, database, add_member(database, "Brona", num_approved=3))


def comment(client: TestClient, tune_id: int, text: str) -> str:
    sent = {"subject": "tune", "subject_id": tune_id, "text": text}
    answer = client.post("/comments", data=sent)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_comment_is_markdown_and_changed_by_its_author_alone(
    member_client: TestClient, other_client: TestClient, keeper_client: TestClient, tune_id: int
) -> None:
    address = comment(member_client, tune_id, "*Slowly*, <b>please</b>")
    assert address == f"/tunes/{tune_id}#comment-1"
    page = other_client.get(f"/tunes/{tune_id}").text
    assert "<em>Slowly</em>, &lt;b&gt;please&lt;/b&gt;" in page
    assert "/comments/1/edit" not in page and "/report?subject=comment&amp;id=1" in page
    assert other_client.get("/comments/1/edit").status_code == 403
    assert other_client.post("/comments/1/edit", data={"text": "no"}).status_code == 403
    assert other_client.post("/comments/1/delete").status_code == 403

    assert "*Slowly*" in member_client.get("/comments/1/edit").text
    empty = member_client.post("/comments/1/edit", data={"text": " "})
    assert empty.status_code == 422 and "write something" in empty.text
    assert member_client.post("/comments/1/edit", data={"text": "Fast"}).status_code == 303
    page = other_client.get(f"/tunes/{tune_id}").text
    assert "<p>Fast</p>" in page and "changed" in page
    assert keeper_client.post("/comments/1/delete").status_code == 303
    assert "<p>Fast</p>" not in other_client.get(f"/tunes/{tune_id}").text
    assert member_client.get("/comments/1/edit").status_code == 404


def test_comments_on_recordings_and_events(
    member_client: TestClient, client: TestClient, database: Database
) -> None:
    with database.open_session(write=True) as session:
        session.add(
            ArchiveRecording(title="Played", kind="link", host="youtube", host_id="abcdefghijk")
        )
        session.add(ArchiveEvent(title="Session", starts_at=get_now(), place="Ennis"))
    for subject in ("recording", "event"):
        sent = {"subject": subject, "subject_id": 1, "text": f"On the *{subject}*"}
        answer = member_client.post("/comments", data=sent)
        path, _, place = answer.headers["location"].partition("#")
        assert path == f"/{subject}s/1"
        page = client.get(path).text
        assert f'id="{place}"' in page and f"On the <em>{subject}</em>" in page


def test_comments_on_what_is_not_there_are_refused(member_client: TestClient) -> None:
    for subject, number in (("tune", 7), ("member", 1), ("tune", 10**30), ("", 0)):
        sent = {"subject": subject, "subject_id": number, "text": "x"}
        assert member_client.post("/comments", data=sent).status_code in (404, 422)


def test_comment_of_a_new_member_waits_for_a_keeper(
    studio_app: FastAPI, database: Database, keeper_client: TestClient, client: TestClient,
    tune_id: int,
) -> None:  # fmt: skip
    new = log_in(
        TestClient(studio_app, follow_redirects=False), database, add_member(database, "New")
    )
    comment(new, tune_id, "Buy this")
    assert "Buy this" in new.get(f"/tunes/{tune_id}").text
    assert "waits for a keeper" in new.get(f"/tunes/{tune_id}").text
    assert "Buy this" not in client.get(f"/tunes/{tune_id}").text
    assert "Buy this" in keeper_client.get(f"/tunes/{tune_id}").text


def test_note_with_a_link(
    member_client: TestClient, other_client: TestClient, tune_id: int
) -> None:
    path = f"/tunes/{tune_id}/notes"
    sent = {"text": "From <b>Nell</b>", "url": "https://example.org/a?b=1&c=2"}
    assert member_client.post(path, data=sent).status_code == 303
    page = other_client.get(f"/tunes/{tune_id}").text
    assert "From &lt;b&gt;Nell&lt;/b&gt;" in page
    assert '<a href="https://example.org/a?b=1&amp;c=2" rel="nofollow ugc' in page
    assert f"{path}/1/delete" not in page
    assert other_client.post(f"{path}/1/delete").status_code == 403
    assert "The Long Road" in other_client.get("/tunes?q=nell").text
    assert member_client.post(f"{path}/1/delete").status_code == 303
    assert "The Long Road" not in other_client.get("/tunes?q=nell").text


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "//example.org", "http://", "https://a b/",
     "https://user@example.org", "HTTPS://[", "https://example.org:port/", "ftp://example.org",
     "https://example.org/" + "a" * 500, "\tjavascript:alert(1)", "https://x/\u202e"],
)  # fmt: skip
def test_links_that_are_no_web_address_are_refused(
    member_client: TestClient, tune_id: int, url: str
) -> None:
    answer = member_client.post(f"/tunes/{tune_id}/notes", data={"text": "Kept text", "url": url})
    assert answer.status_code == 422 and "Kept text" in answer.text
    assert 'id="url-error"' in answer.text
    assert f'href="{url}' not in answer.text
