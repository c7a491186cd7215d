"""Tunes of the archive, their settings, and what is written about them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sluice.studio.archive.tables.base import Base
from sluice.studio.archive.tables.compositions import Composition
from sluice.studio.archive.tables.members import Member


class ArchiveTune(Base):
    """A tune with a name: one that was composed here or that a member wrote.

    `abc` is stored as it was typed. What was read in it is stored too (`abc_text.TuneFacts`):
    `contour` is its notes as scale steps, by which search finds them in any key, `incipit` its
    first bars, `played` a hash of what sounds, `problem` why it cannot be read. `visibility` is
    `public`, `waiting` (for a keeper) or `hidden`. `last_number` is that of its latest setting;
    numbers are not given twice.
    """

    __tablename__ = "tune"
    __table_args__ = (
        # Lists are of one visibility: each order, and all that they are filtered by, has an index.
        Index(
            "ix_tune_listed_popularity",
            "visibility",
            text("(num_books + num_settings + num_recordings)"),
        ),
        Index("ix_tune_listed_title", "visibility", "title"),
        Index(
            "ix_tune_listed_kind",
            *("visibility", "dance", "meter", "mode", "tonic", "composition_id"),
            *("num_settings", "num_recordings"),
        ),
    )

    composition_id: Mapped[int | None] = mapped_column(
        ForeignKey("composition.id", ondelete="SET NULL"), index=True
    )
    author_id: Mapped[int | None] = mapped_column(
        ForeignKey("member.id", ondelete="SET NULL"), index=True
    )
    author_name: Mapped[str] = mapped_column(String(80), default="")
    claim_hash: Mapped[str] = mapped_column(String(64), default="", index=True)
    title: Mapped[str] = mapped_column(String(200))
    abc: Mapped[str] = mapped_column(Text)
    meter: Mapped[str] = mapped_column(String(16), default="")
    mode: Mapped[str] = mapped_column(String(16), default="")
    tonic: Mapped[str] = mapped_column(String(4), default="")
    dance: Mapped[str] = mapped_column(String(40), default="")
    contour: Mapped[str] = mapped_column(Text, default="")
    incipit: Mapped[str] = mapped_column(Text, default="")
    played: Mapped[str] = mapped_column(String(64), default="", index=True)
    problem: Mapped[str] = mapped_column(Text, default="")
    last_number: Mapped[int] = mapped_column(default=0)
    num_settings: Mapped[int] = mapped_column(default=0)
    num_recordings: Mapped[int] = mapped_column(default=0)
    num_books: Mapped[int] = mapped_column(default=0)
    visibility: Mapped[str] = mapped_column(String(10), default="public", index=True)
    hidden_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    changed_at: Mapped[datetime | None] = mapped_column(default=None)

    author: Mapped[Member | None] = relationship(foreign_keys=[author_id])
    composition: Mapped[Composition | None] = relationship()
    settings: Mapped[list[Setting]] = relationship(
        back_populates="tune", order_by="Setting.number", cascade="all, delete-orphan"
    )
    notes: Mapped[list[TuneNote]] = relationship(
        back_populates="tune", order_by="TuneNote.id", cascade="all, delete-orphan"
    )
    versions: Mapped[list[TuneVersion]] = relationship(
        order_by="TuneVersion.id", cascade="all, delete-orphan"
    )

    @property
    def popularity(self) -> int:
        """In how many tunebooks, settings and recordings it is."""
        return self.num_books + self.num_settings + self.num_recordings


class TuneVersion(Base):
    """What a tune was before it was changed; its author and the keepers see that."""

    __tablename__ = "tune_version"

    tune_id: Mapped[int] = mapped_column(ForeignKey("tune.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    abc: Mapped[str] = mapped_column(Text)


class Setting(Base):
    """A version of a tune, as somebody plays it; `number` counts from 1 within its tune."""

    __tablename__ = "setting"
    __table_args__ = (UniqueConstraint("tune_id", "number"),)

    tune_id: Mapped[int] = mapped_column(ForeignKey("tune.id", ondelete="CASCADE"))
    number: Mapped[int]
    author_id: Mapped[int | None] = mapped_column(
        ForeignKey("member.id", ondelete="SET NULL"), index=True
    )
    title: Mapped[str] = mapped_column(String(200), default="")
    abc: Mapped[str] = mapped_column(Text)
    contour: Mapped[str] = mapped_column(Text, default="")
    played: Mapped[str] = mapped_column(String(64), default="")
    visibility: Mapped[str] = mapped_column(String(10), default="public")
    changed_at: Mapped[datetime | None] = mapped_column(default=None)

    tune: Mapped[ArchiveTune] = relationship(back_populates="settings")
    author: Mapped[Member | None] = relationship()


class TuneNote(Base):
    """A remark of where a tune comes from, with an optional link."""

    __tablename__ = "tune_note"

    tune_id: Mapped[int] = mapped_column(ForeignKey("tune.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    text: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(String(500), default="")

    tune: Mapped[ArchiveTune] = relationship(back_populates="notes")
    author: Mapped[Member | None] = relationship()


class Comment(Base):
    """A comment in Markdown; `subject` is `tune`, `recording`, `event` or `composition`."""

    __tablename__ = "comment"
    __table_args__ = (Index("ix_comment_subject", "subject", "subject_id"),)

    subject: Mapped[str] = mapped_column(String(12))
    subject_id: Mapped[int]
    author_id: Mapped[int | None] = mapped_column(
        ForeignKey("member.id", ondelete="SET NULL"), index=True
    )
    text: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime | None] = mapped_column(default=None)
    visibility: Mapped[str] = mapped_column(String(10), default="public")

    author: Mapped[Member | None] = relationship()
