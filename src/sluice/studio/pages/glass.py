"""The glass box of a composition: what the network did while it wrote the tune."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import Composition
from sluice.studio.errors import NotFoundError
from sluice.studio.glass.cache import PackCache, compute_key
from sluice.studio.web.context import DatabaseDep, Studio, StudioDep, VisitorDep
from sluice.studio.web.languages import gettext as _
from sluice.studio.web.rendering import render

router = APIRouter()
_FOREVER = "public, max-age=31536000, immutable"


@router.get("/c/{code}/glass")
def show_glass(request: Request, code: str, database: DatabaseDep, visitor: VisitorDep) -> Response:
    """The page; its script fetches the file."""
    found = _find_composition(database, code)
    return render(
        request,
        "glass.html",
        code=code,
        title=found.title,
        abc=found.abc,
        version=_identify(found)[:12],
    )


@router.get("/c/{code}/glass.bin")
async def read_glass(request: Request, code: str, studio: StudioDep) -> Response:
    """The file (`sluice.studio.glass.packing`), from the cache or from the composing process."""
    found = await run_in_threadpool(_load_composition, studio, code)
    key = _identify(found)
    headers = {"cache-control": _FOREVER, "etag": f'"{key[:32]}"', "vary": "accept-encoding"}
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    cache = PackCache(studio.config.folder / "glass")
    content = await run_in_threadpool(cache.find, key)
    if content is None:
        raise NotFoundError(_("What the network did is not known yet."))
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
    else:
        content = cache.decompress(content)
    return Response(content, headers=headers, media_type="application/octet-stream")


def _load_composition(studio: Studio, code: str) -> Composition:
    with studio.database.open_session() as session:
        return _find_composition(session, code)


def _find_composition(session: Session, code: str) -> Composition:
    """A composition that is complete.

    Raises:
        NotFoundError: there is none of that code, or it is not complete.
    """
    found = session.scalar(select(Composition).where(Composition.code == code))
    if found is None:
        raise NotFoundError(_("There is no such composition."))
    if found.state != "done" or not found.tokens:
        raise NotFoundError(
            _("This tune is not complete yet, so there is nothing to look into. Come back soon.")
        )
    return found


def _identify(found: Composition) -> str:
    return compute_key(found.model, found.tokens or [], found.options)
