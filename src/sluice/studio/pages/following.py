"""Following members and tunes, and what happened: of all, or of whom one follows."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from sluice.studio.archive.activity import list_activity
from sluice.studio.archive.follow import (
    follow,
    list_followed_members,
    list_followed_tunes,
    unfollow,
)
from sluice.studio.errors import NotFoundError, StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.web.activity_lines import describe_item
from sluice.studio.web.addresses import OptionalNumber
from sluice.studio.web.context import DatabaseDep, MemberDep, VisitorDep
from sluice.studio.web.fields import FieldsDep, SentFields
from sluice.studio.web.rendering import render

router = APIRouter()

_ON_PAGE = 50
_PATHS = {"member": "members", "tune": "tunes"}


@router.post("/follow")
def start_following(database: DatabaseDep, member: MemberDep, fields: FieldsDep) -> Response:
    """Hear of a member or a tune from now on."""
    subject, number = _read_subject(fields)
    follow(database, member, subject, number)
    return RedirectResponse(f"/{_PATHS[subject]}/{number}", 303)


@router.post("/unfollow")
def stop_following(database: DatabaseDep, member: MemberDep, fields: FieldsDep) -> Response:
    """Hear no more of a member or a tune."""
    subject, number = _read_subject(fields)
    unfollow(database, member, subject, number)
    if fields.get_text("next") == "activity":
        return RedirectResponse("/activity?of=followed", 303)
    return RedirectResponse(f"/{_PATHS[subject]}/{number}", 303)


def _read_subject(fields: SentFields) -> tuple[str, int]:
    subject, number = fields.get_text("subject"), fields.get_number("id")
    if subject not in _PATHS or number is None:
        raise NotFoundError(_("There is nothing to follow at this address."))
    return subject, number


@router.get("/activity")
def show_activity(
    request: Request,
    database: DatabaseDep,
    visitor: VisitorDep,
    of: str = "all",
    before: OptionalNumber = None,
) -> Response:
    """What happened, the newest first."""
    viewer = visitor.member
    if of not in ("all", "followed"):
        raise StudioError(_("There is activity of all, and of whom you follow."), "of")
    is_followed = of == "followed" and viewer is not None
    items = list_activity(
        database, viewer, follower=viewer if is_followed else None, before=before,
        limit=_ON_PAGE + 1,
    )  # fmt: skip
    followed = viewer is not None and is_followed
    return render(
        request, "activity.html", items=items[:_ON_PAGE], of=of, describe=describe_item,
        older=items[_ON_PAGE - 1].number if len(items) > _ON_PAGE else None,
        followed_members=list_followed_members(database, viewer) if followed and viewer else [],
        followed_tunes=list_followed_tunes(database, viewer) if followed and viewer else [],
    )  # fmt: skip
