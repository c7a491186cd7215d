"""Reports, what keepers did, rate limits and mails that wait to be sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sluice.studio.archive.tables.base import Base
from sluice.studio.archive.tables.members import Member


class AbuseReport(Base):
    """That somebody found a tune, setting, comment, recording, event or member out of place."""

    __tablename__ = "report"

    subject: Mapped[str] = mapped_column(String(12))
    subject_id: Mapped[int]
    reporter_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    reason: Mapped[str] = mapped_column(Text)
    closed_at: Mapped[datetime | None] = mapped_column(default=None)
    closed_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    decision: Mapped[str] = mapped_column(String(20), default="")

    reporter: Mapped[Member | None] = relationship(foreign_keys=[reporter_id])


class KeeperAction(Base):
    """What a keeper did: `verb` such as `approved`, `hidden` or `blocked`, of which subject."""

    __tablename__ = "keeper_action"

    keeper_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    verb: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(12))
    subject_id: Mapped[int]
    summary: Mapped[str] = mapped_column(String(200), default="")

    keeper: Mapped[Member | None] = relationship()


class Allowance(Base):
    """How often `who` (a hashed address or a member) did `what` since `window_start`."""

    __tablename__ = "allowance"
    __table_args__ = (UniqueConstraint("who", "what", "window_start"),)

    who: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(20))
    window_start: Mapped[datetime] = mapped_column(index=True)
    count: Mapped[int] = mapped_column(default=0)


class OutgoingMail(Base):
    """A mail that waits to be sent, or was sent or given up within the last days."""

    __tablename__ = "outgoing_mail"

    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    unsubscribe_url: Mapped[str] = mapped_column(String(300), default="")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(index=True)
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
