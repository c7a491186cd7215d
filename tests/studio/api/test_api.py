"""The API as its own description says, and as a program uses it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from sluice.studio.archive.database import Database
from sluice.studio.archive.settings import add_setting
from sluice.studio.archive.tables import (
    ArchiveRecording,
    ArchiveTune,
    Book,
    BookEntry,
    Member,
)
from sluice.studio.archive.tunes import add_tune
from sluice.studio.config import StudioConfig
from sluice.studio.exports.datasets import write_datasets
from sluice.studio.security import limits

REEL = "X:1\nT:{title}\nR:reel\nM:4/4\nL:1/8\nK:D\n|:d2fd Adfd|e2ge Bege:|\n"
OTHER = "X:1\nT:Other\nM:4/4\nL:1/8\nK:D\n|:d2fd A2fd|e2ge B2ge:|\n"


@pytest.fixture
def filled(client: TestClient, database: Database) -> Iterator[TestClient]:
    """A studio with 25 tunes, one hidden, a setting, a recording and two books."""
    with database.open_session(write=True) as session:
        una = Member(email="una@example.org", name="Una", password="x", num_approved=9)
        session.add(una)
        session.flush()
        for number in range(25):
            end = f"g{'abcdefg'[number % 7]}{'abcdefg'[number // 7]}:|"  # no two are the same
            abc = REEL.format(title=f"Reel {number}").replace("ge:|", end)
            tune = add_tune(session, title=f"Reel {number}", author=una, abc=abc)
        hidden = ArchiveTune(title="Hidden", abc=REEL, visibility="hidden", author=una)
        session.add(hidden)
        session.flush()
        add_setting(session, session.get_one(ArchiveTune, 1), una, OTHER, "=Mine")
        session.add(
            ArchiveRecording(title="At home", kind="link", host="youtube", host_id="abc",
                             author=una, tunes=[tune, hidden])
        )  # fmt: skip
        for is_public in (True, False):
            book = Book(name="Book", owner=una, is_public=is_public)
            book.entries = [BookEntry(tune=one, position=n) for n, one in enumerate((tune, hidden))]
            session.add(book)
    yield client


def test_all_pages_of_tunes_are_walked_by_their_next(filled: TestClient) -> None:
    address, found = "/api/v1/tunes?sort=title", []
    while address:
        page = filled.get(address).json()
        assert page["count"] == 25
        found += [tune["title"] for tune in page["tunes"]]
        address = page["next"]
    assert found == sorted(f"Reel {number}" for number in range(25))


def test_tunes_are_found_by_words_and_notes(filled: TestClient) -> None:
    by_words = filled.get("/api/v1/tunes", params={"q": "reel 17"}).json()["tunes"]
    assert [tune["title"] for tune in by_words] == ["Reel 17"]
    by_notes = filled.get("/api/v1/tunes", params={"notes": "dfdAdfde"}).json()
    assert by_notes["count"] > 0
    none = filled.get("/api/v1/tunes", params={"notes": "CcFbGaEd"}).json()
    assert none["count"] == 0


def test_a_tune_has_its_settings_and_files(filled: TestClient) -> None:
    tune = filled.get("/api/v1/tunes/1").json()
    assert tune["author"]["name"] == "Una"
    assert [one["abc"].strip() for one in tune["settings"]] == [OTHER.strip()]
    for address in (tune["files"]["abc"], tune["settings"][0]["files"]["mid"]):
        assert filled.get(address).status_code == 200
    assert filled.get("/api/v1/tunes/1/settings/1").json() == tune["settings"][0]


def test_what_is_hidden_is_nowhere(filled: TestClient) -> None:
    assert filled.get("/api/v1/tunes/26").status_code == 404
    assert filled.get("/api/v1/tunes/26.abc").status_code == 404
    recording = filled.get("/api/v1/recordings").json()["recordings"][0]
    assert recording["tunes"] == [25]
    books = filled.get("/api/v1/books").json()["books"]
    assert [book["num_entries"] for book in books] == [1]
    assert filled.get("/api/v1/books/2").status_code == 404
    entries = filled.get("/api/v1/books/1").json()["entries"]
    assert [entry["tune"] for entry in entries] == [25]


def test_a_problem_is_one_sentence_in_json(filled: TestClient) -> None:
    for path, status in (
        ("/api/v1/tunes/999", 404), ("/api/v1/tunes/0", 422), ("/api/v1/nothing", 404),
        ("/api/v1/tunes?page=0", 422), ("/api/v1/tunes?q=%00", 422), ("/api/v1/tunes/1.exe", 422),
        (f"/api/v1/tunes/{2**70}", 422), (f"/api/v1/recordings?before={2**40}", 422),
    ):  # fmt: skip
        answer = filled.get(path)
        assert answer.status_code == status, path
        assert set(answer.json()) == {"problem", "field"}


def test_other_sites_may_read_and_nothing_else(filled: TestClient) -> None:
    answer = filled.get("/api/v1/tunes", headers={"origin": "https://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert "access-control-allow-origin" not in filled.get("/").headers
    asked = filled.options(
        "/api/v1/compositions",
        headers={"origin": "https://elsewhere.example", "access-control-request-method": "POST"},
    )
    assert "access-control-allow-origin" not in asked.headers


def test_data_sets_have_what_is_public(
    filled: TestClient, database: Database, config: StudioConfig
) -> None:
    assert filled.get("/api/v1/dataset").json()["files"] == []
    write_datasets(database, config.folder, "https://tunes.example", "CC0")
    listed = {one["name"]: one for one in filled.get("/api/v1/dataset").json()["files"]}
    assert set(listed) == {
        "licence.txt", "recordings.csv", "recordings.json", "settings.csv", "settings.json",
        "tunes.abc", "tunes.csv", "tunes.json",
    }  # fmt: skip
    texts = {name: filled.get(one["address"]).text for name, one in listed.items()}
    rows = list(csv.DictReader(io.StringIO(texts["tunes.csv"])))
    assert [row["title"] for row in rows] == [f"Reel {number}" for number in range(25)]
    assert json.loads(texts["tunes.json"])[3]["abc"] == rows[3]["abc"]
    assert next(csv.DictReader(io.StringIO(texts["settings.csv"])))["title"] == "'=Mine"
    assert json.loads(texts["settings.json"])[0]["title"] == "=Mine"
    assert texts["tunes.abc"].count("X:") == 25
    assert not any("Hidden" in text or "una@" in text for text in texts.values())
    for page in ("/data", "/api"):
        answer = filled.get(page)
        assert answer.status_code == 200
        assert "style=" not in answer.text


def test_every_operation_has_a_description_and_shapes(studio_app: FastAPI) -> None:
    schema = studio_app.openapi()
    for path, operations in schema["paths"].items():
        assert path.startswith("/api/v1/")
        for operation in operations.values():
            assert operation["description"]
            for parameter in operation.get("parameters", []):
                is_clear = "examples" in parameter["schema"] or "description" in parameter
                assert is_clear or parameter["schema"].get("type") == "boolean" or (
                    "enum" in parameter["schema"] or parameter["name"] == "page"
                ), (path, parameter)  # fmt: skip


def test_too_many_searches_are_answered_with_how_long_to_wait(
    filled: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.LIMITS, "api", ((2, 60),))
    answers = [filled.get("/api/v1/tunes", params={"q": "x"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "Please wait" in answers[2].json()["problem"]
    assert 0 < int(answers[2].headers["retry-after"]) <= 65
