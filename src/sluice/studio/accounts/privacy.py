"""What is theirs: a member takes all of it along, or leaves; and what is forgotten by itself."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, inspect, or_, select, update
from sqlalchemy.orm import Session

from sluice.studio.accounts.mail import purge_mail
from sluice.studio.accounts.sessions import purge_sessions
from sluice.studio.accounts.sign_up import purge_sign_ups
from sluice.studio.archive.subjects import COMMENTED
from sluice.studio.archive.tables import (
    AbuseReport,
    Activity,
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Base,
    Book,
    BookEntry,
    Comment,
    Composition,
    Follow,
    KeeperAction,
    MailLink,
    Media,
    Member,
    MemberSession,
    OutgoingMail,
    Setting,
    SignUp,
    TuneNote,
    Vote,
    recording_tunes,
)
from sluice.studio.archive.tables.base import get_now
from sluice.studio.security.limits import purge_counts
from sluice.studio.security.uploads import get_media_path

_OWN: dict[str, tuple[type[Base], Any]] = {
    "compositions": (Composition, Composition.owner_id),
    "tunes": (ArchiveTune, ArchiveTune.author_id),
    "settings": (Setting, Setting.author_id),
    "notes": (TuneNote, TuneNote.author_id),
    "comments": (Comment, Comment.author_id),
    "recordings": (ArchiveRecording, ArchiveRecording.author_id),
    "events": (ArchiveEvent, ArchiveEvent.author_id),
    "books": (Book, Book.owner_id),
    "media": (Media, Media.owner_id),
    "votes": (Vote, Vote.member_id),
    "follows": (Follow, Follow.member_id),
    "activity": (Activity, Activity.member_id),
    "reports": (AbuseReport, AbuseReport.reporter_id),
    "sessions": (MemberSession, MemberSession.member_id),
}
_SECRET = {"password", "token_hash", "claim_hash", "contour", "name_key"}


def export_member(database: Session, folder: Path, member: Member) -> bytes:
    """A zip of all that a member has here: `member.json`, and their uploads."""
    data: dict[str, Any] = {"member": _to_dict(member)}
    for name, (table, owner) in _OWN.items():
        rows = database.scalars(select(table).where(owner == member.id).order_by(table.id))
        data[name] = [_to_dict(row) for row in rows]
    entries = database.scalars(
        select(BookEntry).join(Book).where(Book.owner_id == member.id).order_by(BookEntry.position)
    )
    data["book_entries"] = [_to_dict(entry) for entry in entries]
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member.json", json.dumps(data, indent=1, ensure_ascii=False))
        for media in database.scalars(select(Media).where(Media.owner_id == member.id)):
            path = get_media_path(folder, media.sha256)
            name = f"media/{media.sha256}.{media.mime.rpartition('/')[2]}"
            if path.is_file() and name not in archive.namelist():
                archive.write(path, name, zipfile.ZIP_STORED)
    return written.getvalue()


def delete_member(database: Session, member: Member, keeps_posts: bool) -> None:
    """Delete an account: name, address and sessions are gone.

    Args:
        keeps_posts: whether tunes, settings, comments, recordings and events stay, without a
            name. Otherwise they go too; a tune to which others have added stays without a name.
    """
    if not keeps_posts:
        _delete_posts(database, member)
    for tune in database.scalars(select(ArchiveTune).where(ArchiveTune.author_id == member.id)):
        tune.author, tune.author_name, tune.claim_hash = None, "", ""
    database.execute(
        update(Composition).where(Composition.owner_id == member.id).values(claim_hash="")
    )
    for table in (Follow, AbuseReport):
        database.execute(
            delete(table).where(table.subject == "member", table.subject_id == member.id)
        )
    database.execute(
        update(KeeperAction)
        .where(KeeperAction.subject == "member", KeeperAction.subject_id == member.id)
        .values(summary="")
    )
    database.execute(delete(OutgoingMail).where(OutgoingMail.recipient == member.email))
    database.execute(delete(SignUp).where(SignUp.email == member.email))
    database.delete(member)
    database.flush()


def _delete_posts(database: Session, member: Member) -> None:
    for post in (Comment, Setting, TuneNote, ArchiveRecording, ArchiveEvent):
        for row in database.scalars(select(post).where(post.author_id == member.id)):
            database.delete(row)
    database.flush()
    others = (
        select(Setting.id).where(Setting.tune_id == ArchiveTune.id).exists(),
        select(TuneNote.id).where(TuneNote.tune_id == ArchiveTune.id).exists(),
        select(Comment.id)
        .where(Comment.subject == "tune", Comment.subject_id == ArchiveTune.id)
        .exists(),
        select(BookEntry.id)
        .join(Book)
        .where(BookEntry.tune_id == ArchiveTune.id, Book.owner_id != member.id)
        .exists(),
        select(recording_tunes.c.tune_id)
        .where(recording_tunes.c.tune_id == ArchiveTune.id)
        .exists(),
    )
    unused = select(ArchiveTune).where(ArchiveTune.author_id == member.id, ~or_(*others))
    for tune in database.scalars(unused):
        database.delete(tune)
    database.execute(delete(Composition).where(Composition.owner_id == member.id))
    database.execute(delete(Media).where(Media.owner_id == member.id))
    database.flush()
    for subject, table in COMMENTED.items():
        database.execute(
            delete(Comment).where(
                Comment.subject == subject, Comment.subject_id.not_in(select(table.id))
            )
        )


def purge(database: Session, folder: Path | None = None) -> None:
    """Forget what is too old: counts of addresses, sessions, links, mails, unused uploads.

    Args:
        folder: of the site; files there that no row names are then removed.
    """
    now = get_now()
    purge_counts(database)
    purge_sessions(database)
    purge_sign_ups(database)
    purge_mail(database)
    database.execute(delete(MailLink).where(MailLink.expires_at < now))
    used = [
        select(table.id).where(table.media_id == Media.id).exists()
        for table in (ArchiveRecording, ArchiveEvent)
    ]
    database.execute(delete(Media).where(Media.created_at < now - timedelta(days=1), ~or_(*used)))
    if folder is not None:
        _remove_files(database, folder, now)


def _remove_files(database: Session, folder: Path, now: datetime) -> None:
    known = set(database.scalars(select(Media.sha256)))
    for path in (folder / "media").glob("*/*"):
        # A file comes before its row.
        is_old = path.stat().st_mtime < (now - timedelta(days=1)).timestamp()
        if path.name not in known and is_old:
            path.unlink(missing_ok=True)


def _to_dict(row: Base) -> dict[str, Any]:
    values = {
        column.key: getattr(row, column.key)
        for column in inspect(type(row)).column_attrs
        if column.key not in _SECRET
    }
    return {
        key: value.isoformat() if isinstance(value, date) else value
        for key, value in values.items()
    }
