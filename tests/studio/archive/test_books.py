"""Tunebooks: order, sets, and who sees which."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from sluice.studio.archive import books
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveTune, Book, BookEntry, Member, Setting
from sluice.studio.errors import ForbiddenError, NotFoundError, StudioError


def add_member(session: Session, name: str) -> Member:
    member = Member(email=f"{name}@example.org", name=name, password="")
    session.add(member)
    session.flush()
    return member


def make_book(layout: str) -> Book:
    """A book of entries that are a letter each, with the digit of their set: `A B1 C1`."""
    book = Book(name="Book", is_public=True, entries=[])
    for place, word in enumerate(layout.split(), start=1):
        tune = ArchiveTune(id=place, title=word[0], abc="")
        set_name = word[1:]
        entry = BookEntry(id=place, tune=tune, position=place, set_name=set_name)
        book.entries.append(entry)
    return book


def write(book: Book) -> str:
    assert [entry.position for entry in book.entries] == list(range(1, len(book.entries) + 1))
    return " ".join(entry.tune.title + entry.set_name for entry in book.entries)


def get(book: Book, title: str) -> BookEntry:
    return next(entry for entry in book.entries if entry.tune.title == title)


@pytest.mark.parametrize(
    ("before", "title", "steps", "after"),
    [
        ("A B C", "C", -1, "A C B"),
        ("A B C", "A", 1, "B A C"),
        ("A B C", "A", -1, "A B C"),
        ("A B C", "C", 1, "A B C"),
        ("A B1 C1", "C", -1, "A C1 B1"),
        ("A B1 C1", "B", -1, "B1 C1 A"),
        ("A B1 C1", "A", 1, "B1 C1 A"),
        ("B1 C1 A", "C", 1, "A B1 C1"),
        ("B1 C1 A", "B", 1, "C1 B1 A"),
    ],
)
def test_buttons_move_within_a_set_then_the_set(
    before: str, title: str, steps: int, after: str
) -> None:
    book = make_book(before)
    books.move_entry(book, get(book, title), steps)
    assert write(book) == after


@pytest.mark.parametrize(
    ("layout", "title", "before", "after"),
    [
        ("A B C", "C", "A", "C A B"),
        ("A B C", "A", None, "B C A"),
        ("A B1 C1", "A", "C", "B1 A1 C1"),  # into the middle of a set: joins it
        ("A B1 C1", "A", None, "B1 C1 A"),  # beside a set: does not
        ("A B1 C1 D", "B", "A", "B A C1 D"),  # away from its set: leaves it
        ("A B1 C1 D1", "D", "B", "A D1 B1 C1"),
        ("A B1 C1", "C", "C", "A B1 C1"),
    ],
)
def test_an_entry_is_dropped_before_another(
    layout: str, title: str, before: str | None, after: str
) -> None:
    book = make_book(layout)
    books.place_entry(book, get(book, title), get(book, before) if before else None)
    assert write(book) == after


def test_naming_a_set_brings_its_entries_together() -> None:
    book = make_book("A1 B C")
    books.name_set(book, get(book, "C"), "1")
    assert write(book) == "A1 C1 B"
    books.name_set(book, get(book, "A"), "")
    assert write(book) == "A C1 B"
    sets = [(group.name, len(group.entries)) for group in books.group_entries(book.entries)]
    assert sets == [("", 1), ("1", 1), ("", 1)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from("mpn"), st.integers(0, 8))))
def test_whatever_is_done_sets_stay_together_and_nothing_is_lost(
    actions: list[tuple[int, str, int]],
) -> None:
    book = make_book("A B1 C1 D E2 F2 G2 H")
    for place, action, value in actions:
        entry = book.entries[place]
        if action == "m":
            books.move_entry(book, entry, 1 if value % 2 else -1)
        elif action == "p":
            books.place_entry(book, entry, book.entries[value] if value < 8 else None)
        else:
            books.name_set(book, entry, ["", "1", "2", "3"][value % 4])
        assert sorted(each.tune.title for each in book.entries) == list("ABCDEFGH")
        names = [each.set_name for each in book.entries]
        for name in {*names} - {""}:
            places = [place for place, each in enumerate(names) if each == name]
            assert places[-1] - places[0] + 1 == len(places)
        write(book)


def test_a_tune_is_added_once_to_the_default_book_and_counted(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        ann, ben = add_member(session, "Ann"), add_member(session, "Ben")
        tune, other = ArchiveTune(title="A", abc="x"), ArchiveTune(title="B", abc="x")
        setting = Setting(tune=tune, number=1, abc="y")
        session.add_all([tune, other, setting])
        session.flush()
        book = books.get_default_book(session, ann)
        assert books.get_default_book(session, ann) is book
        entry = books.add_entry(session, book, tune)
        assert books.add_entry(session, book, tune) is entry
        books.add_entry(session, book, tune, setting)
        books.add_entry(session, books.get_default_book(session, ben), tune)
        assert len(book.entries) == 2
        assert tune.num_books == 2
        with pytest.raises(StudioError, match="another tune"):
            books.add_entry(session, book, other, setting)
        books.remove_entry(session, book, entry)
        assert tune.num_books == 2  # its setting is there still
        books.delete_book(session, book)
        assert tune.num_books == 1
        assert session.query(BookEntry).count() == 1


def test_a_private_book_is_its_owners(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        ann, ben = add_member(session, "Ann"), add_member(session, "Ben")
        keeper = add_member(session, "Keeper")
        keeper.role = "keeper"
        private = books.create_book(session, ann, "Private", is_public=False)
        public = books.create_book(session, ann, "Public")
        assert books.find_book(session, private.id, ann) is private
        for viewer in (None, ben, keeper):
            with pytest.raises(NotFoundError):
                books.find_book(session, private.id, viewer)
        assert books.list_books(session, ann, ben) == [public]
        assert books.list_books(session, ann, ann) == [private, public]
        with pytest.raises(ForbiddenError):
            books.find_own_book(session, public.id, ben)


def test_hidden_tunes_and_settings_are_left_out(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        ann, ben = add_member(session, "Ann"), add_member(session, "Ben")
        book = books.create_book(session, ann, "Book")
        shown = ArchiveTune(title="A", abc="x")
        hidden = ArchiveTune(title="B", abc="x", visibility="hidden")
        setting = Setting(tune=shown, number=1, abc="y", visibility="waiting", author=ben)
        session.add_all([shown, hidden, setting])
        session.flush()
        entries = [
            books.add_entry(session, book, shown),
            books.add_entry(session, book, hidden),
            books.add_entry(session, book, shown, setting),
        ]
        assert books.list_readable(book, None) == entries[:1]
        assert books.list_readable(book, ben) == [entries[0], entries[2]]
