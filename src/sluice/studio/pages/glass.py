"""The glass box of a composition: what the network did while it wrote the tune."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from sluice.studio.archive.compositions import find_composition
from sluice.studio.archive.tables import Composition
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.errors import NotFoundError
from sluice.studio.exports.cache import FileCache
from sluice.studio.glass.packing import VERSION
from sluice.studio.languages import gettext as _
from sluice.studio.web.compositions import read_composition
from sluice.studio.web.context import DatabaseDep, StudioDep, VisitorDep
from sluice.studio.web.rendering import render

router = APIRouter()
_FOREVER = "public, max-age=31536000, immutable"


@router.get("/c/{code}/glass")
def show_glass(
    request: Request, code: str, database: DatabaseDep, studio: StudioDep, visitor: VisitorDep
) -> Response:
    """The page; its script fetches the file."""
    found = _require_done(find_composition(database, code))
    return render(
        request,
        "glass.html",
        code=code,
        title=found.title,
        abc=found.abc,
        version=locate_pack(studio.jobs.cache, found).stem[:12],
    )


@router.get("/c/{code}/glass.bin")
async def read_glass(request: Request, code: str, studio: StudioDep) -> Response:
    """The file (`sluice.studio.glass.packing`), from the cache or from the composing process."""
    found = _require_done(await read_composition(studio, code))
    cache = studio.jobs.cache
    path = locate_pack(cache, found)
    headers = {"cache-control": _FOREVER, "etag": f'"{path.stem}"', "vary": "accept-encoding"}
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = await run_in_threadpool(_read_pack, cache, path)
    if content is None:
        dance = str((found.result or {}).get("dance", ""))
        options = ComposingOptions.parse(found.options)
        pack = await studio.composing.replay(found.model, found.tokens or (), dance, options)
        content = await run_in_threadpool(store_pack, cache, path, pack)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
    else:
        content = gzip.decompress(content)
    return Response(content, headers=headers, media_type="application/octet-stream")


def locate_pack(cache: FileCache, found: Composition) -> Path:
    """Where the compressed file of a composition is or will be: all that it follows from."""
    return cache.make_path(
        {
            "format": "glass",
            "version": VERSION,
            "model": found.model,
            "tokens": found.tokens,
            "options": found.options,
        }
    )


def store_pack(cache: FileCache, path: Path, pack: bytes) -> bytes:
    """Keep a file and return it compressed; a full disk is no reason not to show it."""
    content = gzip.compress(pack, 6, mtime=0)
    with suppress(OSError):
        cache.write(path, content)
    return content


def _read_pack(cache: FileCache, path: Path) -> bytes | None:
    """A compressed file; None where there is none, or a damaged one."""
    if not cache.find(path):
        return None
    try:
        content = path.read_bytes()
        return content if gzip.decompress(content) else None
    except (OSError, EOFError, zlib.error):
        return None


def _require_done(found: Composition) -> Composition:
    """A composition, if it is complete.

    Raises:
        NotFoundError: it is not.
    """
    if found.state != "done" or not found.tokens:
        raise NotFoundError(
            _("This tune is not complete yet, so there is nothing to look into. Come back soon.")
        )
    return found
