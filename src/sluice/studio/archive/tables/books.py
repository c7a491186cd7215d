"""Tunebooks: named lists of tunes and settings, in an order and in sets."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sluice.studio.archive.tables.base import Base
from sluice.studio.archive.tables.members import Member
from sluice.studio.archive.tables.tunes import ArchiveTune, Setting


class Book(Base):
    """A member's tunebook."""

    __tablename__ = "book"

    owner_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text, default="")
    is_public: Mapped[bool] = mapped_column(default=True)

    owner: Mapped[Member] = relationship()
    entries: Mapped[list[BookEntry]] = relationship(
        back_populates="book", order_by="BookEntry.position", cascade="all, delete-orphan"
    )


class BookEntry(Base):
    """A tune in a book, in one of its settings or as it stands; entries of a set follow on."""

    __tablename__ = "book_entry"

    book_id: Mapped[int] = mapped_column(ForeignKey("book.id", ondelete="CASCADE"), index=True)
    tune_id: Mapped[int] = mapped_column(ForeignKey("tune.id", ondelete="CASCADE"), index=True)
    setting_id: Mapped[int | None] = mapped_column(ForeignKey("setting.id", ondelete="SET NULL"))
    position: Mapped[int]
    set_name: Mapped[str] = mapped_column(String(80), default="")

    book: Mapped[Book] = relationship(back_populates="entries")
    tune: Mapped[ArchiveTune] = relationship()
    setting: Mapped[Setting | None] = relationship()
