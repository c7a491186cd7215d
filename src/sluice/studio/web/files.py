"""Answers with files of tunes and books."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request, Response
from fastapi.responses import FileResponse
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from sluice.studio.errors import NotFoundError
from sluice.studio.exports.formats import FORMATS, FileFormat, make_disposition, make_file_name
from sluice.studio.exports.sources import FileSource, write_quickly
from sluice.studio.languages import gettext as _
from sluice.studio.web.context import Studio, get_visitor
from sluice.studio.web.visitor import Visitor

Find = Callable[[Session, Visitor], FileSource]
_HEADERS = {"cache-control": "no-cache", "content-security-policy": "sandbox; default-src 'none'"}


async def answer_file(
    request: Request, studio: Studio, ending: str, find: Find, is_book: bool = False
) -> Response:
    """The file, or that the browser has it already.

    The database is let go before the file is made, which may take seconds.

    Raises:
        NotFoundError: there is no such format, or nothing that this visitor may see.
        UnavailableError: too many files are being made, or this one took too much.
        SluiceError: the tune cannot be written so.
    """
    kind = find_format(ending, is_book)

    def load() -> tuple[FileSource, str]:
        with studio.database.open_session() as database:
            visitor = get_visitor(request, database, studio)
            return find(database, visitor), visitor.address

    source, address = await run_in_threadpool(load)
    headers = _HEADERS | {"etag": f'"{source.make_tag(kind)}"'}
    if request.headers.get("if-none-match", "") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    headers["content-disposition"] = make_disposition(make_file_name(source.title, kind.ending))
    if kind.is_quick or not source.abcs:
        content = await run_in_threadpool(write_quickly, source, kind)
        return Response(content, media_type=kind.media_type, headers=headers)
    path = await studio.jobs.make_file(source.make_request(kind), address, request.is_disconnected)
    return FileResponse(path, media_type=kind.media_type, headers=headers)


def find_format(ending: str, is_book: bool) -> FileFormat:
    """The format of an ending.

    Raises:
        NotFoundError: there is none, or it is not for books.
    """
    known = [name for name, kind in FORMATS.items() if kind.for_books or not is_book]
    if ending not in known:
        raise NotFoundError(
            _("There is no such file; the endings are %(endings)s.") % {"endings": ", ".join(known)}
        )
    return FORMATS[ending]
