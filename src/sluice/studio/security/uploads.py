"""Files of members: decoded in a limited process, written anew, stored by their hash."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Literal

from sqlalchemy.orm import Session

from sluice.files import write_atomically
from sluice.studio.archive.tables import Media, Member
from sluice.studio.errors import LimitError, StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.security.decoding import MAX_MINUTES

MAX_BYTES = 20 * 2**20
_SECONDS = 120
_PLACES = threading.BoundedSemaphore(2)
_BEGINNINGS = {
    "sound": (
        ("WAV", b"RIFF", b"WAVE"), ("WAV", b"RF64", b"WAVE"), ("AIFF", b"FORM", b"AIF"),
        ("FLAC", b"fLaC", b""), ("OGG", b"OggS", b""), ("MP3", b"ID3", b""), ("MP3", b"\xff", b""),
    ),
    "image": (
        ("PNG", b"\x89PNG\r\n\x1a\n", b""), ("JPEG", b"\xff\xd8\xff", b""),
        ("GIF", b"GIF87a", b""), ("GIF", b"GIF89a", b""), ("WebP", b"RIFF", b"WEBP"),
    ),
}  # fmt: skip
_SUFFIXES = {
    ".wav": "WAV", ".aif": "AIFF", ".aiff": "AIFF", ".aifc": "AIFF", ".flac": "FLAC",
    ".ogg": "OGG", ".oga": "OGG", ".opus": "OGG", ".mp3": "MP3",
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".webp": "WebP",
}  # fmt: skip

MediaKind = Literal["sound", "image"]


@dataclass(frozen=True)
class DecodedFile:
    """A file as the studio writes it anew: `mime` type, content, and the seconds of a sound."""

    mime: str
    content: bytes
    seconds: float | None


def store_upload(
    database: Session,
    folder: Path,
    file: BinaryIO,
    name: str,
    kind: MediaKind,
    owner: Member | None,
    field: str = "file",
) -> Media:
    """Decode an uploaded file, write it anew into the site's folder, and add its row.

    The session is committed first, since decoding takes seconds.

    Args:
        name: what the member's machine calls it; only its ending is looked at.

    Raises:
        StudioError: the file is empty, too large, too long, not what its name says, or none that
            can be read; or the disk is full.
        LimitError: other files are being read.
    """
    database.commit()
    decoded = decode_upload(file, name, kind, field)
    sha256 = hashlib.sha256(decoded.content).hexdigest()
    try:
        write_atomically(get_media_path(folder, sha256), decoded.content)
    except OSError as error:
        raise StudioError(
            _("The file could not be stored: {problem}. Tell the keepers of this site.").format(
                problem=os.strerror(error.errno or 0)
            ),
            field,
        ) from error
    media = Media(
        sha256=sha256, mime=decoded.mime, seconds=decoded.seconds, size=len(decoded.content),
        owner_id=None if owner is None else owner.id,
    )  # fmt: skip
    database.add(media)
    database.flush()
    return media


def get_media_path(folder: Path, sha256: str) -> Path:
    """Where the file with this hash is kept."""
    return folder / "media" / sha256[:2] / sha256


def decode_upload(file: BinaryIO, name: str, kind: MediaKind, field: str = "file") -> DecodedFile:
    """An uploaded file, read and written anew by another process.

    Raises:
        StudioError: as `store_upload`.
    """
    file.seek(0, os.SEEK_END)
    size = file.tell()
    file.seek(0)
    if size == 0:
        raise StudioError(_("The file is empty."), field)
    if size > MAX_BYTES:
        raise StudioError(_("The file is larger than 20 MB."), field)
    _check_beginning(file.read(16), name, kind, field)
    file.seek(0)
    if not _PLACES.acquire(blocking=False):
        raise LimitError(_("Other files are being read just now. Try again in a moment."), 10)
    try:
        with tempfile.NamedTemporaryFile(prefix="sluice-upload-") as copy:
            while block := file.read(2**20):
                copy.write(block)
            copy.flush()
            written = _run_decoder(kind, copy.name)
    except OSError as error:
        raise StudioError(_("The file could not be read here. Try again later."), field) from error
    finally:
        _PLACES.release()
    line, _newline, content = written.partition(b"\n")
    found: dict[str, Any] = json.loads(line) if line else {"problem": "unreadable"}
    if "problem" in found:
        raise StudioError(_describe(found["problem"], kind), field)
    return DecodedFile(found["mime"], content, found["seconds"])


def _check_beginning(start: bytes, name: str, kind: MediaKind, field: str) -> None:
    formats = {
        label
        for label, first, later in _BEGINNINGS[kind]
        if start.startswith(first) and start[8:].startswith(later)
    }
    if "MP3" in formats and start[0] == 0xFF and not start[1:2] >= b"\xe0":
        formats = set()
    if not formats:
        raise StudioError(_describe("unreadable", kind), field)
    claimed = _SUFFIXES.get(PurePath(name.lower()).suffix)
    if claimed not in formats:
        raise StudioError(
            _(
                "The file is {actual}, but its name does not end so. Give it its right ending."
            ).format(actual=min(formats)),
            field,
        )


def _run_decoder(kind: MediaKind, path: str) -> bytes:
    """What the decoder wrote; nothing if it was stopped by a limit or by what it read."""
    command = [sys.executable, "-m", "sluice.studio.security.decoding", kind, path]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return b""
    return done.stdout if done.returncode == 0 else b""


def _describe(problem: str, kind: MediaKind) -> str:
    if problem == "long":
        return _("The recording is longer than {minutes} minutes.").format(minutes=MAX_MINUTES)
    if problem == "large":
        return _("The picture has more than 50 million pixels.")
    if problem == "empty":
        return _("There is no sound in this file.")
    if kind == "sound":
        return _("This is no sound that can be read here: MP3, OGG, FLAC, WAV or AIFF.")
    return _("This is no picture that can be read here: JPEG, PNG, WebP or GIF.")
