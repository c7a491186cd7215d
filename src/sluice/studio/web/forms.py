"""The check that a form was sent from this site's own page."""

from __future__ import annotations

from fastapi import Request

from sluice.studio.errors import ForbiddenError
from sluice.studio.languages import gettext as _
from sluice.studio.security.origin import is_foreign
from sluice.studio.web.context import (
    LoginNeededError,
    Studio,
    StudioDep,
    VisitorDep,
    identify_visitor,
)
from sluice.studio.web.members import KNOWN
from sluice.studio.web.visitor import Visitor, get_cookie_name

FIELD = "csrf_token"
_MAX_FIELD = 2 * 1024 * 1024
"""Bytes of one field; the whole body has limits of its own (`security.bodies`)."""


async def check_form(request: Request, visitor: VisitorDep, studio: StudioDep) -> None:
    """Refuse what changes something and was not sent from a page of this site.

    Raises:
        ForbiddenError: another site sent it, or its token is missing or of another browser.
    """
    await _check(request, visitor, studio)


async def check_quick_form(request: Request, studio: StudioDep) -> None:
    """`check_form` for routes that open no session of the database for all of a request.

    Raises:
        ForbiddenError: as `check_form`.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    visitor = await identify_visitor(request, studio)
    await _check(request, visitor, studio)


async def _check(request: Request, visitor: Visitor, studio: Studio) -> None:
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    if is_foreign(request.headers, studio.config.address):
        raise ForbiddenError(_("This form was sent from another site."))
    token = request.headers.get("x-csrf-token", "")
    if not token:
        value = (await request.form(max_part_size=_MAX_FIELD)).get(FIELD, "")
        token = value if isinstance(value, str) else ""
    if not visitor.is_token_right(token):
        if _was_member(request, visitor, studio):
            raise LoginNeededError
        raise ForbiddenError(
            _("This form is too old, or cookies are off. Reload the page and send it again.")
        )


def _was_member(request: Request, visitor: Visitor, studio: Studio) -> bool:
    """Whether a person's form is likely of a session that has ended: a member used this browser."""
    is_known = get_cookie_name(KNOWN, studio.config.is_secure) in request.cookies
    is_page = "application/json" not in request.headers.get("accept", "")
    is_for_all = request.url.path.startswith(("/login", "/password", "/sign-up"))
    return is_known and is_page and visitor.member is None and not is_for_all
