"""Choosing tunes within a form: found by title or number, with a script or without."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import ArchiveTune, Member
from sluice.studio.archive.tune_choice import find_tunes, search_titles
from sluice.studio.web.context import DatabaseDep, VisitorDep
from sluice.studio.web.fields import SentFields
from sluice.studio.web.rendering import render

router = APIRouter()


@dataclass(frozen=True)
class TuneChoice:
    """What the part of a form that chooses tunes shows.

    Attributes:
        chosen: their boxes are checked.
        found: what the search found beside them.
        words: what was searched; None if nothing was.
    """

    chosen: list[ArchiveTune]
    found: list[ArchiveTune]
    words: str | None = None


def choose_tunes(database: Session, viewer: Member | None, fields: SentFields) -> TuneChoice:
    """The tunes that are chosen in a form as it was sent, and those that its search finds.

    Raises:
        StudioError: a chosen tune is not there.
    """
    chosen = find_tunes(database, fields.get_numbers("tune"), viewer)
    if fields.get_text("action") != "search":
        return TuneChoice(chosen, [])
    words = fields.get_text("tune_words")[:200]
    found = [tune for tune in search_titles(database, words, viewer) if tune not in chosen]
    return TuneChoice(chosen, found, words)


@router.get("/choose-tunes")
def search_tunes_to_choose(
    request: Request, database: DatabaseDep, visitor: VisitorDep, words: str = ""
) -> Response:
    """Boxes for the tunes that have these words in their title, for the script of the form."""
    found = search_titles(database, words[:200], visitor.member)
    return render(request, "tune_boxes.html", tunes=found)
