"""Rows of the archive in the shapes of the API."""

from __future__ import annotations

from sluice.studio.api.schemas import (
    BookAnswer,
    BookEntryAnswer,
    BookSummary,
    NoteAnswer,
    PersonAnswer,
    RecordingAnswer,
    SettingAnswer,
    TuneAnswer,
    TuneSummary,
)
from sluice.studio.archive.books import list_readable
from sluice.studio.archive.tables import (
    ArchiveRecording,
    ArchiveTune,
    Book,
    BookEntry,
    Member,
    Setting,
)
from sluice.studio.archive.visibility import PUBLIC
from sluice.studio.exports.formats import FORMATS

BASE = "/api/v1"


def list_files(path: str, is_book: bool = False) -> dict[str, str]:
    """The addresses of all files of a tune, setting, composition or book."""
    return {
        ending: f"{BASE}{path}.{ending}"
        for ending, kind in FORMATS.items()
        if kind.for_books or not is_book
    }


def describe_person(member: Member | None, name: str = "") -> PersonAnswer | None:
    """A member, or the name that somebody left, if any."""
    if member is not None:
        return PersonAnswer(id=member.id, name=member.name)
    return PersonAnswer(id=None, name=name) if name else None


def summarise_tune(tune: ArchiveTune) -> TuneSummary:
    """A tune, as lists have it."""
    return TuneSummary(
        id=tune.id,
        title=tune.title,
        abc=tune.abc,
        dance=tune.dance,
        meter=tune.meter,
        tonic=tune.tonic,
        mode=tune.mode,
        author=describe_person(tune.author, tune.author_name),
        composition=None if tune.composition is None else tune.composition.code,
        num_settings=tune.num_settings,
        num_recordings=tune.num_recordings,
        num_books=tune.num_books,
        created_at=tune.created_at,
        address=f"/tunes/{tune.id}",
        files=list_files(f"/tunes/{tune.id}"),
    )


def describe_tune(tune: ArchiveTune) -> TuneAnswer:
    """A tune with its public settings and its notes."""
    return TuneAnswer(
        **dict(summarise_tune(tune)),
        settings=[describe_setting(one) for one in tune.settings if one.visibility == PUBLIC],
        notes=[
            NoteAnswer(text=note.text, url=note.url, author=describe_person(note.author))
            for note in tune.notes
        ],
    )


def describe_setting(setting: Setting) -> SettingAnswer:
    """A setting."""
    return SettingAnswer(
        number=setting.number,
        title=setting.title,
        author=describe_person(setting.author),
        abc=setting.abc,
        created_at=setting.created_at,
        files=list_files(f"/tunes/{setting.tune_id}/settings/{setting.number}"),
    )


def describe_recording(recording: ArchiveRecording) -> RecordingAnswer:
    """A recording, with the tunes that everyone may see."""
    media = recording.media
    return RecordingAnswer(
        id=recording.id,
        title=recording.title,
        text=recording.text,
        kind="upload" if recording.kind == "upload" else "link",
        recorded_on=recording.recorded_on,
        author=describe_person(recording.author),
        host=recording.host,
        host_id=recording.host_id,
        media=None if media is None else f"/media/{media.sha256}",
        seconds=None if media is None else media.seconds,
        tunes=[tune.id for tune in recording.tunes if tune.visibility == PUBLIC],
        created_at=recording.created_at,
        address=f"/recordings/{recording.id}",
    )


def summarise_book(book: Book) -> BookSummary:
    """A book, as lists have it."""
    return BookSummary(
        id=book.id,
        name=book.name,
        text=book.text,
        owner=PersonAnswer(id=book.owner.id, name=book.owner.name),
        num_entries=len(list_readable(book, None)),
        address=f"/books/{book.id}",
        files=list_files(f"/books/{book.id}", is_book=True),
    )


def describe_book(book: Book) -> BookAnswer:
    """A book with the entries that everyone may see."""
    return BookAnswer(
        **dict(summarise_book(book)),
        entries=[_describe_entry(entry) for entry in list_readable(book, None)],
    )


def _describe_entry(entry: BookEntry) -> BookEntryAnswer:
    setting = entry.setting
    return BookEntryAnswer(
        tune=entry.tune_id,
        setting=None if setting is None else setting.number,
        title=(setting.title if setting is not None else "") or entry.tune.title,
        set=entry.set_name,
    )
