"""Tunebooks: adding by one click, order, sets, who sees them, and the printed page."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveTune, Book, Setting
from studio.conftest import add_member, log_in


@pytest.fixture
def tunes(database: Database) -> list[int]:
    with database.open_session(write=True) as session:
        found = [
            ArchiveTune(title=title, abc=f"X:1\nT:{title}\nK:D\nDEFG|\n")
            for title in ("The Weir", "A Gate", "Sluice & Son", "An Eddy")
        ]
        session.add_all(found)
        session.flush()
        session.add(Setting(tune=found[0], number=1, abc="X:1\nK:D\nGFED|\n"))
        return [tune.id for tune in found]


@pytest.fixture
def book(member_client: TestClient, tunes: list[int]) -> str:
    """The address of a book with the four tunes."""
    for tune in tunes:
        answer = member_client.post("/books/add", data={"tune": tune})
        assert answer.headers["location"] == f"/tunes/{tune}#tunebooks"
    return "/books/1"


def read_titles(client: TestClient, path: str) -> list[str]:
    return re.findall(r'class="entry-title">([^<]+)<', client.get(path).text)


def read_entries(client: TestClient, path: str) -> list[str]:
    return re.findall(r'data-entry="(\d+)"', client.get(path).text)


def test_one_click_begins_a_book_and_adds_to_it_once(
    member_client: TestClient, client: TestClient, book: str, tunes: list[int], member_id: int
) -> None:
    member_client.post("/books/add", data={"tune": tunes[0]})
    member_client.post("/books/add", data={"tune": tunes[0], "setting": 1})
    page = client.get(book).text
    assert read_titles(client, book) == [
        "The Weir", "A Gate", "Sluice &amp; Son", "An Eddy", "The Weir"
    ]  # fmt: skip
    assert "setting 1" in page and "GFED" in page and "/move" not in page
    assert "Tunebook" in client.get(f"/members/{member_id}/tunebook").text
    assert member_client.post("/books/add", data={"tune": 999}).status_code == 404
    assert member_client.post("/books/add", data={}).status_code == 404


def test_buttons_and_drops_order_a_book(member_client: TestClient, book: str) -> None:
    first, second, third, fourth = read_entries(member_client, book)
    moved = member_client.post(f"{book}/entries/{first}/move", data={"to": "down"})
    assert moved.headers["location"] == f"{book}#entry-{first}"
    assert read_entries(member_client, book) == [second, first, third, fourth]
    member_client.post(f"{book}/entries/{fourth}/place", data={"before": second})
    assert read_entries(member_client, book) == [fourth, second, first, third]
    member_client.post(f"{book}/entries/{fourth}/place", data={"before": ""})
    assert read_entries(member_client, book) == [second, first, third, fourth]
    wrong = member_client.post(f"{book}/entries/{first}/move", data={"to": "left"})
    assert wrong.status_code == 422
    assert member_client.post(f"{book}/entries/99/move", data={"to": "up"}).status_code == 404
    member_client.post(f"{book}/entries/{first}/remove")
    assert read_entries(member_client, book) == [second, third, fourth]


def test_sets_stand_together_on_the_page_and_in_print(
    member_client: TestClient, client: TestClient, book: str
) -> None:
    first, _second, third, _fourth = read_entries(member_client, book)
    for entry in (first, third):
        name = {"set_name": "Set <1>"}
        assert member_client.post(f"{book}/entries/{entry}/set", data=name).status_code == 303
    for path in (book, f"{book}/print"):
        page = client.get(path).text
        start = page.index("Set &lt;1&gt;</h2>")
        within = page[start : page.index("</section>", start)]
        assert "The Weir" in within and "Sluice &amp; Son" in within and "A Gate" not in within


def test_print_has_a_title_page_an_index_and_numbers(client: TestClient, book: str) -> None:
    page = client.get(f"{book}/print").text
    assert "collected by Aoife" in page and "4 tunes" in page
    index = re.findall(
        r'href="#tune-(\d)"><span class="index-title">([^<]+)</span>'
        r'<span class="index-number">(\d)',
        page,
    )
    assert index == [("4", "An Eddy", "4"), ("2", "A Gate", "2"), ("3", "Sluice &amp; Son", "3"),
                     ("1", "The Weir", "1")]  # fmt: skip
    for number, title in [("1", "The Weir"), ("4", "An Eddy")]:
        article = page[page.index(f'id="tune-{number}"') :]
        assert f"T:{title}\nK:D" in article[: article.index("</article>")]


def test_a_private_book_is_shown_to_its_owner_only(
    member_client: TestClient, client: TestClient, keeper_client: TestClient, member_id: int
) -> None:
    sent = {"name": "Secret & mine", "text": "About *it*"}
    path = member_client.post("/books/new", data=sent).headers["location"]
    assert "<em>it</em>" in member_client.get(path).text
    for other in (client, keeper_client):
        assert other.get(path).status_code == 404
        assert other.get(f"{path}/print").status_code == 404
        assert "Secret" not in other.get(f"/members/{member_id}/tunebook").text
    assert "Secret" not in client.get("/activity").text
    member_client.post(f"{path}/edit", data={**sent, "is_public": "1"})
    assert "Secret &amp; mine" in client.get(path).text
    assert "Secret" in client.get("/activity").text


def test_only_its_owner_changes_a_book(
    member_client: TestClient, client: TestClient, database: Database, book: str, member_id: int
) -> None:
    entry = read_entries(member_client, book)[0]
    other = log_in(client, database, add_member(database, "Other"))
    for path in ("edit", "delete", f"entries/{entry}/remove", f"entries/{entry}/move"):
        assert other.post(f"{book}/{path}", data={"name": "x", "to": "up"}).status_code == 403
    assert other.post("/books/add", data={"tune": 1, "book": 1}).status_code == 403
    assert member_client.post(f"{book}/delete").headers["location"].endswith("/tunebook")
    assert client.get(book).status_code == 404
    with database.open_session() as session:
        assert session.query(ArchiveTune).count() == 4
        assert {tune.num_books for tune in session.query(ArchiveTune)} == {0}


@pytest.mark.parametrize("change", [{"name": " "}, {"name": "x" * 81}, {"text": "x" * 10_001}])
def test_a_refused_book_keeps_what_was_typed(
    member_client: TestClient, database: Database, change: dict[str, str]
) -> None:
    answer = member_client.post("/books/new", data={"name": "Kept", "text": "Typed", **change})
    assert answer.status_code == 422 and f'id="{next(iter(change))}-error"' in answer.text
    assert "Typed" in answer.text or "text" in change
    with database.open_session() as session:
        assert session.query(Book).count() == 0


def test_the_worker_is_limited_to_books_and_always_asked_for_anew(client: TestClient) -> None:
    worker = client.get("/books/worker")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["cache-control"] == "no-cache"
    assert "service-worker-allowed" not in worker.headers
    assert "No connection" in client.get("/books/offline").text


def test_logging_out_clears_what_was_kept_for_reading_offline(member_client: TestClient) -> None:
    assert member_client.post("/logout").headers["clear-site-data"] == '"storage"'


def test_a_setting_stands_under_its_number_with_its_own_key(
    member_client: TestClient, client: TestClient, database: Database
) -> None:
    with database.open_session(write=True) as session:
        tune = ArchiveTune(
            title="The Weir", abc="X:1\nT:The Weir\nR:jig\nM:6/8\nK:Em\nE3 G3|\n",
            dance="jig", meter="6/8", tonic="E", mode="min",
        )  # fmt: skip
        abc = "X:1\nT:The Weir\nM:9/8\nK:D\nD3 F3 A3|\n"
        tune.settings = [Setting(number=4, abc=abc), Setting(number=5, abc="no tune")]
        session.add(tune)
        session.flush()
        number, settings = tune.id, [setting.id for setting in tune.settings]
    for sent in ({}, *({"setting": setting} for setting in settings)):
        member_client.post("/books/add", data={"tune": number, **sent})
    printed = client.get("/books/1/print").text
    heads = re.findall(
        r'class="tune-number">\d</span> ([^<]+?)\s*<span class="tune-kind">([^<]*)<', printed
    )
    assert heads == [
        ("The Weir", "jig, E min"), ("The Weir, setting 4", "jig, D maj"),
        ("The Weir, setting 5", "jig"),
    ]  # fmt: skip
    lines = re.findall(r'<span class="muted small">([^<]+)<', client.get("/books/1").text)
    assert lines == ["jig · 6/8 · E min", "setting 4", "jig · 9/8 · D maj", "setting 5", "jig"]
