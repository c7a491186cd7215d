"""Visitors and members tell the keepers what is out of place."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from sluice.studio.archive.subjects import NamedSubject, name_subjects
from sluice.studio.archive.tables import Member
from sluice.studio.archive.visibility import require_visible
from sluice.studio.errors import NotFoundError, StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.moderation.decisions import find_subject, report
from sluice.studio.security.limits import allow
from sluice.studio.security.robots import HIDDEN_FIELD, TIME_FIELD, check_human, sign_time
from sluice.studio.web.answers import render_form, render_message
from sluice.studio.web.context import DatabaseDep, StudioDep, VisitorDep
from sluice.studio.web.rendering import render

router = APIRouter()


@router.get("/report")
def show_report(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    subject: str = "",
    id: int = 0,
) -> Response:
    """The form, about one thing: `/report?subject=tune&id=3`."""
    named = _find(database, visitor, subject, id)
    return render(
        request, "report.html", subject=subject, number=id, named=named, reason="",
        opened=sign_time(studio.key), problem=None,
    )  # fmt: skip


@router.post("/report")
def send_report(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    subject: Annotated[str, Form()] = "",
    id: Annotated[int, Form()] = 0,
    reason: Annotated[str, Form()] = "",
    hidden: Annotated[str, Form(alias=HIDDEN_FIELD)] = "",
    opened: Annotated[str, Form(alias=TIME_FIELD)] = "",
) -> Response:
    """Put it into the keepers' queue."""
    named = _find(database, visitor, subject, id)
    try:
        check_human(studio.key, hidden, opened)
        report(database, visitor.member, subject, id, reason)
        allow(database, visitor.who, "report")
    except StudioError as error:
        return render_form(
            request, database, "report.html", error,
            subject=subject, number=id, named=named, reason=reason[:2000],
            opened=sign_time(studio.key),
        )  # fmt: skip
    return render_message(
        request, _("Thank you"), _("The keepers of this site will look at it soon.")
    )


def _find(database: DatabaseDep, visitor: VisitorDep, subject: str, number: int) -> NamedSubject:
    row = find_subject(database, subject, number)
    if not isinstance(row, Member):
        require_visible(row, visitor.member, visitor.claim_hash)
    named = name_subjects(database, subject, [number]).get(number)
    if named is None:
        raise NotFoundError(_("This is gone already."))
    return named
