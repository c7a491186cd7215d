"""Rows that are written once, whoever else writes them at the same moment."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from sluice.studio.archive.tables.base import Base, get_now


def insert_or_update(
    database: Session, table: type[Base], keys: dict[str, Any], values: dict[str, Any]
) -> None:
    """Write `values` into the row with these `keys`, which is unique; insert it if there is none.

    With no values, a row that is there stays as it is. Objects that the session has already read
    do not change.
    """
    is_sqlite = database.get_bind().dialect.name == "sqlite"
    insert = (sqlite if is_sqlite else postgresql).insert(table)
    insert = insert.values(**keys, **values, created_at=get_now())
    if values:
        insert = insert.on_conflict_do_update(index_elements=[*keys], set_=values)
    else:
        insert = insert.on_conflict_do_nothing(index_elements=[*keys])
    database.execute(insert)
