"""Events as a calendar file: iCalendar, RFC 5545."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sluice.studio.archive.tables import ArchiveEvent

_BYTES_IN_LINE = 75


def write_calendar(events: Iterable[ArchiveEvent], name: str, address: str) -> str:
    """A calendar with these events.

    Args:
        name: of the calendar.
        address: the public address of the site, without a slash at its end.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Sluice//Studio//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_escape(name)}",
    ]
    host = address.partition("//")[2] or "localhost"
    for event in events:
        page = f"{address}/events/{event.id}"
        lines += [
            "BEGIN:VEVENT",
            f"UID:event-{event.id}@{host}",
            f"DTSTAMP:{_write_time(event.created_at)}",
            f"DTSTART:{_write_time(event.starts_at)}",
            *([f"DTEND:{_write_time(event.ends_at)}"] if event.ends_at else []),
            f"SUMMARY:{_escape(event.title)}",
            *([f"LOCATION:{_escape(event.place)}"] if event.place else []),
            *([f"DESCRIPTION:{_escape(event.text)}"] if event.text else []),
            f"URL:{page}",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{_fold(line)}\r\n" for line in lines)


def _write_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escape(text: str) -> str:
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    # RFC 5545 takes no other control character in a text.
    return "".join(c for c in text if c == "\t" or (c >= " " and c != "\x7f"))


def _fold(line: str) -> str:
    """The line in pieces of at most 75 bytes, none of which ends within a character."""
    pieces, piece, size = [], "", 0
    for character in line:
        length = len(character.encode())
        if size + length > _BYTES_IN_LINE:
            pieces.append(piece)
            piece, size = "", 1  # the space that begins what continues a line
        piece += character
        size += length
    return "\r\n ".join([*pieces, piece])
