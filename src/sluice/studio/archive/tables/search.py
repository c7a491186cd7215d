"""The words and notes by which tunes are found, and the indexes of either database over them."""

from __future__ import annotations

from sqlalchemy import DDL, ForeignKey, String, Text, event
from sqlalchemy.orm import Mapped, mapped_column

from sluice.studio.archive.tables.base import Base


class TuneText(Base):
    """What search looks through for one tune and its settings.

    `title` and `words` are folded words with spaces between them, `notes` such words of the
    contours. SQLite keeps full-text tables beside it by triggers, PostgreSQL columns of vectors.
    """

    __tablename__ = "tune_text"

    tune_id: Mapped[int] = mapped_column(ForeignKey("tune.id", ondelete="CASCADE"), unique=True)
    title: Mapped[str] = mapped_column(String(1000), default="")
    words: Mapped[str] = mapped_column(Text, default="")
    notes: Mapped[str] = mapped_column(Text, default="")


# The words are folded and parted by spaces already, so that both databases find alike.
_ADD = (
    "INSERT INTO tune_words_index (rowid, title, words) "
    "VALUES (new.tune_id, new.title, new.words); "
    "INSERT INTO tune_notes_index (rowid, notes) VALUES (new.tune_id, new.notes);"
)
_REMOVE = (
    "INSERT INTO tune_words_index (tune_words_index, rowid, title, words) "
    "VALUES ('delete', old.tune_id, old.title, old.words); "
    "INSERT INTO tune_notes_index (tune_notes_index, rowid, notes) "
    "VALUES ('delete', old.tune_id, old.notes);"
)
_SQLITE = (
    "CREATE VIRTUAL TABLE tune_words_index USING fts5(title, words, content='tune_text', "
    "content_rowid='tune_id', tokenize=\"unicode61 remove_diacritics 0\", prefix='2 3')",
    "CREATE VIRTUAL TABLE tune_notes_index USING fts5(notes, content='tune_text', "
    "content_rowid='tune_id', detail=none, prefix='4 5')",
    f"CREATE TRIGGER tune_text_added AFTER INSERT ON tune_text BEGIN {_ADD} END",
    f"CREATE TRIGGER tune_text_removed AFTER DELETE ON tune_text BEGIN {_REMOVE} END",
    f"CREATE TRIGGER tune_text_changed AFTER UPDATE ON tune_text BEGIN {_REMOVE} {_ADD} END",
)
_POSTGRESQL = (
    # Few pages to visit for what the indexes find: the texts are stored apart.
    "ALTER TABLE tune_text SET (toast_tuple_target = 128)",
    *(
        statement.format(name=name)
        for name in ("title", "words", "notes")
        for statement in (
            "ALTER TABLE tune_text ADD COLUMN {name}_vector tsvector GENERATED ALWAYS AS "
            "(array_to_tsvector(string_to_array({name}, ' '))) STORED",
            "CREATE INDEX ix_tune_text_{name}_vector ON tune_text USING gin ({name}_vector) "
            "WITH (fastupdate = off)",
        )
    ),
)
INDEX_STATEMENTS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
"""For each kind of database what makes its indexes, once the table is there."""

for _dialect, _statements in INDEX_STATEMENTS.items():
    for _statement in _statements:
        event.listen(
            TuneText.__table__,
            "after_create",
            DDL(_statement).execute_if(dialect=_dialect),  # type: ignore[no-untyped-call]
        )
# The full-text tables are no part of the metadata; dropping that one drops its triggers.
for _name in ("tune_words_index", "tune_notes_index"):
    event.listen(
        TuneText.__table__,
        "after_drop",
        DDL(f"DROP TABLE IF EXISTS {_name}").execute_if(dialect="sqlite"),  # type: ignore[no-untyped-call]
    )
