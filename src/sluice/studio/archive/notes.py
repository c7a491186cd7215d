"""Notes on where a tune comes from."""

from __future__ import annotations

from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import ArchiveTune, Member, TuneNote
from sluice.studio.archive.visibility import may_change
from sluice.studio.errors import ForbiddenError, NotFoundError, StudioError
from sluice.studio.languages import gettext as _

MAX_URL = 500
MAX_NOTES = 200
"""Of one tune."""


def add_note(
    database: Session, tune: ArchiveTune, member: Member, text: str, url: str = ""
) -> TuneNote:
    """Add a note, a text that was checked, with a link or without.

    Raises:
        StudioError: what is no web address, or too many notes.
    """
    url = check_url(url)
    if len(tune.notes) >= MAX_NOTES:
        raise StudioError(
            _("This tune has {limit} notes; no more are taken.").format(limit=MAX_NOTES)
        )
    note = TuneNote(tune_id=tune.id, author_id=member.id, text=text, url=url)
    database.add(note)
    database.flush()
    return note


def check_url(url: str) -> str:
    """A web address to link to, or nothing; nothing here ever opens it.

    Raises:
        StudioError: another kind of address.
    """
    url = url.strip()
    if not url:
        return ""
    if len(url) > MAX_URL:
        raise StudioError(
            _("The link has {count} characters; at most {limit} are taken.").format(
                count=len(url), limit=MAX_URL
            ),
            "url",
        )
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts[1]
        parts.port  # noqa: B018 -- raises for what is no port
    except ValueError:
        is_web = False
    if not is_web or not url.isprintable() or " " in url:
        raise StudioError(_("A link begins with https:// or http:// and a host's name."), "url")
    return url


def delete_note(database: Session, tune: ArchiveTune, note_id: int, member: Member) -> None:
    """Delete one's own note, or as a keeper any.

    Raises:
        NotFoundError: there is none.
        ForbiddenError: it is somebody else's.
    """
    note = database.scalars(
        select(TuneNote).where(TuneNote.tune_id == tune.id, TuneNote.id == note_id)
    ).first()
    if note is None:
        raise NotFoundError(_("This tune has no such note."))
    if not may_change(note, member):
        raise ForbiddenError(_("Only whoever wrote this note can delete it."))
    database.delete(note)
    database.flush()
