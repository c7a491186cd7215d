"""The list of tunes, a tune's page, editing and claiming it."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from sampling import thin_out
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveTune, Member
from sluice.studio.archive.tunes import add_tune, claim_tunes
from studio.conftest import add_member

ABC = 'X:1\nT:The Long Road\nR:jig\nM:6/8\nL:1/8\nK:G\n|:"G"GAB ~d2e|d2B A3:|\n'
WRONG = "X:1\nT:Broken\nM:6/8\nK:G\nGAB d2e|\nd2B (3g&a|A3|\n"


def submit(client: TestClient, abc: str = ABC, **fields: str) -> str:
    """Send a tune and archive it; the path of its page."""
    sent = {"abc": abc, "action": "archive", "chosen": "0", **fields}
    answer = client.post("/submit", data=sent)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


@pytest.fixture
def other(studio_app: FastAPI) -> TestClient:
    """Another browser, without the first one's cookies and forms."""
    opened = TestClient(studio_app, follow_redirects=False)
    token = re.search(r'name="csrf-token" content="(\w+)"', opened.get("/tunes").text)
    assert token
    opened.headers["x-csrf-token"] = token[1]
    return opened


@pytest.fixture
def visitor(client: TestClient) -> TestClient:
    """A browser without account that can send forms."""
    token = re.search(r'name="csrf-token" content="(\w+)"', client.get("/tunes").text)
    assert token
    client.headers["x-csrf-token"] = token[1]
    return client


def test_tune_of_a_visitor_is_shown_as_typed_and_changed_by_nobody_else(
    visitor: TestClient, other: TestClient
) -> None:
    path = submit(visitor, author_name="Nell")
    page = other.get(path)
    assert page.status_code == 200
    assert "<h1>The Long Road</h1>" in page.text and "Nell" in page.text
    assert "|:&#34;G&#34;GAB ~d2e|d2B A3:|" in page.text
    assert f"{path}/edit" not in page.text
    changed = {"title": "Taken", "abc": ABC}
    assert other.get(f"{path}/edit").status_code == 403
    assert other.post(f"{path}/edit", data=changed).status_code == 403
    assert other.post(f"{path}/delete").status_code == 403
    assert "The Long Road" in other.get(path).text

    assert visitor.post(f"{path}/edit", data=changed).status_code == 303
    assert "<h1>Taken</h1>" in other.get(path).text
    assert "The Long Road" in visitor.get(f"{path}/versions").text
    assert other.get(f"{path}/versions").status_code == 403
    assert visitor.post(f"{path}/delete").status_code == 303
    assert visitor.get(path).status_code == 404


def test_signing_up_attaches_what_this_browser_archived(
    visitor: TestClient, database: Database
) -> None:
    path = submit(visitor)
    member_id = add_member(database, "Nell")
    with database.open_session(write=True) as session:
        tune = session.scalars(select(ArchiveTune)).one()
        member = session.get_one(Member, member_id)
        assert claim_tunes(session, member, "") == 0
        assert claim_tunes(session, member, "0" * 64) == 0
        assert claim_tunes(session, member, tune.claim_hash) == 1
    page = visitor.get(path).text
    assert f'href="/members/{member_id}">Nell' in page
    # The cookie alone is no longer enough: the tune is the member's.
    assert visitor.get(f"{path}/edit").status_code == 403


def test_wrong_abc_is_refused_with_its_line_and_kept_as_typed(visitor: TestClient) -> None:
    path = submit(visitor)
    answer = visitor.post(f"{path}/edit", data={"title": "Broken", "abc": WRONG})
    assert answer.status_code == 422
    assert "Line 6:" in answer.text and "d2B (3g&amp;a|A3|" in answer.text
    assert "The Long Road" in visitor.get(path).text
    kept = {"title": "Broken", "abc": WRONG, "keeps_unread": "1"}
    assert visitor.post(f"{path}/edit", data=kept).status_code == 303
    page = visitor.get(path).text
    assert "not fully understood" in page and "Line 6:" in page


def test_a_page_out_of_range_or_hidden_is_not_found(
    visitor: TestClient, database: Database
) -> None:
    for path in ("/tunes/0", "/tunes/99999999999999999999999", "/tunes/5", "/tunes/5.abc"):
        assert visitor.get(path).status_code == 404
    with database.open_session(write=True) as session:
        tune = add_tune(session, title="", abc=ABC, author=None)
        tune.visibility = "hidden"
        session.flush()
        number = tune.id
    assert visitor.get(f"/tunes/{number}").status_code == 404
    assert "The Long Road" not in visitor.get("/tunes").text
    assert "The Long Road" not in visitor.get("/tunes?q=road").text


