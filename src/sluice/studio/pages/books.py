"""Tunebooks: a member's list of them, a book's page, and what its owner changes."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from sluice.studio.archive import books
from sluice.studio.archive.activity import record_activity
from sluice.studio.archive.members import find_member_page, is_trusted
from sluice.studio.archive.tables import Book
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.pages.offline import list_offline_files
from sluice.studio.security.limits import allow
from sluice.studio.security.text import check_line, check_text, render_markdown
from sluice.studio.web.context import DatabaseDep, MemberDep, VisitorDep
from sluice.studio.web.fields import FieldsDep, SentFields
from sluice.studio.web.rendering import render

router = APIRouter()


@router.get("/members/{number:number}/tunebook")
def show_books(
    request: Request, number: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """A member's tunebooks."""
    owner = find_member_page(database, number)
    found = books.list_books(database, owner, visitor.member)
    is_own = visitor.member is not None and visitor.member.id == owner.id
    return render(request, "books.html", owner=owner, books=found, is_own=is_own)


@router.get("/books/new")
def start_book(request: Request, member: MemberDep) -> Response:
    """An empty form."""
    return _show_form(request, {"is_public": True})


@router.post("/books/new")
def add_book(
    request: Request,
    database: DatabaseDep,
    visitor: VisitorDep,
    member: MemberDep,
    fields: FieldsDep,
) -> Response:
    """Begin a tunebook."""
    try:
        allow(database, visitor.who, "post")
        name, text = _read_words(fields)
        book = books.create_book(database, member, name, text, fields.is_checked("is_public"))
    except StudioError as problem:
        database.rollback()
        return _show_form(request, _read_values(fields), problem=problem)
    record_activity(database, member, "book", book.id)
    return RedirectResponse(f"/books/{book.id}", 303)


@router.get("/books/{number:number}")
def show_book(
    request: Request, number: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """A tunebook: its sets and tunes."""
    viewer = visitor.member
    book = books.find_book(database, number, viewer)
    is_own = viewer is not None and viewer.id == book.owner_id
    is_shown = is_own or is_trusted(database, book.owner)
    return render(
        request, "book.html", book=book, is_own=is_own,
        text=render_markdown(book.text if is_shown else ""),
        sets=books.group_entries(books.list_readable(book, viewer)),
        num_missing=len(book.entries) - len(books.list_readable(book, viewer)),
        set_names=sorted({entry.set_name for entry in book.entries if entry.set_name}),
        offline_files=list_offline_files(), read_facts=books.read_entry_facts,
    )  # fmt: skip


@router.get("/books/{number:number}/print")
def print_book(
    request: Request, number: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """A tunebook for paper: title page, index, and each tune's score."""
    book = books.find_book(database, number, visitor.member)
    sets = books.group_entries(books.list_readable(book, visitor.member))
    entries = [entry for group in sets for entry in group.entries]
    numbers = {entry.id: place for place, entry in enumerate(entries, start=1)}
    index = sorted(entries, key=lambda entry: _get_sorting_key(entry.tune.title))
    is_shown = visitor.has_made(book) or is_trusted(database, book.owner)
    return render(
        request, "book_print.html", book=book, sets=sets, numbers=numbers, index=index,
        text=render_markdown(book.text if is_shown else ""), read_facts=books.read_entry_facts,
    )  # fmt: skip


def _get_sorting_key(title: str) -> str:
    """Titles without their article, as an index has them."""
    lowered = title.casefold()
    for article in ("the ", "an ", "a "):
        if lowered.startswith(article):
            return lowered.removeprefix(article)
    return lowered


@router.get("/books/{number:number}/edit")
def edit_book(request: Request, number: int, database: DatabaseDep, member: MemberDep) -> Response:
    """The form with a book's name."""
    book = books.find_own_book(database, number, member)
    values = {"name": book.name, "text": book.text, "is_public": book.is_public}
    return _show_form(request, values, book)


@router.post("/books/{number:number}/edit")
def change_book(
    request: Request, number: int, database: DatabaseDep, member: MemberDep, fields: FieldsDep
) -> Response:
    """Change a book's name, or who sees it."""
    book = books.find_own_book(database, number, member)
    try:
        book.name, book.text = _read_words(fields)
    except StudioError as problem:
        database.rollback()
        return _show_form(request, _read_values(fields), book, problem)
    book.is_public = fields.is_checked("is_public")
    return RedirectResponse(f"/books/{number}", 303)


@router.post("/books/{number:number}/delete")
def delete_book(number: int, database: DatabaseDep, member: MemberDep) -> Response:
    """Delete a book; its tunes stay."""
    books.delete_book(database, books.find_own_book(database, number, member))
    return RedirectResponse(f"/members/{member.id}/tunebook", 303)


def _read_words(fields: SentFields) -> tuple[str, str]:
    name = check_line(fields.get_text("name"), "name", 80)
    return name, check_text(fields.get_text("text"), "text", needed=False)


def _read_values(fields: SentFields) -> dict[str, object]:
    return {
        "name": fields.get_text("name"),
        "text": fields.get_text("text"),
        "is_public": fields.is_checked("is_public"),
    }


def _show_form(
    request: Request,
    values: Mapping[str, object],
    book: Book | None = None,
    problem: StudioError | None = None,
) -> Response:
    return render(
        request, "book_form.html", 422 if problem else 200, book=book, problem=problem,
        values={"name": "", "text": "", **values},
        heading=_("Change a tunebook") if book else _("Begin a tunebook"),
    )  # fmt: skip
