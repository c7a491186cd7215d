"""Lists of all that everyone may see, for programs."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from sluice.studio.archive.tables import Book, BookEntry


def list_public_books(database: Session, before: int | None = None, limit: int = 30) -> list[Book]:
    """Public tunebooks, the newest first."""
    query = select(Book).where(Book.is_public)
    if before is not None:
        query = query.where(Book.id < before)
    query = query.options(
        joinedload(Book.owner),
        selectinload(Book.entries).joinedload(BookEntry.tune),
        selectinload(Book.entries).joinedload(BookEntry.setting),
    )
    return list(database.scalars(query.order_by(Book.id.desc()).limit(limit)))
