"""The tunes that a recording or an event is of, as a form sends them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import ArchiveTune, Member
from sluice.studio.archive.visibility import can_see, is_visible
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _

MAX_TUNES = 60


def find_tunes(
    database: Session, numbers: Collection[int], viewer: Member | None
) -> list[ArchiveTune]:
    """The tunes with these numbers, in that order.

    Raises:
        StudioError: a viewer may not see one of them, or they are too many.
    """
    wanted = list(dict.fromkeys(numbers))
    if len(wanted) > MAX_TUNES:
        raise StudioError(_("At most {count} tunes can be chosen.").format(count=MAX_TUNES), "tune")
    query = select(ArchiveTune).where(ArchiveTune.id.in_(wanted))
    found = {tune.id: tune for tune in database.scalars(query) if can_see(tune, viewer)}
    if missing := [number for number in wanted if number not in found]:
        raise StudioError(
            _("There is no tune {number}; it may have been taken away.").format(number=missing[0]),
            "tune",
        )
    return [found[number] for number in wanted]


def search_titles(
    database: Session, words: str, viewer: Member | None, limit: int = 12
) -> list[ArchiveTune]:
    """Tunes whose title has these words, or that have this number, by title."""
    query = select(ArchiveTune).where(is_visible(ArchiveTune, viewer))
    words = words.strip().removeprefix("#")
    if words.isascii() and words.isdigit() and len(words) < 10:
        query = query.where(ArchiveTune.id == int(words))
    else:
        for word in words.split()[:8]:
            query = query.where(ArchiveTune.title.icontains(word, autoescape=True))
    return list(database.scalars(query.order_by(ArchiveTune.title).limit(limit)))
