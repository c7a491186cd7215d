"""A member's own account: settings, password, address, sessions, data, and leaving."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from sluice.studio.accounts import messages
from sluice.studio.accounts.links import create_link, find_link, use_link
from sluice.studio.accounts.login import set_password
from sluice.studio.accounts.names import check_email, find_by_email
from sluice.studio.accounts.passwords import check_password, hash_password, is_password_right
from sluice.studio.accounts.privacy import delete_member, export_member
from sluice.studio.accounts.sessions import end_sessions, list_sessions
from sluice.studio.archive.tables import Member
from sluice.studio.errors import ForbiddenError, StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.languages import list_languages, use_language
from sluice.studio.moderation.queue import list_own_waiting
from sluice.studio.security.limits import allow, forget_counts
from sluice.studio.web.answers import render_form, render_message
from sluice.studio.web.context import DatabaseDep, MemberDep, StudioDep, VisitorDep
from sluice.studio.web.members import enter, leave
from sluice.studio.web.rendering import render
from sluice.studio.web.visitor import LONGEST_SECONDS, set_cookie

router = APIRouter(prefix="/account")

_Text = Annotated[str, Form()]


@router.get("")
def show_account(
    request: Request, database: DatabaseDep, visitor: VisitorDep, member: MemberDep
) -> Response:
    """All of it on one page."""
    return render(request, "account.html", **_collect(database, visitor, member), problem=None)


@router.post("/settings")
def change_settings(
    request: Request,
    database: DatabaseDep,
    member: MemberDep,
    language: _Text = "",
    wants_digest: Annotated[bool, Form()] = False,
) -> Response:
    """The language of pages and mails, and whether a digest is mailed."""
    if language in list_languages():
        member.language = language
        set_cookie(request, "language", language, LONGEST_SECONDS)
    member.wants_digest = wants_digest
    return RedirectResponse("/account", 303)


@router.post("/password")
def change_password(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    member: MemberDep,
    current: _Text = "",
    password: _Text = "",
) -> Response:
    """Another password; all other sessions end."""
    try:
        _require_password(database, visitor, member, current)
        hashed = hash_password(check_password(password, member.name, member.email))
    except StudioError as error:
        return _show_problem(request, database, visitor, member, error)
    set_password(database, studio.config, studio.key, member, hashed)
    enter(request, database, studio, visitor, member)
    return RedirectResponse("/account", 303)


@router.post("/email")
def change_email(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    member: MemberDep,
    current: _Text = "",
    email: _Text = "",
) -> Response:
    """Mail a link to the new address; until it is opened the old one stays."""
    try:
        email = check_email(email)
        _require_password(database, visitor, member, current)
        if not studio.config.mail:
            raise StudioError(_("This site sends no mail, so no address can be confirmed."))
        token = create_link(database, member, "email", email)
        messages.send_new_address(database, studio.config, studio.key, member, email, token)
    except StudioError as error:
        return _show_problem(request, database, visitor, member, error)
    return render_message(
        request,
        _("Look into your mail"),
        _("A link that confirms the new address is on its way to it."),
    )


@router.get("/email/{token}")
def show_new_email(
    request: Request, database: DatabaseDep, visitor: VisitorDep, token: str
) -> Response:
    """A button, since programs that look for harm open links in mails too."""
    return render(request, "email_new.html", email=find_link(database, token, "email").value)


@router.post("/email/{token}")
def confirm_email(
    request: Request, database: DatabaseDep, studio: StudioDep, visitor: VisitorDep, token: str
) -> Response:
    """Use the new address, and tell the old one."""
    member, email = use_link(database, token, "email")
    if find_by_email(database, email) is not None:
        raise StudioError(_("There is an account with this address already."))
    with use_language(member.language):
        sentence = _("The mail address of your account at {site} was changed.")
        messages.send_notice(database, studio.config, studio.key, member, sentence)
    member.email = email
    return RedirectResponse("/account" if visitor.member else "/login", 303)


@router.post("/sessions/end")
def end_session(
    database: DatabaseDep,
    visitor: VisitorDep,
    member: MemberDep,
    session: Annotated[int | None, Form()] = None,
) -> Response:
    """End one session by its number, or all but this one."""
    end_sessions(
        database, member, only=session,
        except_hash=visitor.session_hash if session is None else "",
    )  # fmt: skip
    return RedirectResponse("/account", 303)


@router.post("/download")
def download(
    database: DatabaseDep, studio: StudioDep, visitor: VisitorDep, member: MemberDep
) -> Response:
    """A zip of all that is the member's."""
    allow(database, visitor.who, "export")
    database.commit()
    content = export_member(database, studio.config.folder, member)
    headers = {"content-disposition": 'attachment; filename="my-tunes.zip"'}
    return Response(content, media_type="application/zip", headers=headers)


@router.post("/delete")
def delete_account(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    member: MemberDep,
    current: _Text = "",
    keeps_posts: Annotated[bool, Form()] = True,
) -> Response:
    """Delete the account, with or without what the member added."""
    try:
        _require_password(database, visitor, member, current)
    except StudioError as error:
        return _show_problem(request, database, visitor, member, error)
    leave(request, database, studio)
    delete_member(database, member, keeps_posts)
    return RedirectResponse("/", 303)


def _require_password(
    database: DatabaseDep, visitor: VisitorDep, member: Member, current: str
) -> None:
    """Who found the browser open does not know it."""
    allow(database, visitor.who, "login")
    database.commit()
    if not is_password_right(member.password, current):
        raise ForbiddenError(_("This is not your password."), "current")
    forget_counts(database, visitor.who, "login")


def _show_problem(
    request: Request,
    database: DatabaseDep,
    visitor: VisitorDep,
    member: Member,
    error: StudioError,
) -> Response:
    database.rollback()
    return render_form(
        request, database, "account.html", error, **_collect(database, visitor, member)
    )


def _collect(database: DatabaseDep, visitor: VisitorDep, member: Member) -> dict[str, Any]:
    return {
        "sessions": list_sessions(database, member),
        "current_hash": visitor.session_hash,
        "waiting": list_own_waiting(database, member),
    }
