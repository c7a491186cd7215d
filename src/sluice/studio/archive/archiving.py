"""From a composition to a tune of the archive, under a name."""

from __future__ import annotations

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.attribution import remove_source, write_source
from sluice.studio.archive.tables import ArchiveTune, Composition, Member
from sluice.studio.archive.tunes import add_tune
from sluice.studio.archive.visibility import is_own
from sluice.studio.errors import ForbiddenError, StudioError
from sluice.studio.languages import gettext as _

_MAX_TITLE, _MAX_AUTHOR = 100, 80


class ArchivedError(StudioError):
    """A composition that is in the archive already.

    Attributes:
        address: of the tune that it became.
    """

    def __init__(self, sentence: str, address: str) -> None:
        super().__init__(sentence)
        self.address = address


def archive_composition(
    database: Session,
    composition: Composition,
    *,
    title: str,
    author_name: str,
    member: Member | None,
    claim_hash: str,
) -> ArchiveTune:
    """The tune of the archive that a composition becomes, once.

    Args:
        composition: locked, so that of two at once one is refused.
        title: its name in the archive.
        author_name: of a visitor without account, or nothing.
        claim_hash: of the visitor's cookie.

    Raises:
        ForbiddenError: somebody else composed it.
        ArchivedError: it is in the archive already.
        StudioError: it is not finished, or a name is empty or too long.
    """
    if not is_own(composition, member, claim_hash):
        raise ForbiddenError(
            _("Only whoever composed this tune can archive it, in the browser it was composed in.")
        )
    require_done(composition)
    found = database.scalar(
        select(ArchiveTune)
        .where(ArchiveTune.composition_id == composition.id)
        .order_by(ArchiveTune.id)
        .limit(1)
    )
    if found is not None:
        raise ArchivedError(
            _("This tune is in the archive already, as “{title}”.").format(title=found.title),
            f"/tunes/{found.id}",
        )
    name = _read_name(title, "title", _MAX_TITLE)
    if not name:
        raise StudioError(_("Give the tune a name, so that it is found again."), "title")
    return add_tune(
        database,
        title=name,
        abc=write_title(composition.abc, name),
        author=member,
        author_name=_read_name(author_name, "author", _MAX_AUTHOR),
        composition=composition,
        claim_hash=claim_hash,
    )


def require_done(composition: Composition) -> None:
    """Check that a tune is there.

    Raises:
        StudioError: it is not finished, or failed.
    """
    if composition.state != "done":
        raise StudioError(_("This tune is not finished."))


def write_abc(composition: Composition, title: str, address: str) -> str:
    """The ABC of a composition under a title, with fields that say where it comes from.

    Args:
        address: of this site.
    """
    abc = remove_source(write_title(composition.abc, title), composition)
    head, key, music = abc.partition("\nK:")
    return f"{head}\n{write_source(composition)}\nF:{address}/c/{composition.code}{key}{music}"


def write_title(abc: str, title: str) -> str:
    """ABC under another title."""
    lines = [line for line in abc.splitlines() if not line.startswith("T:")]
    place = 1 if lines and lines[0].startswith("X:") else 0
    lines.insert(place, f"T:{title}")
    return "\n".join(lines) + "\n"


def _read_name(text: str, field: str, most: int) -> str:
    name = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", text).split())
    if len(name) > most:
        raise StudioError(
            _("A name may have {most} characters, this one has {count}.").format(
                most=most, count=len(name)
            ),
            field,
        )
    return name
