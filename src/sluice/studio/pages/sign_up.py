"""Becoming a member: the form, the link in the mail, and a keeper's invitation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from sluice.studio.accounts.names import check_email, check_name, require_free_name
from sluice.studio.accounts.passwords import check_password, hash_password
from sluice.studio.accounts.sign_up import (
    accept_invitation,
    begin_sign_up,
    find_invitation,
    find_sign_up,
    finish_sign_up,
)
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.security.limits import allow
from sluice.studio.security.robots import HIDDEN_FIELD, TIME_FIELD, check_human, sign_time
from sluice.studio.web.answers import render_form, render_message
from sluice.studio.web.context import DatabaseDep, StudioDep, VisitorDep
from sluice.studio.web.members import enter
from sluice.studio.web.rendering import render

router = APIRouter()

_Text = Annotated[str, Form()]


@router.get("/sign-up")
def show_sign_up(request: Request, studio: StudioDep, visitor: VisitorDep) -> Response:
    """The form; without mail, a sentence about invitations."""
    if visitor.member is not None:
        return RedirectResponse("/account", 303)
    if not studio.config.mail:
        return render_message(
            request,
            _("Sign up"),
            _("Members of this site are invited: ask one of its keepers for a link."),
        )
    return render(
        request, "sign_up.html", email="", name="", opened=sign_time(studio.key), problem=None
    )


@router.post("/sign-up")
def sign_up(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    email: _Text = "",
    name: _Text = "",
    hidden: Annotated[str, Form(alias=HIDDEN_FIELD)] = "",
    opened: Annotated[str, Form(alias=TIME_FIELD)] = "",
) -> Response:
    """Mail a link; the answer is the same whether there is an account already or not."""
    try:
        if not studio.config.mail:
            raise StudioError(_("Members of this site are invited: ask one of its keepers."))
        check_human(studio.key, hidden, opened)
        begin_sign_up(database, studio.config, studio.key, email, name)
        allow(database, visitor.address_hash, "sign-up")
    except StudioError as error:
        return render_form(
            request, database, "sign_up.html", error,
            email=email[:254], name=name[:80], opened=sign_time(studio.key),
        )  # fmt: skip
    return render_message(
        request,
        _("Look into your mail"),
        _("A link that finishes your sign-up is on its way. It works once, within two days."),
    )


@router.get("/sign-up/{token}")
def show_confirmation(
    request: Request, database: DatabaseDep, visitor: VisitorDep, token: str
) -> Response:
    """The form behind the link: name and password."""
    found = find_sign_up(database, token)
    return render(
        request, "sign_up_password.html",
        email=found.email, name=found.name, is_fixed=True, problem=None,
    )  # fmt: skip


@router.post("/sign-up/{token}")
def confirm(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    token: str,
    name: _Text = "",
    password: _Text = "",
) -> Response:
    """Create the member and log them in."""
    email = find_sign_up(database, token).email
    try:
        require_free_name(database, check_name(name))
        database.commit()
        hashed = hash_password(check_password(password, name, email))
        member = finish_sign_up(database, token, name, hashed)
    except StudioError as error:
        return render_form(
            request, database, "sign_up_password.html", error,
            email=email, name=name[:80], is_fixed=True,
        )  # fmt: skip
    enter(request, database, studio, visitor, member)
    return RedirectResponse("/account", 303)


@router.get("/invitation/{token}")
def show_invitation(
    request: Request, database: DatabaseDep, visitor: VisitorDep, token: str
) -> Response:
    """The form of who was invited."""
    found = find_invitation(database, token)
    return render(
        request, "sign_up_password.html",
        email=found.email, name=found.name, is_fixed=False, problem=None,
    )  # fmt: skip


@router.post("/invitation/{token}")
def accept(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    token: str,
    email: _Text = "",
    name: _Text = "",
    password: _Text = "",
) -> Response:
    """Create the member and log them in."""
    find_invitation(database, token)
    try:
        allow(database, visitor.address_hash, "invitation")
        require_free_name(database, check_name(name))
        database.commit()
        hashed = hash_password(check_password(password, name, check_email(email)))
        member = accept_invitation(database, token, email, name, hashed)
    except StudioError as error:
        return render_form(
            request, database, "sign_up_password.html", error,
            email=email[:254], name=name[:80], is_fixed=False,
        )  # fmt: skip
    enter(request, database, studio, visitor, member)
    return RedirectResponse("/account", 303)
