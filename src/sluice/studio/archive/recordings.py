"""Recordings: links to known hosts, and uploads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from sluice.studio.archive.activity import record_activity
from sluice.studio.archive.tables import (
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Media,
    Member,
)
from sluice.studio.archive.visibility import (
    can_see,
    choose_visibility,
    is_visible,
    may_change,
    require_visible,
)
from sluice.studio.errors import ForbiddenError, StudioError
from sluice.studio.languages import gettext as _


@dataclass(frozen=True)
class RecordingDetails:
    """What can be said of a recording, and changed later."""

    title: str
    text: str
    recorded_on: date | None
    event: ArchiveEvent | None
    tunes: list[ArchiveTune]


def list_recordings(
    database: Session,
    viewer: Member | None,
    *,
    tune: ArchiveTune | None = None,
    event: ArchiveEvent | None = None,
    author: Member | None = None,
    before: int | None = None,
    limit: int = 30,
) -> list[ArchiveRecording]:
    """Recordings that a viewer may see, the newest first: all, or of a tune, event or member."""
    query = select(ArchiveRecording).where(is_visible(ArchiveRecording, viewer))
    if tune is not None:
        query = query.where(ArchiveRecording.tunes.any(ArchiveTune.id == tune.id))
    if event is not None:
        query = query.where(ArchiveRecording.event_id == event.id)
    if author is not None:
        query = query.where(ArchiveRecording.author_id == author.id)
    if before is not None:
        query = query.where(ArchiveRecording.id < before)
    query = query.options(
        joinedload(ArchiveRecording.author),
        joinedload(ArchiveRecording.media),
        selectinload(ArchiveRecording.tunes),
    )
    return list(database.scalars(query.order_by(ArchiveRecording.id.desc()).limit(limit)))


def find_recording(database: Session, number: int, viewer: Member | None) -> ArchiveRecording:
    """One recording.

    Raises:
        NotFoundError: there is none, or not for this viewer.
    """
    recording = database.get(ArchiveRecording, number)
    return require_visible(recording, viewer)


def find_own_recording(database: Session, number: int, member: Member) -> ArchiveRecording:
    """A recording that a member may change: its author's, any for a keeper.

    Raises:
        NotFoundError: there is none, or not for this member.
        ForbiddenError: it is another member's.
    """
    recording = find_recording(database, number, member)
    if not may_change(recording, member):
        raise ForbiddenError(_("Only who added this recording can change it."))
    return recording


def add_recording(
    database: Session,
    author: Member,
    details: RecordingDetails,
    *,
    media: Media | None = None,
    host: str = "",
    host_id: str = "",
) -> ArchiveRecording:
    """Add an upload, or what a known host has under `host_id`.

    Raises:
        StudioError: the recording is there already for one of these tunes.
    """
    if media is None:
        _check_new(database, author, details, host, host_id)
    recording = ArchiveRecording(
        author=author, kind="upload" if media else "link", media=media, host=host,
        host_id=host_id, visibility=choose_visibility(database, author),
    )  # fmt: skip
    database.add(recording)
    change_recording(database, recording, details)
    record_activity(database, author, "recording", recording.id)
    return recording


def _check_new(
    database: Session, author: Member, details: RecordingDetails, host: str, host_id: str
) -> None:
    same = select(ArchiveRecording).where(
        ArchiveRecording.host == host, ArchiveRecording.host_id == host_id
    )
    for other in database.scalars(same.options(selectinload(ArchiveRecording.tunes))):
        twice = {tune.id for tune in other.tunes} & {tune.id for tune in details.tunes}
        if twice and can_see(other, author):
            raise StudioError(
                _("This recording is here already: “{title}”.").format(title=other.title), "link"
            )


def change_recording(
    database: Session, recording: ArchiveRecording, details: RecordingDetails
) -> None:
    """Write what is said of a recording."""
    recording.title, recording.text = details.title, details.text
    recording.recorded_on, recording.event = details.recorded_on, details.event
    recording.tunes = list(details.tunes)
    database.flush()


def delete_recording(database: Session, recording: ArchiveRecording) -> None:
    """Delete a recording; `delete_unused_media` is for its file."""
    database.delete(recording)
    database.flush()
