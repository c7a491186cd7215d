"""Members, their sessions, and the links that are mailed to them."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from sluice.studio.archive.tables.base import Base, get_now


class Member(Base):
    """Someone with an account; `role` is `member` or `keeper`."""

    __tablename__ = "member"

    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    name_key: Mapped[str] = mapped_column(String(200), unique=True)
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

    @validates("name")
    def _derive_name_key(self, _column: str, name: str) -> str:
        self.name_key = make_name_key(name)
        return name


def make_name_key(name: str) -> str:
    """What names that look alike have in common.

    >>> make_name_key("Máire  Ní") == make_name_key("maire_ni")
    True
    """
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in letters if unicodedata.category(c)[0] in "LN")[:200]


class MemberSession(Base):
    """A browser in which a member is logged in; only the hash of its cookie is stored."""

    __tablename__ = "member_session"

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime] = mapped_column(default=get_now)
    browser: Mapped[str] = mapped_column(String(200), default="")

    member: Mapped[Member] = relationship(lazy="joined")


class MailLink(Base):
    """A link that works once: `purpose` is `reset` or `email`, with the new address as `value`."""

    __tablename__ = "mail_link"

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(10))
    value: Mapped[str] = mapped_column(String(254), default="")
    expires_at: Mapped[datetime]

    member: Mapped[Member] = relationship(lazy="joined")


class SignUp(Base):
    """A sign-up whose mail is not confirmed; only then is it a member, and the name taken."""

    __tablename__ = "sign_up"

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(80))
    language: Mapped[str] = mapped_column(String(10), default="")
    expires_at: Mapped[datetime]


class Invitation(Base):
    """A link by which one person may sign up where the site sends no mail, or as a keeper."""

    __tablename__ = "invitation"

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(String(200), default="")
    email: Mapped[str] = mapped_column(String(254), default="")
    name: Mapped[str] = mapped_column(String(80), default="")
    role: Mapped[str] = mapped_column(String(10), default="member")
    expires_at: Mapped[datetime]
