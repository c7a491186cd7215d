"""Uploaded files, for players and pictures of this site's own pages."""

from __future__ import annotations

import re

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from sqlalchemy import Select, or_, select

from sluice.studio.archive.tables import ArchiveEvent, ArchiveRecording, Media
from sluice.studio.archive.visibility import is_visible
from sluice.studio.errors import NotFoundError
from sluice.studio.languages import gettext as _
from sluice.studio.security.uploads import get_media_path
from sluice.studio.web.context import DatabaseDep, StudioDep, VisitorDep

router = APIRouter()

_ENDINGS = {"audio/mpeg": "mp3", "audio/ogg": "ogg", "image/webp": "webp"}
_HEADERS = {
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, max-age=86400",
}


@router.get("/media/{sha256}")
def read_media(
    sha256: str, database: DatabaseDep, studio: StudioDep, visitor: VisitorDep
) -> Response:
    """The file with this hash, or a part of it, if a post that the visitor may see shows it."""
    is_name = re.fullmatch(r"[0-9a-f]{64}", sha256) is not None
    media = database.scalar(_find(sha256, visitor)) if is_name else None
    path = get_media_path(studio.config.folder, sha256) if media is not None else None
    if media is None or path is None or not path.is_file():
        raise NotFoundError(_("There is no such file."))
    name = f"{sha256[:12]}.{_ENDINGS.get(media.mime, 'bin')}"
    return FileResponse(
        path, media_type=media.mime, filename=name, headers=_HEADERS,
        content_disposition_type="inline",
    )  # fmt: skip


def _find(sha256: str, visitor: VisitorDep) -> Select[Media]:
    shown = or_(
        *(
            select(post.id)
            .where(post.media_id == Media.id, is_visible(post, visitor.member))
            .exists()
            for post in (ArchiveRecording, ArchiveEvent)
        )
    )
    if visitor.member is not None:
        shown = or_(shown, Media.owner_id == visitor.member.id)
    return select(Media).where(Media.sha256 == sha256, shown).limit(1)
