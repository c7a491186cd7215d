"""Events: announced with the clocks of their place, shown, changed, and taken into calendars."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveEvent, ArchiveTune
from sluice.studio.config import StudioConfig

YEAR = datetime.now(UTC).year + 1
SENT = {
    "action": "save", "title": "Summer session", "place": "The Queen’s Head, London",
    "zone": "Europe/London", "starts_at": f"{YEAR}-07-01T20:00", "ends_at": f"{YEAR}-07-01T23:30",
    "text": "All *levels*.",
}  # fmt: skip


@pytest.fixture
def tune_id(database: Database) -> int:
    with database.open_session(write=True) as session:
        tune = ArchiveTune(title="The Sluice Gate", abc="X:1\nK:D\nD|\n")
        session.add(tune)
        session.flush()
        return tune.id


def announce(client: TestClient, **change: Any) -> str:
    answer = client.post("/events/new", data={**SENT, **change})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def make_picture() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (64, 48), "navy").save(written, "PNG")
    return written.getvalue()


def list_files(config: StudioConfig) -> list[str]:
    return [path.name for path in (config.folder / "media").rglob("*") if path.is_file()]


def test_an_event_is_shown_by_the_clocks_of_its_place(
    member_client: TestClient, client: TestClient, tune_id: int
) -> None:
    path = announce(member_client, tune=tune_id)
    page = client.get(path).text
    assert f"1 July {YEAR}, 20:00 (Europe/London)" in page and "23:30" in page
    assert f'datetime="{YEAR}-07-01T19:00:00+00:00"' in page
    assert "<em>levels</em>" in page and "The Sluice Gate" in page
    coming = client.get("/events").text
    assert "Summer session" in coming and "Past" not in coming


def test_the_calendar_file_has_the_time_in_utc(
    member_client: TestClient, client: TestClient
) -> None:
    path = announce(member_client)
    one, every = client.get(f"{path}.ics"), client.get("/events.ics")
    for answer in (one, every):
        assert answer.headers["content-type"].startswith("text/calendar")
        assert f"DTSTART:{YEAR}0701T190000Z\r\nDTEND:{YEAR}0701T223000Z\r\n" in answer.text
        assert "SUMMARY:Summer session\r\n" in answer.text
        assert "LOCATION:The Queen’s Head\\, London\r\n" in answer.text
    assert client.get("/events/99.ics").status_code == 404


def test_past_events_are_listed_by_pages(client: TestClient, database: Database) -> None:
    with database.open_session(write=True) as session:
        now = datetime.now(UTC)
        session.add_all(
            ArchiveEvent(title=f"Night {n:02d}", place="x", starts_at=now - timedelta(days=n))
            for n in range(1, 33)
        )
    first = client.get("/events").text
    assert "Night 30" in first and "Night 31" not in first and "Nothing is announced" in first
    assert "Night 31" in client.get("/events?skip=30").text
    for number in ("-5", "99999999999999999999", "x"):
        assert client.get(f"/events?skip={number}").status_code == 422
        assert client.get(f"/events/{number}").status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"place": ""}, "place"),
        ({"zone": "Narnia"}, "zone"),
        ({"starts_at": "soon"}, "starts_at"),
        ({"starts_at": f"{YEAR + 20}-07-01T20:00"}, "starts_at"),
        ({"ends_at": f"{YEAR}-07-01T19:00"}, "ends_at"),
    ],
)
def test_what_is_refused_is_said_at_its_field(
    member_client: TestClient, database: Database, change: dict[str, str], field: str
) -> None:
    answer = member_client.post("/events/new", data={**SENT, **change})
    assert answer.status_code == 422 and f'id="{field}-error"' in answer.text
    assert "All *levels*." in answer.text
    with database.open_session() as session:
        assert session.query(ArchiveEvent).count() == 0


def test_a_picture_is_shown_replaced_and_taken_away(
    member_client: TestClient, client: TestClient, config: StudioConfig, database: Database
) -> None:
    refused = member_client.post(
        "/events/new", data=SENT, files={"image": ("a.png", b"no picture", "image/png")}
    )
    assert refused.status_code == 422 and 'id="image-error"' in refused.text
    with database.open_session() as session:
        assert session.query(ArchiveEvent).count() == 0
    made = member_client.post(
        "/events/new", data=SENT, files={"image": ("a.png", make_picture(), "image/png")}
    )
    path = made.headers["location"]
    address = re.search(r'<img class="event-image" src="(/media/\w+)"', client.get(path).text)
    assert address is not None
    with Image.open(io.BytesIO(client.get(address[1]).content)) as picture:
        assert picture.size == (64, 48)
    gone = member_client.post(f"{path}/edit", data={**SENT, "without_image": "1"})
    assert gone.status_code == 303
    assert "event-image" not in client.get(path).text and list_files(config) == []


def test_changing_keeps_what_is_not_changed(
    member_client: TestClient, client: TestClient, tune_id: int
) -> None:
    path = announce(member_client, tune=tune_id)
    form = member_client.get(f"{path}/edit").text
    values = dict(re.findall(r'<input id="(\w+)" name="\w+"[^>]* value="([^"]*)"', form))
    for name in ("title", "zone", "starts_at", "ends_at"):
        assert values[name] == SENT[name]
    assert f'value="{tune_id}" checked' in form
    change = {**SENT, "zone": "America/New_York", "ends_at": "", "tune": tune_id}
    assert member_client.post(f"{path}/edit", data=change).status_code == 303
    page = client.get(path).text
    assert f'datetime="{YEAR}-07-02T00:00:00+00:00"' in page and "23:30" not in page


def test_only_its_author_and_keepers_change_or_delete_an_event(
    member_client: TestClient, keeper_client: TestClient, client: TestClient
) -> None:
    path = announce(member_client)
    assert client.get(f"{path}/edit").headers["location"].startswith("/login")
    assert keeper_client.get(f"{path}/edit").status_code == 200
    assert keeper_client.post(f"{path}/delete").status_code == 303
    assert client.get(path).status_code == 404


@pytest.mark.exhaustive
def test_refused_pictures_are_not_counted(member_client: TestClient) -> None:
    for content in [b"no picture"] * 12 + [make_picture()] * 5 + [make_picture()]:
        answer = member_client.post(
            "/events/new", data=SENT, files={"image": ("a.png", content, "image/png")}
        )
        if content == b"no picture":
            assert answer.status_code == 422
        else:
            assert answer.status_code in (303, 429)
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 3000
    assert member_client.get("/events").text.count("Summer session") == 5
