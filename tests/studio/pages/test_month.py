"""The tune of the month on its pages, through all its phases."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveRecording, ArchiveTune, Month
from studio.conftest import add_member, log_in

TODAY = datetime.now(UTC).date()


def write_dates(*days: int) -> dict[str, str]:
    names = ("tune_vote_until", "recordings_until", "recording_vote_until")
    return {
        name: (TODAY + timedelta(days=day)).isoformat()
        for name, day in zip(names, days, strict=True)
    }


@pytest.fixture
def month(keeper_client: TestClient) -> str:
    """The address of a month in which tunes are voted for."""
    answer = keeper_client.post("/month/new", data={"name": "March", **write_dates(5, 10, 15)})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


@pytest.fixture
def tunes(database: Database) -> list[int]:
    with database.open_session(write=True) as session:
        found = [ArchiveTune(title=title, abc="x") for title in ("First", "Second")]
        session.add_all(found)
        session.flush()
        return [tune.id for tune in found]


def turn_back(database: Database, days: int) -> None:
    """Let a month's dates be earlier, as if days had passed."""
    with database.open_session(write=True) as session:
        month = session.query(Month).one()
        month.tune_vote_until -= timedelta(days=days)
        month.recordings_until -= timedelta(days=days)
        month.recording_vote_until -= timedelta(days=days)


def read_entries(client: TestClient, path: str) -> dict[str, str]:
    page = client.get(path).text
    found = re.findall(r'name="entry" value="(\d+)"[^>]*>\s*([^<]+?)</label>', page)
    return {title: number for number, title in found}


def test_a_month_from_its_opening_to_its_result(
    keeper_client: TestClient, member_client: TestClient, client: TestClient, database: Database,
    month: str, tunes: list[int], member_id: int,
) -> None:  # fmt: skip
    assert "No tune is named yet." in client.get(month).text
    named = {"action": "save", "tune": tunes}
    assert member_client.post(f"{month}/tunes", data=named).status_code == 303
    entries = read_entries(client, month)
    assert list(entries) == ["First", "Second"]
    assert "Log in to vote" in client.get(month).text
    for voter, title in [(member_client, "First"), (keeper_client, "Second")]:
        assert voter.post(f"{month}/vote", data={"entry": entries[title]}).status_code == 303
    # One changes the vote; nobody sees the counts, nor an order that tells them.
    member_client.post(f"{month}/vote", data={"entry": entries["Second"]})
    page = member_client.get(month).text
    assert "You have voted" in page and 'class="number"' not in page
    assert list(read_entries(client, month)) == ["First", "Second"]
    assert client.post(f"{month}/vote", data={"entry": entries["First"]}).status_code == 403

    turn_back(database, 6)
    page = client.get(month).text
    assert re.search(r'class="winner"><a href="/tunes/\d+">Second<', page)
    late = member_client.post(f"{month}/vote", data={"entry": entries["First"]})
    assert late.status_code == 422 and "ended on" in late.text
    with database.open_session(write=True) as session:
        tune = session.get_one(ArchiveTune, tunes[1])
        session.add_all(
            ArchiveRecording(
                title=title, kind="link", host="vimeo", host_id="1", tunes=[tune],
                author_id=member_id,
            )
            for title in ("Slow take", "Fast take")
        )  # fmt: skip
    assert "Slow take" in member_client.get(month).text
    for number in (1, 2):
        entered = member_client.post(f"{month}/recordings", data={"recording": number})
        assert entered.status_code == 303

    turn_back(database, 5)
    takes = read_entries(client, month)
    assert list(takes) == ["Slow take", "Fast take"]
    for voter, title in [(member_client, "Slow take"), (keeper_client, "Fast take")]:
        assert voter.post(f"{month}/vote", data={"entry": takes[title]}).status_code == 303

    turn_back(database, 5)
    page = client.get(month).text
    assert "A tie of 2 recordings, at 1 each" in page
    past = client.get("/month").text
    assert "Past months" in past and "Slow take" in past and "(tie)" in past


def test_only_keepers_open_and_change_a_month(
    keeper_client: TestClient, member_client: TestClient, client: TestClient, month: str
) -> None:
    assert client.get("/month/new").headers["location"].startswith("/login")
    sent = {"name": "Mine", **write_dates(1, 2, 3)}
    assert member_client.post("/month/new", data=sent).status_code == 403
    assert member_client.post(f"{month}/edit", data=sent).status_code == 403
    assert keeper_client.post(f"{month}/edit", data=sent).status_code == 303
    assert "Mine" in client.get(month).text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        (write_dates(-1, 2, 3), "tune_vote_until"),
        (write_dates(3, 3, 5), "recordings_until"),
        (write_dates(3, 5, 4), "recording_vote_until"),
        ({"recordings_until": ""}, "recordings_until"),
        ({"recordings_until": "soon"}, "recordings_until"),
    ],
)
def test_wrong_dates_are_refused_at_their_field(
    keeper_client: TestClient, database: Database, change: dict[str, str], field: str
) -> None:
    sent = {"name": "March", **write_dates(1, 2, 3), **change}
    answer = keeper_client.post("/month/new", data=sent)
    assert answer.status_code == 422 and f'id="{field}-error"' in answer.text
    with database.open_session() as session:
        assert session.query(Month).count() == 0


def test_a_tie_of_tunes_is_told(
    member_client: TestClient, client: TestClient, database: Database, month: str,
    tunes: list[int],
) -> None:  # fmt: skip
    member_client.post(f"{month}/tunes", data={"action": "save", "tune": tunes})
    turn_back(database, 6)
    page = client.get(month).text
    assert "A tie of 2 tunes, at 0 each" in page and "First</a></p>" in page


def test_a_vote_can_be_taken_back(member_client: TestClient, month: str, tunes: list[int]) -> None:
    member_client.post(f"{month}/tunes", data={"action": "save", "tune": tunes})
    entry = read_entries(member_client, month)["First"]
    member_client.post(f"{month}/vote", data={"entry": entry})
    assert "Change my vote" in member_client.get(month).text
    member_client.post(f"{month}/withdraw", data={"kind": "tune"})
    assert "Change my vote" not in member_client.get(month).text


def test_tunes_are_searched_without_script(
    member_client: TestClient, month: str, tunes: list[int], client: TestClient, database: Database
) -> None:
    sent = {"action": "search", "tune_words": "second", "tune": tunes[:1]}
    page = member_client.post(f"{month}/tunes", data=sent).text
    assert f'value="{tunes[0]}" checked' in page and re.search(rf'value="{tunes[1]}">', page)
    nothing = member_client.post(f"{month}/tunes", data={"action": "save"})
    assert nothing.status_code == 422 and "Choose a tune first." in nothing.text
    other = log_in(client, database, add_member(database, "Late"))
    turn_back(database, 6)
    late = other.post(f"{month}/tunes", data={"action": "save", "tune": tunes})
    assert late.status_code == 422 and "ended on" in late.text
