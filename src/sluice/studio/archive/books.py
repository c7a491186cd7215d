"""Tunebooks: what is in them, in which order and in which sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from sluice.studio.archive.abc_text import read_head
from sluice.studio.archive.tables import ArchiveTune, Book, BookEntry, Member, Setting
from sluice.studio.archive.visibility import can_see
from sluice.studio.errors import ForbiddenError, NotFoundError, StudioError
from sluice.studio.languages import gettext as _

MAX_BOOKS = 100
MAX_ENTRIES = 500


@dataclass(frozen=True)
class BookSet:
    """Entries that are played one after the other; `name` is empty for an entry by itself."""

    name: str
    entries: tuple[BookEntry, ...]


@dataclass(frozen=True)
class EntryFacts:
    """What stands beside an entry's title: the tune's, or the setting's own."""

    dance: str
    meter: str
    key: str


def read_entry_facts(entry: BookEntry) -> EntryFacts:
    """Dance, meter and key of an entry; a setting without R: is of its tune's dance."""
    tune = entry.tune
    facts = tune if entry.setting is None else read_head(entry.setting.abc)
    key = f"{facts.tonic} {facts.mode}" if facts.tonic else ""
    return EntryFacts(facts.dance or tune.dance, facts.meter, key)


def list_books(database: Session, owner: Member, viewer: Member | None) -> list[Book]:
    """A member's books, oldest first; others see only the public ones."""
    query = select(Book).where(Book.owner_id == owner.id).options(selectinload(Book.entries))
    if viewer is None or viewer.id != owner.id:
        query = query.where(Book.is_public)
    return list(database.scalars(query.order_by(Book.id)))


def find_book(database: Session, number: int, viewer: Member | None) -> Book:
    """A book with its entries, tunes and settings.

    Raises:
        NotFoundError: there is none, or it is another member's private one.
    """
    book = database.scalar(
        select(Book)
        .where(Book.id == number)
        .options(
            joinedload(Book.owner),
            selectinload(Book.entries).joinedload(BookEntry.tune),
            selectinload(Book.entries).joinedload(BookEntry.setting),
        )
    )
    if book is None or not (book.is_public or (viewer is not None and viewer.id == book.owner_id)):
        raise NotFoundError(_("There is no such tunebook, or it is private."))
    return book


def find_own_book(database: Session, number: int, member: Member) -> Book:
    """A book that a member may change.

    Raises:
        NotFoundError: there is none, or it is another member's private one.
        ForbiddenError: it is another member's.
    """
    book = find_book(database, number, member)
    if book.owner_id != member.id:
        raise ForbiddenError(_("Only its owner can change this tunebook."))
    return book


def get_default_book(database: Session, member: Member) -> Book:
    """The member's oldest book, begun now if there is none."""
    book = database.scalar(
        select(Book).where(Book.owner_id == member.id).order_by(Book.id).limit(1)
    )
    return book or create_book(database, member, _("Tunebook"))


def create_book(
    database: Session, owner: Member, name: str, text: str = "", is_public: bool = True
) -> Book:
    """Begin a book.

    Raises:
        StudioError: the member has too many.
    """
    count = database.scalar(select(func.count()).select_from(Book).where(Book.owner_id == owner.id))
    if (count or 0) >= MAX_BOOKS:
        raise StudioError(
            _("You have {count} tunebooks; no more can be added.").format(count=MAX_BOOKS)
        )
    book = Book(owner=owner, name=name, text=text, is_public=is_public)
    database.add(book)
    database.flush()
    return book


def delete_book(database: Session, book: Book) -> None:
    """Delete a book; its tunes stay in the archive."""
    tunes = {entry.tune_id for entry in book.entries}
    database.delete(book)
    database.flush()
    _count_books(database, tunes)


