"""Keeps what search looks through in step with tunes, their settings, notes and authors.

`archive.database` imports it, so that every session does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import delete, event, func, insert, inspect, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, UOWTransaction

from sluice.studio.archive.contours import list_grams
from sluice.studio.archive.tables import ArchiveTune, Member, Setting, TuneNote, TuneText
from sluice.studio.archive.visibility import PUBLIC
from sluice.studio.archive.words import list_indexed_words
from sluice.tunes.notation.abc_file import find_blocks, split_lines

_AT_ONCE = 500
_CHANGED = "tunes with changed texts"


def update_index(connection: Connection, tune_ids: Iterable[int]) -> None:
    """Write anew what search looks through for these tunes, and how many settings they have.

    Sessions do that by themselves for the objects that they store; after statements that change
    rows without objects (`update(ArchiveTune)`), call it.
    """
    for ids in _split(sorted(set(tune_ids))):
        connection.execute(delete(TuneText).where(TuneText.tune_id.in_(ids)))
        rows = list(_describe_tunes(connection, ids))
        if rows:
            connection.execute(insert(TuneText), rows)
        count = (
            select(func.count())
            .where(Setting.tune_id == ArchiveTune.id, Setting.visibility == PUBLIC)
            .scalar_subquery()
        )
        connection.execute(
            update(ArchiveTune)
            .where(ArchiveTune.id.in_(ids), ArchiveTune.num_settings != count)
            .values(num_settings=count)
        )


def rebuild_index(connection: Connection) -> int:
    """Write anew what search looks through for all tunes; returns their number."""
    connection.execute(delete(TuneText))
    ids = connection.scalars(select(ArchiveTune.id)).all()
    update_index(connection, ids)
    return len(ids)


def _split(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def _describe_tunes(connection: Connection, ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    settings, notes = defaultdict(list), defaultdict(list)
    chosen = (Setting.tune_id, Setting.title, Setting.contour)
    for tune_id, title, contour in connection.execute(
        select(*chosen).where(Setting.tune_id.in_(ids), Setting.visibility == PUBLIC)
    ):
        settings[tune_id].append((title, contour))
    for tune_id, text in connection.execute(
        select(TuneNote.tune_id, TuneNote.text).where(TuneNote.tune_id.in_(ids))
    ):
        notes[tune_id].append(text)
    tunes = select(
        ArchiveTune.id, ArchiveTune.title, ArchiveTune.author_name, Member.name, ArchiveTune.dance,
        ArchiveTune.abc, ArchiveTune.contour,
    ).join(Member, Member.id == ArchiveTune.author_id, isouter=True)  # fmt: skip
    for tune_id, title, author_name, member_name, dance, abc, contour in connection.execute(
        tunes.where(ArchiveTune.id.in_(ids))
    ):
        titles = [setting_title for setting_title, _contour in settings[tune_id]]
        author = member_name or author_name
        words = [title, author, dance, *titles, *notes[tune_id], read_text_fields(abc)]
        contours = [contour, *(own for _title, own in settings[tune_id])]
        grams = set[str]().union(*map(list_grams, contours))
        yield {
            "tune_id": tune_id,
            "title": _join(list_indexed_words(title)),
            "words": _join(list_indexed_words(" ".join(words))),
            "notes": " ".join(sorted(grams)),
        }


def _join(words: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(words))


def read_text_fields(abc: str) -> str:
    """The fields of text in a tune's ABC: further titles, composer, source, history, words."""
    blocks = find_blocks(split_lines(abc), "")[0]
    return " ".join(
        value for block in blocks[:1] for letter, value in block.text_fields() if letter != "U"
    )


@event.listens_for(Session, "before_flush")
def _note_authors(session: Session, context: UOWTransaction, instances: Any) -> None:
    """Remember the tunes of authors who change their names or leave."""
    members = [member for member in session.deleted if isinstance(member, Member)]
    members += [
        member
        for member in session.dirty
        if isinstance(member, Member) and inspect(member).attrs.name.history.has_changes()
    ]
    if members:
        ids = [member.id for member in members]
        tunes = select(ArchiveTune.id).where(ArchiveTune.author_id.in_(ids))
        found = session.connection().scalars(tunes).all()
        session.info.setdefault(_CHANGED, set()).update(found)


@event.listens_for(Session, "after_flush")
def _update_changed(session: Session, context: UOWTransaction) -> None:
    changed: set[int] = session.info.pop(_CHANGED, set())
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, ArchiveTune):
            changed.add(row.id)
        elif isinstance(row, Setting | TuneNote):
            changed.add(row.tune_id)
    if changed:
        update_index(session.connection(), changed)
