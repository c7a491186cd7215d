"""Tunes, settings, comments, and the indexes of search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SEARCH = {
    "sqlite": (
        (
            "CREATE VIRTUAL TABLE tune_words_index USING fts5(title, words, "
            "content='tune_text', content_rowid='tune_id', tokenize=\"unicode61 "
            "remove_diacritics 0\", prefix='2 3')"
        ),
        (
            "CREATE VIRTUAL TABLE tune_notes_index USING fts5(notes, content='tune_text', "
            "content_rowid='tune_id', detail=none, prefix='4 5')"
        ),
        (
            "CREATE TRIGGER tune_text_added AFTER INSERT ON tune_text BEGIN INSERT INTO "
            "tune_words_index (rowid, title, words) VALUES (new.tune_id, new.title, "
            "new.words); INSERT INTO tune_notes_index (rowid, notes) VALUES (new.tune_id, "
            "new.notes); END"
        ),
        (
            "CREATE TRIGGER tune_text_removed AFTER DELETE ON tune_text BEGIN INSERT INTO "
            "tune_words_index (tune_words_index, rowid, title, words) VALUES ('delete', "
            "old.tune_id, old.title, old.words); INSERT INTO tune_notes_index "
            "(tune_notes_index, rowid, notes) VALUES ('delete', old.tune_id, old.notes); END"
        ),
        (
            "CREATE TRIGGER tune_text_changed AFTER UPDATE ON tune_text BEGIN INSERT INTO "
            "tune_words_index (tune_words_index, rowid, title, words) VALUES ('delete', "
            "old.tune_id, old.title, old.words); INSERT INTO tune_notes_index "
            "(tune_notes_index, rowid, notes) VALUES ('delete', old.tune_id, old.notes); "
            "INSERT INTO tune_words_index (rowid, title, words) VALUES (new.tune_id, "
            "new.title, new.words); INSERT INTO tune_notes_index (rowid, notes) VALUES "
            "(new.tune_id, new.notes); END"
        ),
    ),
    "postgresql": (
        "ALTER TABLE tune_text SET (toast_tuple_target = 128)",
        (
            "ALTER TABLE tune_text ADD COLUMN title_vector tsvector GENERATED ALWAYS AS "
            "(array_to_tsvector(string_to_array(title, ' '))) STORED"
        ),
        (
            "CREATE INDEX ix_tune_text_title_vector ON tune_text USING gin (title_vector) "
            "WITH (fastupdate = off)"
        ),
        (
            "ALTER TABLE tune_text ADD COLUMN words_vector tsvector GENERATED ALWAYS AS "
            "(array_to_tsvector(string_to_array(words, ' '))) STORED"
        ),
        (
            "CREATE INDEX ix_tune_text_words_vector ON tune_text USING gin (words_vector) "
            "WITH (fastupdate = off)"
        ),
        (
            "ALTER TABLE tune_text ADD COLUMN notes_vector tsvector GENERATED ALWAYS AS "
            "(array_to_tsvector(string_to_array(notes, ' '))) STORED"
        ),
        (
            "CREATE INDEX ix_tune_text_notes_vector ON tune_text USING gin (notes_vector) "
            "WITH (fastupdate = off)"
        ),
    ),
}


def upgrade() -> None:
    """To this form."""
    op.create_table(
        "comment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("visibility", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["member.id"],
            name=op.f("fk_comment_author_id_member"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
    )
    op.create_index(op.f("ix_comment_author_id"), "comment", ["author_id"], unique=False)
    op.create_index("ix_comment_subject", "comment", ["subject", "subject_id"], unique=False)
    op.create_table(
        "tune",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("composition_id", sa.Integer(), nullable=True),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("author_name", sa.String(length=80), nullable=False),
        sa.Column("claim_hash", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("abc", sa.Text(), nullable=False),
        sa.Column("meter", sa.String(length=16), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("tonic", sa.String(length=4), nullable=False),
        sa.Column("dance", sa.String(length=40), nullable=False),
        sa.Column("contour", sa.Text(), nullable=False),
        sa.Column("incipit", sa.Text(), nullable=False),
        sa.Column("played", sa.String(length=64), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("num_settings", sa.Integer(), nullable=False),
        sa.Column("num_recordings", sa.Integer(), nullable=False),
        sa.Column("num_books", sa.Integer(), nullable=False),
        sa.Column("visibility", sa.String(length=10), nullable=False),
        sa.Column("hidden_by_id", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"], ["member.id"], name=op.f("fk_tune_author_id_member"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["composition_id"],
            ["composition.id"],
            name=op.f("fk_tune_composition_id_composition"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["hidden_by_id"],
            ["member.id"],
            name=op.f("fk_tune_hidden_by_id_member"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tune")),
    )
    op.create_index(op.f("ix_tune_author_id"), "tune", ["author_id"], unique=False)
    op.create_index(op.f("ix_tune_claim_hash"), "tune", ["claim_hash"], unique=False)
    op.create_index(op.f("ix_tune_composition_id"), "tune", ["composition_id"], unique=False)
    op.create_index(op.f("ix_tune_played"), "tune", ["played"], unique=False)
    op.create_index(op.f("ix_tune_visibility"), "tune", ["visibility"], unique=False)
    op.create_table(
        "setting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tune_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("abc", sa.Text(), nullable=False),
        sa.Column("contour", sa.Text(), nullable=False),
        sa.Column("played", sa.String(length=64), nullable=False),
        sa.Column("visibility", sa.String(length=10), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["member.id"],
            name=op.f("fk_setting_author_id_member"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["tune_id"], ["tune.id"], name=op.f("fk_setting_tune_id_tune"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setting")),
        sa.UniqueConstraint("tune_id", "number", name=op.f("uq_setting_tune_id_number")),
    )
    op.create_index(op.f("ix_setting_author_id"), "setting", ["author_id"], unique=False)
    op.create_table(
        "tune_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tune_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["member.id"],
            name=op.f("fk_tune_note_author_id_member"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["tune_id"], ["tune.id"], name=op.f("fk_tune_note_tune_id_tune"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tune_note")),
    )
    op.create_index(op.f("ix_tune_note_tune_id"), "tune_note", ["tune_id"], unique=False)
    op.create_table(
        "tune_text",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tune_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=1000), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tune_id"], ["tune.id"], name=op.f("fk_tune_text_tune_id_tune"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tune_text")),
        sa.UniqueConstraint("tune_id", name=op.f("uq_tune_text_tune_id")),
    )
    op.create_table(
        "tune_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tune_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("abc", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tune_id"], ["tune.id"], name=op.f("fk_tune_version_tune_id_tune"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tune_version")),
    )
    op.create_index(op.f("ix_tune_version_tune_id"), "tune_version", ["tune_id"], unique=False)

    op.create_index(
        "ix_tune_listed_popularity",
        "tune",
        ["visibility", sa.text("(num_books + num_settings + num_recordings)")],
    )
    op.create_index("ix_tune_listed_title", "tune", ["visibility", "title"])
    op.create_index(
        "ix_tune_listed_kind",
        "tune",
        [
            *("visibility", "dance", "meter", "mode", "tonic", "composition_id"),
            *("num_settings", "num_recordings"),
        ],
    )
    for statement in SEARCH[op.get_bind().dialect.name]:
        op.execute(sa.text(statement.replace(":", "\\:")))


def downgrade() -> None:
    """Back to the form before."""
    if op.get_bind().dialect.name == "sqlite":
        for name in ("tune_words_index", "tune_notes_index"):
            op.execute(f"DROP TABLE {name}")
    op.drop_index(op.f("ix_tune_version_tune_id"), table_name="tune_version")
    op.drop_table("tune_version")
    op.drop_table("tune_text")
    op.drop_index(op.f("ix_tune_note_tune_id"), table_name="tune_note")
    op.drop_table("tune_note")
    op.drop_index(op.f("ix_setting_author_id"), table_name="setting")
    op.drop_table("setting")
    op.drop_index(op.f("ix_tune_visibility"), table_name="tune")
    op.drop_index(op.f("ix_tune_played"), table_name="tune")
    op.drop_index(op.f("ix_tune_composition_id"), table_name="tune")
    op.drop_index(op.f("ix_tune_claim_hash"), table_name="tune")
    op.drop_index(op.f("ix_tune_author_id"), table_name="tune")
    op.drop_table("tune")
    op.drop_index("ix_comment_subject", table_name="comment")
    op.drop_index(op.f("ix_comment_author_id"), table_name="comment")
    op.drop_table("comment")
