"""Ending the weekly mail by the link in it, without logging in."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sluice.studio.archive.tables import Member
from sluice.studio.web.context import DatabaseDep, StudioDep, VisitorDep
from sluice.studio.web.digests import check_unsubscribing
from sluice.studio.web.rendering import render

router = APIRouter()


@router.get("/unsubscribe/{number:number}/{signature}")
def show_unsubscribing(
    request: Request, number: int, signature: str, studio: StudioDep, visitor: VisitorDep
) -> Response:
    """One button: programs that look at all links of a mail must not end anything."""
    check_unsubscribing(studio.key, number, signature)
    return render(request, "unsubscribe.html", is_done=False)


@router.post("/unsubscribe/{number:number}/{signature}")
def unsubscribe(
    request: Request,
    number: int,
    signature: str,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
) -> Response:
    """End the mails."""
    check_unsubscribing(studio.key, number, signature)
    member = database.get(Member, number)
    if member is not None:
        member.wants_digest = False
    return render(request, "unsubscribe.html", is_done=True)
