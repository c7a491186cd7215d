"""Events: local times, what is coming and past, calendar files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.studio.archive import events
from sluice.studio.archive.calendar_file import write_calendar
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveEvent
from sluice.studio.errors import StudioError


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-07-01T20:00", "Europe/Dublin", "2026-07-01T19:00"),
        ("2026-01-01T20:00", "Europe/Dublin", "2026-01-01T20:00"),
        ("2026-07-01T20:00", "America/New_York", "2026-07-02T00:00"),
        ("2026-07-01 20:00", "Asia/Kolkata", "2026-07-01T14:30"),
        ("2026-10-25T02:30", "Europe/Stockholm", "2026-10-25T00:30"),  # twice: the first
        ("2026-07-01T20:00", "UTC", "2026-07-01T20:00"),
    ],
)
def test_local_times_are_those_of_the_zone(text: str, zone: str, expected: str) -> None:
    found = events.parse_local_time(text, events.get_zone(zone), "starts_at")
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-03-29T02:30", "no 02:30 on that day in Europe/Stockholm"),
        ("2026-02-30T20:00", "Write date and time"),
        ("2026-03-30", "Write date and time"),
        ("tomorrow", "Write date and time"),
        ("2026-07-01T20:00+02:00", "Write date and time"),
        ("9999-12-31T23:59", "too far"),
        ("0001-01-01T00:00", "too far"),
    ],
)
def test_what_is_no_time_there_is_refused(text: str, message: str) -> None:
    with pytest.raises(StudioError, match=message) as caught:
        events.parse_local_time(text, ZoneInfo("Europe/Stockholm"), "starts_at")
    assert caught.value.field == "starts_at"


@pytest.mark.parametrize("name", ["", "Dublin", "../etc/passwd", "Europe/Dublin\x00", "posixrules"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(StudioError, match="time zone"):
        events.get_zone(name)


def test_an_event_ends_after_it_begins_and_within_a_month() -> None:
    start = datetime(2026, 7, 1, 20, tzinfo=UTC)
    events.check_times(start, start + timedelta(hours=3), start)
    for end in (start, start - timedelta(hours=1), start + timedelta(days=32)):
        with pytest.raises(StudioError, match="end"):
            events.check_times(start, end, start)
    with pytest.raises(StudioError, match="far"):
        events.check_times(start + timedelta(days=4000), None, start)


def test_an_event_is_coming_until_its_end(any_database: Database) -> None:
    now = datetime(2026, 7, 1, 20, tzinfo=UTC)
    hour = timedelta(hours=1)
    with any_database.open_session(write=True) as session:
        session.add_all(
            ArchiveEvent(title=title, starts_at=start, ends_at=end, visibility=visibility)
            for title, start, end, visibility in [
                ("goes on", now - hour, now + hour, "public"),
                ("ends now", now - hour, now, "public"),
                ("over", now - 2 * hour, now - hour, "public"),
                ("began", now - hour / 60, None, "public"),
                ("later", now + 2 * hour, None, "public"),
                ("soon", now + hour, None, "public"),
                ("waits", now + hour, None, "waiting"),
            ]
        )
        session.flush()
        coming = [event.title for event in events.list_coming(session, None, now)]
        assert set(coming[:2]) == {"goes on", "ends now"} and coming[2:] == ["soon", "later"]
        assert [event.title for event in events.list_past(session, None, now)] == ["began", "over"]
        assert [event.title for event in events.list_past(session, None, now, skip=1)] == ["over"]


def make_event(**values: object) -> ArchiveEvent:
    start = datetime(2026, 7, 1, 19, 0, tzinfo=UTC)
    given = {"id": 7, "title": "Session", "text": "", "place": "", "ends_at": None}
    return ArchiveEvent(**{**given, "starts_at": start, "created_at": start, **values})


def test_a_calendar_file_is_that_of_the_standard() -> None:
    event = make_event(
        title="Tunes; slow, then fast\\", place="Queen’s Head, London", text="One\r\nTwo\nThree",
        ends_at=datetime(2026, 7, 1, 21, 30, tzinfo=UTC),
    )  # fmt: skip
    assert write_calendar([event], "Studio", "https://tunes.example") == (
        "BEGIN:VCALENDAR\r\n"
        "VERSION:2.0\r\n"
        "PRODID:-//Sluice//Studio//EN\r\n"
        "CALSCALE:GREGORIAN\r\n"
        "METHOD:PUBLISH\r\n"
        "X-WR-CALNAME:Studio\r\n"
        "BEGIN:VEVENT\r\n"
        "UID:event-7@tunes.example\r\n"
        "DTSTAMP:20260701T190000Z\r\n"
        "DTSTART:20260701T190000Z\r\n"
        "DTEND:20260701T213000Z\r\n"
        "SUMMARY:Tunes\\; slow\\, then fast\\\\\r\n"
        "LOCATION:Queen’s Head\\, London\r\n"
        "DESCRIPTION:One\\nTwo\\nThree\r\n"
        "URL:https://tunes.example/events/7\r\n"
        "END:VEVENT\r\n"
        "END:VCALENDAR\r\n"
    )


def unescape(value: str) -> str:
    """As RFC 5545, section 3.3.11, has it."""
    found, characters = "", iter(value)
    for character in characters:
        following = next(characters) if character == "\\" else ""
        found += {"n": "\n", "N": "\n"}.get(following, following) if following else character
    return found


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from("\n\\;,é🎻")))
def test_any_text_comes_back_from_lines_of_75_bytes(text: str) -> None:
    written = write_calendar([make_event(text="x" + text)], "Studio", "http://localhost")
    assert all(len(line) <= 75 for line in written.encode().split(b"\r\n"))
    assert "\n" not in written.replace("\r\n", "")
    lines = written.replace("\r\n ", "").split("\r\n")
    values = [line for line in lines if line.startswith("DESCRIPTION:")]
    assert [unescape(value.partition(":")[2]) for value in values] == ["x" + text]
    assert sum(line.startswith("BEGIN:") for line in lines) == 2
