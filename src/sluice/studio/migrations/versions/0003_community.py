"""Recordings, events, tunebooks, votes, activity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """To this form."""
    op.create_table(
        "month",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tune_vote_until", sa.Date(), nullable=False),
        sa.Column("recordings_until", sa.Date(), nullable=False),
        sa.Column("recording_vote_until", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_month")),
    )
    op.create_table(
        "activity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("verb", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_activity_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
    )
    op.create_index(op.f("ix_activity_member_id"), "activity", ["member_id"], unique=False)
    op.create_index("ix_activity_subject", "activity", ["subject", "subject_id"], unique=False)
    op.create_table(
        "book",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["member.id"], name=op.f("fk_book_owner_id_member"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_book")),
    )
    op.create_index(op.f("ix_book_owner_id"), "book", ["owner_id"], unique=False)
    op.create_table(
        "follow",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_follow_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow")),
        sa.UniqueConstraint(
            "member_id",
            "subject",
            "subject_id",
            name=op.f("uq_follow_member_id_subject_subject_id"),
        ),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=True),
        sa.Column("visibility", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["member.id"],
            name=op.f("fk_event_author_id_member"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name=op.f("fk_event_media_id_media"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_starts_at"), "event", ["starts_at"], unique=False)
    op.create_table(
        "event_tune",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("tune_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["event.id"],
            name=op.f("fk_event_tune_event_id_event"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tune_id"], ["tune.id"], name=op.f("fk_event_tune_tune_id_tune"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", "tune_id", name=op.f("pk_event_tune")),
    )
    op.create_index(op.f("ix_event_tune_tune_id"), "event_tune", ["tune_id"], unique=False)
    op.create_table(
        "recording",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("recorded_on", sa.Date(), nullable=True),
        sa.Column("kind", sa.String(length=6), nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=True),
        sa.Column("host", sa.String(length=20), nullable=False),
        sa.Column("host_id", sa.String(length=200), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.Column("visibility", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["member.id"],
            name=op.f("fk_recording_author_id_member"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["event.id"],
            name=op.f("fk_recording_event_id_event"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["media_id"],
            ["media.id"],
            name=op.f("fk_recording_media_id_media"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
    )
    op.create_table(
        "book_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("tune_id", sa.Integer(), nullable=False),
        sa.Column("setting_id", sa.Integer(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("set_name", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["book_id"], ["book.id"], name=op.f("fk_book_entry_book_id_book"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["setting_id"],
            ["setting.id"],
            name=op.f("fk_book_entry_setting_id_setting"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["tune_id"], ["tune.id"], name=op.f("fk_book_entry_tune_id_tune"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_book_entry")),
    )
    op.create_index(op.f("ix_book_entry_book_id"), "book_entry", ["book_id"], unique=False)
    op.create_index(op.f("ix_book_entry_tune_id"), "book_entry", ["tune_id"], unique=False)
    op.create_table(
        "month_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("month_id", sa.Integer(), nullable=False),
        sa.Column("tune_id", sa.Integer(), nullable=True),
        sa.Column("recording_id", sa.Integer(), nullable=True),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["member.id"],
            name=op.f("fk_month_entry_author_id_member"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["month_id"],
            ["month.id"],
            name=op.f("fk_month_entry_month_id_month"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recording.id"],
            name=op.f("fk_month_entry_recording_id_recording"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tune_id"], ["tune.id"], name=op.f("fk_month_entry_tune_id_tune"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_month_entry")),
        sa.UniqueConstraint(
            "month_id", "recording_id", name=op.f("uq_month_entry_month_id_recording_id")
        ),
        sa.UniqueConstraint("month_id", "tune_id", name=op.f("uq_month_entry_month_id_tune_id")),
    )
    op.create_table(
        "recording_tune",
        sa.Column("recording_id", sa.Integer(), nullable=False),
        sa.Column("tune_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recording.id"],
            name=op.f("fk_recording_tune_recording_id_recording"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tune_id"],
            ["tune.id"],
            name=op.f("fk_recording_tune_tune_id_tune"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recording_id", "tune_id", name=op.f("pk_recording_tune")),
    )
    op.create_index(op.f("ix_recording_tune_tune_id"), "recording_tune", ["tune_id"], unique=False)
    op.create_table(
        "vote",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("month_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["month_entry.id"],
            name=op.f("fk_vote_entry_id_month_entry"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_vote_member_id_member"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["month_id"], ["month.id"], name=op.f("fk_vote_month_id_month"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote")),
        sa.UniqueConstraint(
            "month_id", "kind", "member_id", name=op.f("uq_vote_month_id_kind_member_id")
        ),
    )


def downgrade() -> None:
    """Back to the form before."""
    op.drop_table("vote")
    op.drop_index(op.f("ix_recording_tune_tune_id"), table_name="recording_tune")
    op.drop_table("recording_tune")
    op.drop_table("month_entry")
    op.drop_index(op.f("ix_book_entry_tune_id"), table_name="book_entry")
    op.drop_index(op.f("ix_book_entry_book_id"), table_name="book_entry")
    op.drop_table("book_entry")
    op.drop_table("recording")
    op.drop_index(op.f("ix_event_tune_tune_id"), table_name="event_tune")
    op.drop_table("event_tune")
    op.drop_index(op.f("ix_event_starts_at"), table_name="event")
    op.drop_table("event")
    op.drop_table("follow")
    op.drop_index(op.f("ix_book_owner_id"), table_name="book")
    op.drop_table("book")
    op.drop_index("ix_activity_subject", table_name="activity")
    op.drop_index(op.f("ix_activity_member_id"), table_name="activity")
    op.drop_table("activity")
    op.drop_table("month")
