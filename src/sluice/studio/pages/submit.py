"""One's own tunes sent to the archive: typed, pasted or as a file, looked at before they go in."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from sluice.studio.archive.abc_text import MAX_BYTES, MAX_TUNES, TuneFacts, split_abc
from sluice.studio.archive.tables import ArchiveTune
from sluice.studio.archive.tunes import MAX_AUTHOR, add_tune, find_same
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.security.limits import allow
from sluice.studio.security.text import check_line
from sluice.studio.web.context import DatabaseDep, VisitorDep
from sluice.studio.web.fields import FieldsDep, SentFields
from sluice.studio.web.rendering import render
from sluice.studio.web.visitor import Visitor
from sluice.tunes.notation.encodings import decode

router = APIRouter()


@router.get("/submit")
def start_submission(request: Request, visitor: VisitorDep) -> Response:
    """An empty form."""
    return _render_form(request, "", "")


@router.post("/submit")
def post_submission(
    request: Request, database: DatabaseDep, visitor: VisitorDep, fields: FieldsDep
) -> Response:
    """Show what was understood of the tunes, or archive those that were chosen."""
    abc, name = fields.get_text("abc"), fields.get_text("author_name")
    try:
        abc = _read_file(fields) or abc
        found = split_abc(abc)
        author_name = check_line(name, "author_name", MAX_AUTHOR, needed=False)
        if fields.get_text("action") == "archive":
            added = _archive(database, visitor, fields, found, author_name)
            address = f"/tunes/{added[0].id}" if len(added) == 1 else "/tunes"
            return RedirectResponse(address, 303)
    except StudioError as problem:
        database.rollback()
        return _render_form(request, abc, name, problem)
    same = {number: find_same(database, facts.played) for number, facts in enumerate(found)}
    return render(request, "submit_preview.html", found=found, abc=abc, same=same, author_name=name)


def _read_file(fields: SentFields) -> str:
    """The text of the file that was chosen; nothing if none was."""
    sent = fields.get_file("file")
    if sent is None:
        return ""
    content = sent.file.read(MAX_BYTES * MAX_TUNES + 1)
    if len(content) > MAX_BYTES * MAX_TUNES:
        raise StudioError(
            _("The file has more than {limit} bytes; send fewer tunes at a time.").format(
                limit=MAX_BYTES * MAX_TUNES
            ),
            "file",
        )
    text = decode(content).characters
    if "\0" in text:
        raise StudioError(_("This file is no text; send one with tunes in ABC."), "file")
    if not text.strip():
        raise StudioError(_("This file is empty."), "file")
    return text


def _archive(
    database: Session,
    visitor: Visitor,
    fields: SentFields,
    found: list[TuneFacts],
    author_name: str,
) -> list[ArchiveTune]:
    chosen = [number for number in fields.get_numbers("chosen") if number < len(found)]
    if not chosen:
        raise StudioError(_("Choose at least one of the tunes."))
    # A file counts as one post: it goes before a keeper as a whole.
    allow(database, visitor.who, "post")
    return [
        add_tune(
            database,
            title=check_line(fields.get_text(f"title-{number}"), f"title-{number}", needed=False),
            abc=found[number].abc,
            author=visitor.member,
            author_name=author_name,
            claim_hash=visitor.claim_hash,
            keeps_unread=True,
        )
        for number in sorted(set(chosen))
    ]


def _render_form(
    request: Request, abc: str, author_name: str, problem: StudioError | None = None
) -> Response:
    return render(
        request, "submit.html", 422 if problem else 200, abc=abc, author_name=author_name,
        problem=problem, max_bytes=MAX_BYTES, max_tunes=MAX_TUNES,
    )  # fmt: skip
