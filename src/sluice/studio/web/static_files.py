"""Scripts, styles and sounds, under an address that changes whenever one of them does."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from sluice.studio.errors import NotFoundError

FOLDER = Path(__file__).parent.parent / "static"
_TEXTS = {".js", ".css", ".json", ".svg", ".webmanifest", ".txt", ".md"}
_FOREVER = "public, max-age=31536000, immutable"

router = APIRouter()


@lru_cache
def compute_version() -> str:
    """Some digits that stand for the content of all static files."""
    found = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            found.update(f"{path.relative_to(FOLDER)} {path.stat().st_size}".encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


def get_static_url(name: str) -> str:
    """The address of a static file, such as `own/studio.css`."""
    return f"/static/{compute_version()}/{name}"


@router.get("/static/{version}/{name:path}", include_in_schema=False)
def read_static_file(request: Request, version: str, name: str) -> Response:
    """A static file; texts compressed for browsers that can read that."""
    path = _find(name)
    if path is None:
        raise NotFoundError("There is no such file.")
    headers = {"cache-control": _FOREVER if version == compute_version() else "no-cache"}
    if path.suffix not in _TEXTS:
        return FileResponse(path, headers=headers)
    headers["vary"] = "accept-encoding"
    media_type = mimetypes.guess_type(path.name)[0] or "text/plain"
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return FileResponse(path, headers=headers, media_type=media_type)
    headers["content-encoding"] = "gzip"
    return Response(_compress(path), headers=headers, media_type=media_type)


def _find(name: str) -> Path | None:
    try:
        path = (FOLDER / name).resolve()
        is_ours = path.is_relative_to(FOLDER.resolve()) and path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return None
    return path if is_ours else None


@lru_cache
def _compress(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)
