"""Reading tunebooks without a connection: the service worker, and what it keeps."""

from __future__ import annotations

from functools import lru_cache

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from sluice.studio.web.rendering import render
from sluice.studio.web.static_files import FOLDER, get_static_url

router = APIRouter()

_KEPT = ("own/**/*.js", "own/**/*.css", "vendor/**/*.js", "sound/flute-mp3/*.mp3")


@lru_cache
def list_offline_files() -> list[str]:
    """The addresses of all scripts, styles and flute sounds that a tunebook's page may need."""
    return [
        get_static_url(path.relative_to(FOLDER).as_posix())
        for pattern in _KEPT
        for path in sorted(FOLDER.glob(pattern))
        if path.is_file()
    ]


@router.get("/books/worker")
def read_worker() -> Response:
    """The service worker; its address limits it to tunebooks."""
    path = FOLDER / "own" / "community" / "books-worker.js"
    return FileResponse(path, media_type="text/javascript", headers={"cache-control": "no-cache"})


@router.get("/books/offline")
def show_offline(request: Request) -> Response:
    """What is shown for a book that was not kept."""
    return render(request, "book_offline.html")
