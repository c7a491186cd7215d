"""Keeps what search looks through in step with tunes, their settings, notes and authors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Any

from sqlalchemy import delete, event, insert, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from sluice.studio.archive.contours import list_grams
from sluice.studio.archive.tables import Member, Setting, Tune, TuneNote, TuneText
from sluice.studio.archive.words import list_indexed_words
from sluice.tunes.notation.header_fields import KEPT_LETTERS

_AT_ONCE = 500
_CHANGED = "tunes whose text changed"


def update_index(connection: Connection, tune_ids: Iterable[int]) -> None:
    """Write anew what search looks through for these tunes.

    Sessions do that by themselves for rows that they changed; statements that change many rows at
    once (`update(Tune)`) need it called.
    """
    for ids in _split(sorted(set(tune_ids))):
        connection.execute(delete(TuneText).where(TuneText.tune_id.in_(ids)))
        rows = [_describe(row, *_gather(connection, ids)) for row in _select_tunes(connection, ids)]
        if rows:
            connection.execute(insert(TuneText), rows)
