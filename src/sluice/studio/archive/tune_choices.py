"""The dances, meters, keys and modes that tunes of the archive have, for lists to choose from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from sluice.studio.archive.tables import ArchiveTune
from sluice.studio.archive.visibility import is_listed

_SECONDS_KEPT = 60
_MAX_CHOICES = 40


@dataclass(frozen=True)
class TuneChoices:
    """What tunes have, each of it the commonest first."""

    dances: list[str]
    meters: list[str]
    tonics: list[str]
    modes: list[str]


_kept: WeakKeyDictionary[Engine, tuple[float, TuneChoices]] = WeakKeyDictionary()


def list_choices(database: Session) -> TuneChoices:
    """What tunes have, counted once a minute."""
    engine = database.get_bind().engine
    until, choices = _kept.get(engine, (0.0, None))
    if choices is None or time.monotonic() >= until:
        choices = TuneChoices(
            _count(database, ArchiveTune.dance),
            _count(database, ArchiveTune.meter),
            sorted(_count(database, ArchiveTune.tonic)),
            _count(database, ArchiveTune.mode),
        )
        # An archive that is still small is counted in no time, and its choices grow.
        kept = _SECONDS_KEPT if len(choices.meters) > 1 else 0
        _kept[engine] = time.monotonic() + kept, choices
    return choices


def _count(database: Session, column: InstrumentedAttribute[str]) -> list[str]:
    return list(
        database.scalars(
            select(column)
            .where(is_listed(ArchiveTune), column != "")
            .group_by(column)
            .order_by(func.count().desc(), column)
            .limit(_MAX_CHOICES)
        )
    )
