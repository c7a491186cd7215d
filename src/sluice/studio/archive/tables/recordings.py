"""Recordings and events, the files that belong to them, and the tunes that they are of."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Column, Date, ForeignKey, String, Table, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sluice.studio.archive.tables.base import Base
from sluice.studio.archive.tables.members import Member
from sluice.studio.archive.tables.tunes import ArchiveTune

recording_tunes = Table(
    "recording_tune",
    Base.metadata,
    Column("recording_id", ForeignKey("recording.id", ondelete="CASCADE"), primary_key=True),
    Column("tune_id", ForeignKey("tune.id", ondelete="CASCADE"), primary_key=True, index=True),
)
event_tunes = Table(
    "event_tune",
    Base.metadata,
    Column("event_id", ForeignKey("event.id", ondelete="CASCADE"), primary_key=True),
    Column("tune_id", ForeignKey("tune.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Media(Base):
    """An uploaded file after it was decoded and written anew, named by its hash."""

    __tablename__ = "media"

    sha256: Mapped[str] = mapped_column(String(64), index=True)
    mime: Mapped[str] = mapped_column(String(40))
    seconds: Mapped[float | None] = mapped_column(default=None)
    size: Mapped[int]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))


class ArchiveEvent(Base):
    """A concert, session or workshop; times are in UTC, `zone` is where it takes place."""

    __tablename__ = "event"

    author_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text, default="")
    starts_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime | None] = mapped_column(default=None)
    zone: Mapped[str] = mapped_column(String(60), default="UTC")
    place: Mapped[str] = mapped_column(String(200), default="")
    media_id: Mapped[int | None] = mapped_column(ForeignKey("media.id", ondelete="SET NULL"))
    visibility: Mapped[str] = mapped_column(String(10), default="public")

    author: Mapped[Member | None] = relationship()
    media: Mapped[Media | None] = relationship()
    tunes: Mapped[list[ArchiveTune]] = relationship(secondary=event_tunes)


class ArchiveRecording(Base):
    """A performance: a link to one of the known hosts, or an upload; `kind` says which."""

    __tablename__ = "recording"

    author_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text, default="")
    recorded_on: Mapped[date | None] = mapped_column(Date, default=None)
    kind: Mapped[str] = mapped_column(String(6))
    media_id: Mapped[int | None] = mapped_column(ForeignKey("media.id", ondelete="SET NULL"))
    host: Mapped[str] = mapped_column(String(20), default="")
    host_id: Mapped[str] = mapped_column(String(200), default="")
    event_id: Mapped[int | None] = mapped_column(ForeignKey("event.id", ondelete="SET NULL"))
    visibility: Mapped[str] = mapped_column(String(10), default="public")

    author: Mapped[Member | None] = relationship()
    media: Mapped[Media | None] = relationship()
    event: Mapped[ArchiveEvent | None] = relationship()
    tunes: Mapped[list[ArchiveTune]] = relationship(secondary=recording_tunes)
