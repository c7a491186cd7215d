"""Log in, log out, and choose another password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from sluice.studio.accounts.links import find_link
from sluice.studio.accounts.login import ask_for_reset, check_login, reset_password
from sluice.studio.accounts.passwords import check_password, hash_password
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.security.limits import allow
from sluice.studio.security.origin import choose_next
from sluice.studio.web.answers import render_form, render_message
from sluice.studio.web.context import DatabaseDep, StudioDep, VisitorDep
from sluice.studio.web.members import KNOWN, enter, leave
from sluice.studio.web.rendering import render
from sluice.studio.web.visitor import get_cookie_name

router = APIRouter()


@router.get("/login")
def show_login(
    request: Request, visitor: VisitorDep, next: str = "/", unsent: str = ""
) -> Response:
    """The form; who is logged in goes on.

    `unsent` is for who sent a form of another page without being logged in.
    """
    if visitor.member is not None:
        return RedirectResponse(choose_next(next), 303)
    return render(
        request,
        "login.html",
        email="",
        next=choose_next(next),
        problem=None,
        is_unsent=unsent == "1",
    )


@router.post("/login")
def log_in(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Start a session, or show the form again with the reason why not."""
    known = request.cookies.get(get_cookie_name(KNOWN, studio.config.is_secure), "")
    try:
        member = check_login(database, studio.key, visitor.address_hash, email, password, known)
    except StudioError as error:
        return render_form(
            request,
            database,
            "login.html",
            error,
            email=email[:254],
            next=choose_next(next),
            is_unsent=False,
        )
    enter(request, database, studio, visitor, member)
    return RedirectResponse(choose_next(next), 303)


@router.post("/logout")
def log_out(request: Request, database: DatabaseDep, studio: StudioDep) -> Response:
    """End this browser's session."""
    leave(request, database, studio)
    # A tunebook that was kept for reading offline may be private.
    return RedirectResponse("/", 303, {"clear-site-data": '"storage"'})


@router.get("/password")
def show_forgotten_password(request: Request, visitor: VisitorDep) -> Response:
    """The form that asks for a link."""
    return render(request, "password_forgotten.html", email="", problem=None)


@router.post("/password")
def ask_for_link(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    email: Annotated[str, Form()] = "",
) -> Response:
    """Mail a link; the answer is the same whether there is an account or not."""
    try:
        if not studio.config.mail:
            raise StudioError(_("This site sends no mail. Ask its keepers for a new password."))
        ask_for_reset(database, studio.config, studio.key, email)
        allow(database, visitor.address_hash, "reset")
    except StudioError as error:
        return render_form(request, database, "password_forgotten.html", error, email=email[:254])
    return render_message(
        request,
        _("Look into your mail"),
        _("If there is an account with this address, a link to choose a new password is on its"
          " way. It works once, within an hour."),
    )  # fmt: skip


@router.get("/password/{token}")
def show_new_password(
    request: Request, database: DatabaseDep, visitor: VisitorDep, token: str
) -> Response:
    """The form behind the link."""
    link = find_link(database, token, "reset")
    return render(request, "password_new.html", email=link.member.email, problem=None)


@router.post("/password/{token}")
def choose_new_password(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    token: str,
    password: Annotated[str, Form()] = "",
) -> Response:
    """Change the password, end all sessions, and start one here."""
    member = find_link(database, token, "reset").member
    database.commit()
    try:
        hashed = hash_password(check_password(password, member.name, member.email))
    except StudioError as error:
        return render_form(request, database, "password_new.html", error, email=member.email)
    member = reset_password(database, studio.config, studio.key, token, hashed)
    enter(request, database, studio, visitor, member)
    return RedirectResponse("/account", 303)
