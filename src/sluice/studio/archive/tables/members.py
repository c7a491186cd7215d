"""Members, their sessions, and the links that are mailed to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sluice.studio.archive.tables.base import Base


class Member(Base):
    """Someone with an account; `role` is `member` or `keeper`."""

    __tablename__ = "member"

    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    password: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(10), default="member")
    confirmed_at: Mapped[datetime | None] = mapped_column(default=None)
    about: Mapped[str] = mapped_column(Text, default="")
    language: Mapped[str] = mapped_column(String(10), default="")
    wants_digest: Mapped[bool] = mapped_column(default=False)
    digest_at: Mapped[datetime | None] = mapped_column(default=None)
    num_approved: Mapped[int] = mapped_column(default=0)
    strikes: Mapped[int] = mapped_column(default=0)
    is_blocked: Mapped[bool] = mapped_column(default=False)

    @property
    def is_keeper(self) -> bool:
        """Whether the member moderates the site."""
        return self.role == "keeper"


class MemberSession(Base):
    """A browser in which a member is logged in; only the hash of its cookie is stored."""

    __tablename__ = "member_session"

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    browser: Mapped[str] = mapped_column(String(200), default="")

    member: Mapped[Member] = relationship(lazy="joined")


class MailLink(Base):
    """A link that works once: `purpose` is `confirm`, `reset` or `email`."""

    __tablename__ = "mail_link"

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(10))
    value: Mapped[str] = mapped_column(String(254), default="")
    expires_at: Mapped[datetime]

    member: Mapped[Member] = relationship(lazy="joined")


class Invitation(Base):
    """A link by which someone may sign up where the site sends no mail."""

    __tablename__ = "invitation"

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(String(200), default="")
    expires_at: Mapped[datetime]
