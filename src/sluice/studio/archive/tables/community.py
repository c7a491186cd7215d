"""The tune of the month, what happened, and who follows whom."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Date, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sluice.studio.archive.tables.base import Base
from sluice.studio.archive.tables.members import Member
from sluice.studio.archive.tables.recordings import ArchiveRecording
from sluice.studio.archive.tables.tunes import ArchiveTune


class Month(Base):
    """A tune of the month: first tunes are voted for, then one is recorded, then recordings are.

    Each date is the last day of its phase.
    """

    __tablename__ = "month"

    name: Mapped[str] = mapped_column(String(80))
    text: Mapped[str] = mapped_column(Text, default="")
    tune_vote_until: Mapped[date] = mapped_column(Date)
    recordings_until: Mapped[date] = mapped_column(Date)
    recording_vote_until: Mapped[date] = mapped_column(Date)

    entries: Mapped[list[MonthEntry]] = relationship(
        back_populates="month", order_by="MonthEntry.id", cascade="all, delete-orphan"
    )


class MonthEntry(Base):
    """A tune or a recording that can be voted for."""

    __tablename__ = "month_entry"
    __table_args__ = (
        UniqueConstraint("month_id", "tune_id"),
        UniqueConstraint("month_id", "recording_id"),
    )

    month_id: Mapped[int] = mapped_column(ForeignKey("month.id", ondelete="CASCADE"))
    tune_id: Mapped[int | None] = mapped_column(ForeignKey("tune.id", ondelete="CASCADE"))
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recording.id", ondelete="CASCADE"))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))

    month: Mapped[Month] = relationship(back_populates="entries")
    tune: Mapped[ArchiveTune | None] = relationship()
    recording: Mapped[ArchiveRecording | None] = relationship()


class Vote(Base):
    """A member's vote of a month; `kind` is `tune` or `recording`.

    It counts on when the member has left, so that results stay.
    """

    __tablename__ = "vote"
    __table_args__ = (UniqueConstraint("month_id", "kind", "member_id"),)

    month_id: Mapped[int] = mapped_column(ForeignKey("month.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    entry_id: Mapped[int] = mapped_column(ForeignKey("month_entry.id", ondelete="CASCADE"))


class Activity(Base):
    """That a member, or a visitor, did something; see `archive.activity`."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_subject", "subject", "subject_id"),)

    member_id: Mapped[int | None] = mapped_column(
        ForeignKey("member.id", ondelete="CASCADE"), index=True
    )
    verb: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(12))
    subject_id: Mapped[int]

    member: Mapped[Member | None] = relationship()


class Follow(Base):
    """That a member wants to hear of a `member` or a `tune`."""

    __tablename__ = "follow"
    __table_args__ = (UniqueConstraint("member_id", "subject", "subject_id"),)

    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    subject: Mapped[str] = mapped_column(String(12))
    subject_id: Mapped[int]
