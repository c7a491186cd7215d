"""Settings of a tune: numbers, duplicates, wrong ABC, downloads."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from sluice.studio.archive.database import Database
from sluice.studio.archive.settings import add_setting
from sluice.studio.archive.tables import ArchiveTune, Member
from sluice.studio.archive.tunes import add_tune
from studio.conftest import add_member, log_in

ABC = "X:1\nT:The Long Road\nR:jig\nM:6/8\nL:1/8\nK:G\n|:GAB d2e|d2B A3:|\n"


@pytest.fixture
def tune_id(database: Database) -> int:
    with database.open_session(write=True) as session:
        return add_tune(session, title="", abc=ABC, author=None).id


@pytest.fixture
def other_client(studio_app: FastAPI, database: Database) -> Iterator[TestClient]:
    """A browser of another member."""
    with TestClient(studio_app, follow_redirects=False) as opened:
        yield log_in(opened, database, add_member(database, "Brona", num_approved=3))


def vary(*notes: str) -> str:
    return ABC.replace("d2B", f"d2{''.join(notes)}")


def test_setting_is_added_changed_and_deleted_by_its_author_alone(
    member_client: TestClient, other_client: TestClient, tune_id: int
) -> None:
    path = f"/tunes/{tune_id}/settings"
    answer = member_client.post(path, data={"abc": vary("c"), "title": "as in Clare"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}/1")
    page = other_client.get(f"/tunes/{tune_id}").text
    assert 'id="setting-1"' in page and "as in Clare" in page and "|:GAB d2e|d2c A3:|" in page
    assert "Aoife" in other_client.get(f"{path}/1").text

    changed = {"abc": vary("g"), "title": ""}
    for send in (
        other_client.post(f"{path}/1/edit", data=changed),
        other_client.post(f"{path}/1/delete"),
        other_client.get(f"{path}/1/edit"),
    ):
        assert send.status_code == 403
    assert member_client.post(f"{path}/1/edit", data=changed).status_code == 303
    assert "d2g" in other_client.get(f"{path}/1").text
    assert member_client.post(f"{path}/1/delete").status_code == 303
    assert other_client.get(f"{path}/1").status_code == 404
    # Links to a setting that is gone never lead to another.
    answer = member_client.post(path, data={"abc": vary("e")})
    assert answer.headers["location"] == f"{path}/2"


@pytest.mark.parametrize(
    "same",
    [
        ABC.replace("T:The Long Road", "T:Another name"),
        ABC.replace("L:1/8", "L:1/16").replace("GAB d2e|d2B A3", "G2A2B2 d4e2|d4B2 A6"),
        ABC.replace("|:GAB d2e|d2B A3:|", "GAB d2e|d2B A3|GAB d2e|d2B A3|"),
        ABC.replace("K:G", "K:C\nQ:120").replace("A3", "A2-A"),
        ABC.replace("d2e", "d2e").replace("K:G", "K:Em"),
    ],
)
def test_what_sounds_the_same_is_no_setting(
    member_client: TestClient, tune_id: int, same: str
) -> None:
    answer = member_client.post(f"/tunes/{tune_id}/settings", data={"abc": same})
    assert answer.status_code == 422 and "sounds exactly like the tune itself" in answer.text


@pytest.mark.parametrize(
    "different",
    [
        vary("c"),
        ABC.replace("d2e", "~d2e"),
        ABC.replace("|:GAB", '|:"G"GAB'),
        ABC.replace("K:G", "K:Gm"),  # B flat
        ABC.replace("GAB", "G>AB"),
        ABC.replace("|:GAB d2e|d2B A3:|", "|:cde g2a|g2e d3:|"),  # a fourth higher
    ],
)
def test_what_sounds_different_is_a_setting_once(
    member_client: TestClient, tune_id: int, different: str
) -> None:
    path = f"/tunes/{tune_id}/settings"
    assert member_client.post(path, data={"abc": different}).status_code == 303
    again = member_client.post(path, data={"abc": different.replace("X:1", "X:9")})
    assert again.status_code == 422 and "sounds exactly like setting 1" in again.text


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (ABC.replace("A3:|", "(3AB:|"), "Line 7: a tuplet with too few notes"),
        (ABC.replace("K:G\n", ""), "the tune has no K: field"),
        ("not a tune <b>", "There is no tune in this text"),
        (ABC + "\n" + ABC, "This holds 2 tunes, the second from line 9 on"),
        ("", "no ABC yet"),
    ],
)
def test_wrong_abc_is_refused_and_kept(
    member_client: TestClient, tune_id: int, wrong: str, sentence: str
) -> None:
    sent = {"abc": wrong, "title": "<i>mine</i>"}
    answer = member_client.post(f"/tunes/{tune_id}/settings", data=sent)
    assert answer.status_code == 422 and sentence in answer.text
    kept = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", answer.text, re.DOTALL)
    assert kept and kept[1].rstrip() == wrong.replace("<", "&lt;").replace(">", "&gt;").rstrip()
    assert "&lt;i&gt;mine&lt;/i&gt;" in answer.text


def test_the_tenth_and_the_hundredth_setting(
    member_client: TestClient, database: Database, tune_id: int, member_id: int
) -> None:
    with database.open_session(write=True) as session:
        tune, member = session.get_one(ArchiveTune, tune_id), session.get_one(Member, member_id)
        notes = "CDEFGABcdefg"
        for number in range(99):
            add_setting(session, tune, member, vary(notes[number // 12], notes[number % 12], "3"))
    path = f"/tunes/{tune_id}/settings"
    answer = member_client.post(path, data={"abc": vary("z", "c'")})
    assert answer.headers["location"] == f"{path}/100"
    page = member_client.get(f"/tunes/{tune_id}").text
    assert [int(n) for n in re.findall(r'id="setting-(\d+)"', page)] == list(range(1, 101))
    for number in (9, 10, 11, 99, 100):
        assert f"Setting {number}<" in member_client.get(f"{path}/{number}").text
        assert "|:GAB d2e|d2" in member_client.get(f"{path}/{number}.abc").text
    assert "zc&#39;" in member_client.get(f"{path}/100").text
    assert "100 settings" in member_client.get("/tunes").text
    assert member_client.get(f"{path}/101").status_code == 404
    assert member_client.get(f"{path}/99999999999999999999").status_code == 404


def test_visitors_without_account_add_no_setting(client: TestClient, tune_id: int) -> None:
    answer = client.get(f"/tunes/{tune_id}/settings/new")
    assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login")
