"""What is in a tunebook: added from a tune's page, ordered, put into sets, taken out."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from sluice.studio.archive import books
from sluice.studio.archive.tables import ArchiveTune, Setting
from sluice.studio.archive.visibility import require_visible
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.security.text import check_line
from sluice.studio.web.context import DatabaseDep, MemberDep
from sluice.studio.web.fields import FieldsDep

router = APIRouter()


@router.post("/books/add")
def add_tune(database: DatabaseDep, member: MemberDep, fields: FieldsDep) -> Response:
    """Put a tune, or a setting of it, into a book: the one that is chosen or the oldest."""
    number, chosen = fields.get_number("tune"), fields.get_number("book")
    tune = require_visible(None if number is None else database.get(ArchiveTune, number), member)
    number = fields.get_number("setting")
    setting = None
    if number is not None:
        setting = require_visible(database.get(Setting, number), member)
    if chosen is None:
        book = books.get_default_book(database, member)
    else:
        book = books.find_own_book(database, chosen, member)
    books.add_entry(database, book, tune, setting)
    return RedirectResponse(f"/tunes/{tune.id}#tunebooks", 303)


@router.post("/books/{number:number}/entries/{entry:number}/move")
def move_entry(
    number: int, entry: int, database: DatabaseDep, member: MemberDep, fields: FieldsDep
) -> Response:
    """Move a tune one place up or down."""
    book = books.find_own_book(database, number, member)
    steps = {"up": -1, "down": 1}.get(fields.get_text("to"))
    if steps is None:
        raise StudioError(_("A tune moves up or down."), "to")
    books.move_entry(book, books.find_entry(book, entry), steps)
    return _go_back(number, entry)


@router.post("/books/{number:number}/entries/{entry:number}/place")
def place_entry(
    number: int, entry: int, database: DatabaseDep, member: MemberDep, fields: FieldsDep
) -> Response:
    """Put a tune before another one, or at the end."""
    book = books.find_own_book(database, number, member)
    before = fields.get_number("before")
    goal = None if before is None else books.find_entry(book, before)
    books.place_entry(book, books.find_entry(book, entry), goal)
    return _go_back(number, entry)


@router.post("/books/{number:number}/entries/{entry:number}/set")
def name_set(
    number: int, entry: int, database: DatabaseDep, member: MemberDep, fields: FieldsDep
) -> Response:
    """Put a tune into the set with a name, or out of its set."""
    book = books.find_own_book(database, number, member)
    name = check_line(fields.get_text("set_name"), "set_name", 80, needed=False)
    books.name_set(book, books.find_entry(book, entry), name)
    return _go_back(number, entry)


@router.post("/books/{number:number}/entries/{entry:number}/remove")
def remove_entry(number: int, entry: int, database: DatabaseDep, member: MemberDep) -> Response:
    """Take a tune out of a book."""
    book = books.find_own_book(database, number, member)
    books.remove_entry(database, book, books.find_entry(book, entry))
    return RedirectResponse(f"/books/{number}#tunes", 303)


def _go_back(number: int, entry: int) -> Response:
    return RedirectResponse(f"/books/{number}#entry-{entry}", 303)