def test_file_of_many_tunes_is_looked_at_first(visitor: TestClient, database: Database) -> None:
    text = "M:6/8\n\n" + "\n\n".join(
        f"X:{n}\nT:Tune {n}\nK:{key}\nGAB d2e|d2{note} A3|" for n, key, note in
        ((1, "G", "B"), (2, "D", "c"), (3, "Nonsense", "e"))
    )  # fmt: skip
    preview = visitor.post("/submit", files={"file": ("tunes.abc", text.encode("utf-16"))})
    assert preview.status_code == 200
    assert "3 tunes were found" in preview.text and "Line 15:" in preview.text
    assert re.findall(r'name="chosen" value="(\d)" checked', preview.text) == ["0", "1"]
    answer = visitor.post(
        "/submit", data={"abc": text, "action": "archive", "chosen": ["0", "1"], "title-1": "Own"}
    )
    assert answer.headers["location"] == "/tunes"
    with database.open_session() as session:
        tunes = session.scalars(select(ArchiveTune).order_by(ArchiveTune.id)).all()
        assert [(tune.title, tune.meter, tune.tonic) for tune in tunes] == [
            ("Tune 1", "6/8", "G"), ("Own", "6/8", "D"),
        ]  # fmt: skip
    again = visitor.post("/submit", data={"abc": tunes[0].abc})
    assert "sounds exactly like a tune" in again.text


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ("", "no ABC yet"),
        ("X:1\nK:G\n" + "G" * 8192, "at most 8192"),
        ("".join(f"X:{n}\nK:G\nGAB|\n\n" for n in range(201)), "at most 200"),
        ("X:1\nK:G\nG\x00B|", "Line 3: the character U+0000"),
    ],
)
def test_what_is_too_large_or_no_text_is_refused(
    visitor: TestClient, sent: str, sentence: str
) -> None:
    answer = visitor.post("/submit", data={"abc": sent})
    assert answer.status_code == 422 and sentence in answer.text


def test_list_is_filtered_sorted_and_paged_at_one_address_each(
    visitor: TestClient, database: Database
) -> None:
    with database.open_session(write=True) as session:
        for number in range(45):
            dance, meter = ("jig", "6/8") if number % 3 else ("reel", "4/4")
            tune = add_tune(
                session, author=None, title=f"Tune {number:02}",
                abc=f"X:1\nR:{dance}\nM:{meter}\nK:D\nDEFA|",
            )  # fmt: skip
            tune.num_books = number if number == 7 else 0

    def list_titles(path: str) -> list[str]:
        answer = visitor.get(path)
        assert answer.status_code == 200, path
        return re.findall(r">(Tune \d\d)</a>", answer.text)

    assert list_titles("/tunes")[:2] == ["Tune 44", "Tune 43"]
    assert list_titles("/tunes?sort=title&page=3") == [f"Tune {n:02}" for n in range(40, 45)]
    assert list_titles("/tunes?sort=popular")[0] == "Tune 07"
    assert list_titles("/tunes?dance=reel&sort=title")[:2] == ["Tune 00", "Tune 03"]
    assert list_titles("/tunes?dance=reel&meter=6%2F8") == []
    assert list_titles("/tunes?origin=composed") == [] and len(list_titles("/tunes")) == 20

    sent = "/tunes?q=&notes=&dance=reel&meter=&key=&mode=&origin=&sort=newest&page=1&x=1"
    answer = visitor.get(sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "/tunes?dance=reel")
    assert visitor.get("/tunes?page=99").headers["location"] == "/tunes?page=3"
    assert visitor.get("/tunes?page=-1").headers["location"] == "/tunes"


@pytest.mark.parametrize("query", thin_out([
        "q=%22", "q=%27", "q=*", "q=%25", "q=_", "q=a+OR+b", "q=title%3A+x", "q=NEAR(a+b)",
        "q=%00", "q=%F0%9F%8E%BB", "q=" + "a" * 10_000, "q=" + "%22" * 3000, "q=%ED%A0%80",
        "notes=%22*", "notes=" + "G" * 10_000, "notes=" + "GA" * 240, "notes=%7B%7B%7B",
        "notes=%5B%5B%5B", "notes=1%00234", "sort=%27;drop", "page=1e9", "dance=%25",
    ], 3))  # fmt: skip
def test_hostile_queries_are_harmless(visitor: TestClient, query: str) -> None:
    submit(visitor)
    answer = visitor.get(f"/tunes?{query}")
    while answer.status_code == 303:
        answer = visitor.get(answer.headers["location"])
    assert answer.status_code in (200, 422)
    assert "The Long Road" not in answer.text or answer.status_code == 200
