"""Notes of MIDI files that are begun and never ended, which readers of whole notes pass over."""

from __future__ import annotations

from collections.abc import Iterator

_DRUMS = 9
_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
"""After the status of a channel's event."""


def find_endless_notes(contents: bytes) -> list[tuple[int, int]]:
    """The time in ticks and the MIDI number of each note that its track never ends, but drums'.

    Args:
        contents: a whole MIDI file. Where it is damaged, the search of a track stops.
    """
    found = [note for track in _list_tracks(contents) for note in _search(track)]
    return sorted(found)


def describe_missing_notes(contents: bytes) -> str:
    """Why a file of MIDI has no note that is read, to follow "is a MIDI file"."""
    if find_endless_notes(contents):
        return "whose notes have no end"
    return "without notes (drums are not read)"


def _list_tracks(contents: bytes) -> Iterator[bytes]:
    place = 0
    while place + 8 <= len(contents):
        end = place + 8 + int.from_bytes(contents[place + 4 : place + 8], "big")
        if contents[place : place + 4] == b"MTrk":
            yield contents[place + 8 : end]
        place = end


def _search(track: bytes) -> Iterator[tuple[int, int]]:
    open_notes: dict[tuple[int, int], list[int]] = {}
    now, place, running = 0, 0, 0
    try:
        while place < len(track):
            wait, place = _read_length(track, place)
            now += wait
            status = track[place] if track[place] >= 0x80 else running
            place += track[place] >= 0x80
            if status in (0xFF, 0xF0, 0xF7):
                place += status == 0xFF
                size, place = _read_length(track, place)
                place += size
                continue
            running, kind, channel = status, status & 0xF0, status & 0x0F
            if kind in (0x80, 0x90) and channel != _DRUMS:
                key = channel, track[place]
                if kind == 0x90 and track[place + 1] > 0:
                    open_notes.setdefault(key, []).append(now)
                elif open_notes.get(key):
                    open_notes[key].pop(0)
            place += _DATA_BYTES[kind]
    except (IndexError, KeyError):
        pass
    for (_, pitch), times in open_notes.items():
        yield from ((time, pitch) for time in times)


def _read_length(track: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place after it."""
    number = 0
    while True:
        byte = track[place]
        place += 1
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, place
