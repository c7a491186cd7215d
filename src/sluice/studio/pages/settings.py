"""Settings of a tune: each one's page, and the forms that add, change and delete them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from sluice.studio.archive import settings as archive
from sluice.studio.archive.tables import ArchiveTune, Setting
from sluice.studio.archive.tunes import get_tune
from sluice.studio.errors import StudioError
from sluice.studio.security.limits import allow
from sluice.studio.security.text import check_line
from sluice.studio.web.context import DatabaseDep, MemberDep, VisitorDep
from sluice.studio.web.rendering import render

router = APIRouter()

_PATH = "/tunes/{tune_id:number}/settings"
Text = Annotated[str, Form()]


@router.get(f"{_PATH}/new")
def start_setting(
    request: Request, tune_id: int, database: DatabaseDep, visitor: VisitorDep, member: MemberDep
) -> Response:
    """A form that begins with the tune as it stands."""
    tune = get_tune(database, tune_id, member, visitor.claim_hash)
    return _render_form(request, tune, None, tune.abc, "")


@router.post(_PATH)
def post_setting(
    request: Request,
    tune_id: int,
    database: DatabaseDep,
    visitor: VisitorDep,
    member: MemberDep,
    abc: Text = "",
    title: Text = "",
) -> Response:
    """Add a setting."""
    tune = get_tune(database, tune_id, member, visitor.claim_hash)
    try:
        name = check_line(title, "title", needed=False)
        allow(database, visitor.who, "post")
        setting = archive.add_setting(database, tune, member, abc, name)
    except StudioError as problem:
        database.rollback()
        return _render_form(request, tune, None, abc, title, problem)
    return RedirectResponse(_get_address(tune, setting), 303)


@router.get(_PATH + "/{number:number}")
def show_setting(
    request: Request, tune_id: int, number: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """One setting."""
    tune = get_tune(database, tune_id, visitor.member, visitor.claim_hash)
    setting = archive.get_setting(database, tune, number, visitor.member)
    return render(
        request, "setting.html", tune=tune, setting=setting,
        can_change=archive.can_change_setting(setting, visitor.member),
    )  # fmt: skip


@router.get(_PATH + "/{number:number}/edit")
def edit_setting(
    request: Request,
    tune_id: int,
    number: int,
    database: DatabaseDep,
    visitor: VisitorDep,
    member: MemberDep,
) -> Response:
    """A setting beside its live score."""
    tune = get_tune(database, tune_id, member, visitor.claim_hash)
    setting = archive.get_setting(database, tune, number, member)
    archive.require_setting_change(setting, member)
    return _render_form(request, tune, setting, setting.abc, setting.title)


@router.post(_PATH + "/{number:number}/edit")
def post_setting_change(
    request: Request,
    tune_id: int,
    number: int,
    database: DatabaseDep,
    visitor: VisitorDep,
    member: MemberDep,
    abc: Text = "",
    title: Text = "",
) -> Response:
    """Change a setting."""
    tune = get_tune(database, tune_id, member, visitor.claim_hash)
    setting = archive.get_setting(database, tune, number, member)
    archive.require_setting_change(setting, member)
    try:
        name = check_line(title, "title", needed=False)
        archive.change_setting(database, setting, abc, name)
    except StudioError as problem:
        database.rollback()
        return _render_form(request, tune, setting, abc, title, problem)
    return RedirectResponse(_get_address(tune, setting), 303)


@router.post(_PATH + "/{number:number}/delete")
def post_setting_deletion(
    tune_id: int, number: int, database: DatabaseDep, visitor: VisitorDep, member: MemberDep
) -> Response:
    """Delete a setting."""
    tune = get_tune(database, tune_id, member, visitor.claim_hash)
    setting = archive.get_setting(database, tune, number, member)
    archive.require_setting_change(setting, member)
    archive.delete_setting(database, setting)
    return RedirectResponse(f"/tunes/{tune.id}#settings", 303)


def _get_address(tune: ArchiveTune, setting: Setting) -> str:
    return f"/tunes/{tune.id}/settings/{setting.number}"


def _render_form(
    request: Request,
    tune: ArchiveTune,
    setting: Setting | None,
    abc: str,
    title: str,
    problem: StudioError | None = None,
) -> Response:
    return render(
        request, "setting_form.html", 422 if problem else 200,
        tune=tune, setting=setting, abc=abc, sent_title=title, problem=problem,
    )  # fmt: skip
