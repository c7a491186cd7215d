"""The keepers' desk: one queue, and what follows from their decisions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from sluice.studio.accounts.sign_up import create_invitation
from sluice.studio.languages import gettext as _
from sluice.studio.moderation.decisions import Decision, decide, list_actions, list_blocked
from sluice.studio.moderation.queue import list_hidden, list_queue
from sluice.studio.security.text import check_line
from sluice.studio.web.context import DatabaseDep, KeeperDep, StudioDep, VisitorDep
from sluice.studio.web.rendering import render

router = APIRouter(prefix="/desk")


@router.get("")
def show_queue(
    request: Request, database: DatabaseDep, visitor: VisitorDep, keeper: KeeperDep
) -> Response:
    """What waits and what was reported, the oldest first."""
    return render(request, "desk.html", items=list_queue(database))


@router.post("/decide")
def decide_about(
    database: DatabaseDep,
    keeper: KeeperDep,
    subject: Annotated[str, Form()],
    id: Annotated[int, Form()],
    decision: Annotated[Decision, Form()],
    back: Annotated[str, Form()] = "queue",
) -> Response:
    """Carry out a decision, and go on with what is now the first of the queue."""
    decide(database, keeper, subject, id, decision)
    return RedirectResponse("/desk/hidden" if back == "hidden" else "/desk#first", 303)


@router.get("/hidden")
def show_hidden(
    request: Request, database: DatabaseDep, visitor: VisitorDep, keeper: KeeperDep
) -> Response:
    """Hidden posts and blocked members, each with its way back."""
    return render(
        request, "desk_hidden.html", items=list_hidden(database), blocked=list_blocked(database)
    )


@router.get("/log")
def show_log(
    request: Request, database: DatabaseDep, visitor: VisitorDep, keeper: KeeperDep
) -> Response:
    """What keepers did."""
    verbs = {
        "approved": _("showed to all"), "hidden": _("hid"), "deleted": _("deleted"),
        "blocked": _("blocked"), "unblocked": _("let in again"), "kept": _("kept"),
    }  # fmt: skip
    return render(request, "desk_log.html", actions=list_actions(database), verbs=verbs)


@router.get("/invitations")
def show_invitations(request: Request, visitor: VisitorDep, keeper: KeeperDep) -> Response:
    """The form that makes a link for somebody new."""
    return render(request, "desk_invitations.html", link="")


@router.post("/invitations")
def invite(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    keeper: KeeperDep,
    note: Annotated[str, Form()] = "",
) -> Response:
    """Show the link, once."""
    token = create_invitation(database, keeper, check_line(note, "note", needed=False))
    link = f"{studio.config.public_address}/invitation/{token}"
    return render(request, "desk_invitations.html", link=link)
