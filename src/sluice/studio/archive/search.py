"""Finds tunes by words, by notes in any key, and by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, false, func, select, text
from sqlalchemy.orm import Session, joinedload

from sluice.studio.archive.contours import (
    GRAM,
    NotesQuery,
    list_wanted_grams,
    parse_notes,
)
from sluice.studio.archive.tables import ArchiveTune, Setting, TuneText
from sluice.studio.archive.visibility import PUBLIC, is_listed
from sluice.studio.archive.words import fold_words
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _

MAX_FOUND = 500
"""How many tunes a search ranks; of more that match, the newest."""
MAX_QUERY = 200
_MAX_TERMS = 10
PER_PAGE = 20

Sort = Literal["best", "newest", "title", "popular"]


@dataclass(frozen=True)
class TuneQuery:
    """What is looked for; what is empty makes no difference.

    Attributes:
        words: of title, author, notes, dance; each may be the beginning of one.
        notes: letters or scale steps (`contours.parse_notes`).
        origin: `composed` here by a model, or `written` by a person.
        sort: `best` is by fit for a search, else the newest first.
    """

    words: str = ""
    notes: str = ""
    dance: str = ""
    meter: str = ""
    mode: str = ""
    tonic: str = ""
    origin: str = ""
    has_settings: bool = False
    has_recordings: bool = False
    sort: Sort = "best"


@dataclass(frozen=True)
class FoundTune:
    """A tune, and which of its settings has the notes (None: its own)."""

    tune: ArchiveTune
    setting: int | None = None


@dataclass(frozen=True)
class FoundTunes:
    """A page of tunes; `count` is of all pages, and `is_cut` says that more match."""

    tunes: list[FoundTune]
    count: int
    is_cut: bool = False

    @property
    def num_pages(self) -> int:
        """At least one."""
        return max(1, -(-self.count // PER_PAGE))


def find_tunes(database: Session, query: TuneQuery, page: int = 1) -> FoundTunes:
    """The tunes for everyone to see that a query matches, and of them those of one page.

    Raises:
        StudioError: words or notes that cannot be searched for; says why.
    """
    conditions = _list_conditions(query)
    start = (page - 1) * PER_PAGE
    if not query.words.strip() and not query.notes.strip():
        count = database.scalar(select(func.count()).select_from(ArchiveTune).where(*conditions))
        ids = database.scalars(
            _sort(select(ArchiveTune.id).where(*conditions), query.sort)
            .limit(PER_PAGE)
            .offset(min(start, 10**9))
        )
        return FoundTunes(_load(database, [(number, None) for number in ids]), count or 0)
    terms = _parse_words(query.words)
    notes = parse_notes(query.notes) if query.notes.strip() else None
    ranked, is_cut = _rank(database, conditions, terms, notes, query)
    return FoundTunes(_load(database, ranked[start : start + PER_PAGE]), len(ranked), is_cut)


def _list_conditions(query: TuneQuery) -> list[ColumnElement[bool]]:
    conditions = [is_listed(ArchiveTune)]
    for column, value in (
        (ArchiveTune.dance, query.dance), (ArchiveTune.meter, query.meter),
        (ArchiveTune.mode, query.mode), (ArchiveTune.tonic, query.tonic),
    ):  # fmt: skip
        if value:
            conditions.append(column == value)
    if query.origin:
        is_composed = ArchiveTune.composition_id.is_not(None)
        conditions.append(is_composed if query.origin == "composed" else ~is_composed)
    if query.has_settings:
        conditions.append(ArchiveTune.num_settings > 0)
    if query.has_recordings:
        conditions.append(ArchiveTune.num_recordings > 0)
    return conditions


def _sort(statement: Select[Any], sort: Sort) -> Select[Any]:
    if sort == "title":
        return statement.order_by(ArchiveTune.title, ArchiveTune.id)
    if sort == "popular":
        popularity = text("(num_books + num_settings + num_recordings) DESC")
        return statement.order_by(popularity, ArchiveTune.id.desc())
    return statement.order_by(ArchiveTune.id.desc())


def _parse_words(words: str) -> list[str]:
    if len(words) > MAX_QUERY:
        raise StudioError(
            _("The search has {count} characters; at most {limit} are searched for.").format(
                count=len(words), limit=MAX_QUERY
            ),
            "q",
        )
    terms = list(dict.fromkeys(fold_words(words)))
    if words.strip() and not terms:
        raise StudioError(_("Write a word to search for; signs alone are not found."), "q")
    if len(terms) > _MAX_TERMS:
        raise StudioError(
            _("The search has {count} words; at most {limit} are searched for.").format(
                count=len(terms), limit=_MAX_TERMS
            ),
            "q",
        )
    return terms


Candidate = tuple[int, str, str, str, int]
"""Number, title, contour, tonic, popularity."""


def _rank(
    database: Session,
    conditions: Sequence[ColumnElement[bool]],
    terms: Sequence[str],
    notes: NotesQuery | None,
    query: TuneQuery,
) -> tuple[list[tuple[int, int | None]], bool]:
    """The numbers of all tunes found, best first, and whether there were too many to rank."""
    index = _Index(database, conditions)
    found: dict[int, Candidate] = {}
    is_cut = False
    # Those likely to be best come first, so that they are there however many match.
    for in_title, at_start in ((True, True), (False, True), (True, False), (False, False)):
        if (in_title and not terms) or (at_start and notes is None):
            continue
        rows = index.list_candidates(terms, in_title, notes, at_start)
        is_cut = len(rows) > MAX_FOUND
        found.update((row[0], row) for row in rows[:MAX_FOUND])
        if is_cut and len(found) >= MAX_FOUND:
            break
    best: list[tuple[Any, int, int | None]] = []
    settings = _load_contours(database, list(found)) if notes is not None else {}
    contours = notes.list_contours() if notes is not None else []
    for candidate in found.values():
        number, title, _contour, _tonic, popularity = candidate
        fit: tuple[int, ...] = ()
        place = None
        if notes is not None:
            match = _match_notes(contours, candidate, settings.get(number, ()))
            if match is None:
                continue
            fit, place = match
        fit = (_match_title(terms, title), *fit)
        keys = {
            "newest": (-number,), "title": (title, number), "popular": (-popularity, -number),
        }  # fmt: skip
        best.append((keys.get(query.sort, (fit, -popularity, -number)), number, place))
    best.sort(key=lambda entry: entry[0])
    return [(number, place) for _key, number, place in best], is_cut


def _match_title(terms: Sequence[str], title: str) -> int:
    """How well a title fits, 0 being best."""
    words = fold_words(title)
    if not terms or words == list(terms):
        return 0
    if all(term in words for term in terms):
        return 1
    is_begun = all(any(word.startswith(term) for word in words) for term in terms)
    return 2 if is_begun else 3


def _match_notes(
    contours: Sequence[tuple[str, str]], candidate: Candidate, settings: Sequence[tuple[int, str]]
) -> tuple[tuple[int, ...], int | None] | None:
    """How well the notes fit (0 is best): at the beginning, in the key of the letters."""
    _number, _title, contour, tonic, _popularity = candidate
    best: tuple[tuple[int, ...], int | None] | None = None
    for wanted, letter in contours:
        for number, own in ((None, contour), *settings):
            place = own.find(wanted)
            if place < 0:
                continue
            fit = (int(place > 0), int(bool(letter) and letter != tonic[:1]), int(bool(number)))
            if best is None or fit < best[0]:
                best = fit, number
    return best


class _Index:
    """The full-text index of either database."""

    def __init__(self, database: Session, conditions: Sequence[ColumnElement[bool]]) -> None:
        self.database, self.conditions = database, conditions
        self.is_sqlite = database.get_bind().dialect.name == "sqlite"

    def list_candidates(
        self, terms: Sequence[str], in_title: bool, notes: NotesQuery | None, at_start: bool
    ) -> Sequence[Candidate]:
        """The newest tunes that match, one more than are ranked."""
        statement = select(
            ArchiveTune.id, ArchiveTune.title, ArchiveTune.contour, ArchiveTune.tonic,
            ArchiveTune.num_books + ArchiveTune.num_settings + ArchiveTune.num_recordings,
        ).where(*self.conditions)  # fmt: skip
        if terms:
            statement = statement.where(self.match("title" if in_title else "words", [terms]))
        if notes is not None:
            contours = [wanted for wanted, _letter in notes.list_contours()]
            statement = statement.where(
                self.match("notes", [_list_words(wanted, at_start) for wanted in contours])
            )
        rows = self.database.execute(statement.order_by(ArchiveTune.id.desc()).limit(MAX_FOUND + 1))
        return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]

    def match(self, column: str, alternatives: Sequence[Sequence[str]]) -> ColumnElement[bool]:
        """That a column has words that begin like all of one of the alternatives."""
        if not alternatives:
            return false()
        numbers = select(TuneText.tune_id).correlate(None)
        if self.is_sqlite:
            table = "tune_notes_index" if column == "notes" else "tune_words_index"
            either = " OR ".join(
                "(" + " AND ".join(f'"{word}"{_end(word, " *")}' for word in words) + ")"
                for words in alternatives
            )
            wanted = f"title : ({either})" if column == "title" else either
            match = text(f"SELECT rowid FROM {table} WHERE {table} MATCH :{column}_wanted")
            return ArchiveTune.id.in_(match.bindparams(**{f"{column}_wanted": wanted}))
        either = " | ".join(
            "(" + " & ".join(f"'{word}'{_end(word, ':*')}" for word in words) + ")"
            for words in alternatives
        )
        condition = text(f"tune_text.{column}_vector @@ CAST(:{column}_wanted AS tsquery)")
        return ArchiveTune.id.in_(
            numbers.where(condition.bindparams(**{f"{column}_wanted": either}))
        )


def _end(word: str, sign: str) -> str:
    """The sign for what may go on, unless it is a word of notes that is whole."""
    return "" if len(word) == GRAM and word[-1].isdigit() and word[1:].isdigit() else sign


def _list_words(contour: str, at_start: bool) -> list[str]:
    start = [f"s{contour[: GRAM - 1]}"] if at_start else []
    return [*start, *list_wanted_grams(contour)]


def _load_contours(database: Session, ids: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
    found: dict[int, list[tuple[int, str]]] = {}
    for tune_id, number, contour in database.execute(
        select(Setting.tune_id, Setting.number, Setting.contour)
        .where(Setting.tune_id.in_(ids), Setting.visibility == PUBLIC)
        .order_by(Setting.number)
    ):
        found.setdefault(tune_id, []).append((number, contour))
    return found


def _load(database: Session, numbers: Sequence[tuple[int, int | None]]) -> list[FoundTune]:
    ids = [number for number, _setting in numbers]
    tunes = {
        tune.id: tune
        for tune in database.scalars(
            select(ArchiveTune)
            .where(ArchiveTune.id.in_(ids))
            .options(joinedload(ArchiveTune.author))
        )
    }
    return [FoundTune(tunes[number], setting) for number, setting in numbers if number in tunes]
