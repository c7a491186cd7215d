"""Files that no post shows any more."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import ArchiveEvent, ArchiveRecording, Media
from sluice.studio.security.uploads import get_media_path


def delete_unused_media(database: Session, folder: Path, media: Media | None) -> None:
    """Delete an uploaded file and its row, unless a recording or an event shows it."""
    if media is None:
        return
    database.flush()
    for post in (ArchiveRecording, ArchiveEvent):
        if database.scalar(select(post.id).where(post.media_id == media.id).limit(1)):
            return
    database.delete(media)
    database.flush()
    # Two members may have sent the same file.
    if database.scalar(select(Media.id).where(Media.sha256 == media.sha256).limit(1)) is None:
        get_media_path(folder, media.sha256).unlink(missing_ok=True)