def add_entry(
    database: Session, book: Book, tune: ArchiveTune, setting: Setting | None = None
) -> BookEntry:
    """Put a tune, or one setting of it, at a book's end; it stays where it is if it is there.

    Raises:
        StudioError: the setting is of another tune, or the book is full.
    """
    if setting is not None and setting.tune_id != tune.id:
        raise StudioError(_("This setting is of another tune."), "setting")
    number = setting.id if setting else None
    for entry in book.entries:
        if (entry.tune_id, entry.setting_id) == (tune.id, number):
            return entry
    if len(book.entries) >= MAX_ENTRIES:
        raise StudioError(
            _("This tunebook has {count} tunes; begin another one.").format(count=MAX_ENTRIES)
        )
    entry = BookEntry(tune=tune, setting=setting, position=len(book.entries) + 1, set_name="")
    book.entries.append(entry)
    database.flush()
    _count_books(database, {tune.id})
    return entry


def find_entry(book: Book, number: int) -> BookEntry:
    """The entry with this number.

    Raises:
        NotFoundError: the book has none such.
    """
    for entry in book.entries:
        if entry.id == number:
            return entry
    raise NotFoundError(_("This tune is no longer in the tunebook."))


def remove_entry(database: Session, book: Book, entry: BookEntry) -> None:
    """Take a tune out of a book."""
    tune = entry.tune_id
    book.entries.remove(entry)
    _arrange(book, book.entries)
    database.flush()
    _count_books(database, {tune})


def move_entry(book: Book, entry: BookEntry, steps: int) -> None:
    """Move an entry one place up (-1) or down (1).

    Within its set it changes places with its neighbour; at the set's end the whole set does.
    """
    groups = [list(group.entries) for group in group_entries(book.entries)]
    here = next(place for place, group in enumerate(groups) if entry in group)
    group = groups[here]
    place, other = group.index(entry), group.index(entry) + steps
    if 0 <= other < len(group):
        group[place], group[other] = group[other], group[place]
    elif 0 <= here + steps < len(groups):
        groups[here], groups[here + steps] = groups[here + steps], groups[here]
    _arrange(book, [each for group in groups for each in group])


def place_entry(book: Book, entry: BookEntry, before: BookEntry | None) -> None:
    """Put an entry before another, or at the end.

    Between two entries of a set it joins the set; away from its own set it leaves that.
    """
    if entry is before:
        return
    others = [each for each in book.entries if each is not entry]
    place = others.index(before) if before is not None else len(others)
    above = others[place - 1].set_name if place else ""
    below = others[place].set_name if place < len(others) else ""
    if above and above == below:
        entry.set_name = above
    elif entry.set_name not in (above, below):
        entry.set_name = ""
    others.insert(place, entry)
    _arrange(book, others)


def name_set(book: Book, entry: BookEntry, name: str) -> None:
    """Put an entry at the end of the set with this name, or out of its set if the name is empty."""
    entry.set_name = name
    _arrange(book, book.entries)


def group_entries(entries: Iterable[BookEntry]) -> list[BookSet]:
    """The sets of a book, each where its first entry is; entries without one by themselves."""
    groups: dict[str | int, list[BookEntry]] = {}
    for place, entry in enumerate(entries):
        groups.setdefault(entry.set_name or place, []).append(entry)
    return [BookSet(group[0].set_name, tuple(group)) for group in groups.values()]


def list_readable(book: Book, viewer: Member | None) -> list[BookEntry]:
    """The entries whose tune and setting a viewer may see, in the book's order."""
    return [
        entry
        for entry in book.entries
        if can_see(entry.tune, viewer) and (entry.setting is None or can_see(entry.setting, viewer))
    ]


def count_listing_books(database: Session, tune: ArchiveTune) -> int:
    """In how many books a tune is."""
    query = select(func.count(func.distinct(BookEntry.book_id)))
    return database.scalar(query.where(BookEntry.tune_id == tune.id)) or 0


def _arrange(book: Book, entries: Sequence[BookEntry]) -> None:
    ordered = [entry for group in group_entries(entries) for entry in group.entries]
    for place, entry in enumerate(ordered, start=1):
        entry.position = place
    book.entries.sort(key=lambda entry: entry.position)


def _count_books(database: Session, tunes: set[int]) -> None:
    for number in tunes:
        tune = database.get(ArchiveTune, number)
        if tune is not None:
            tune.num_books = count_listing_books(database, tune)
