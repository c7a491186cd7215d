"""A tune changed by whoever added it: its ABC beside its live score, former versions, deletion."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import ArchiveTune
from sluice.studio.archive.tunes import (
    change_tune,
    delete_tune,
    get_tune,
    has_others,
    require_change,
)
from sluice.studio.errors import StudioError
from sluice.studio.security.text import check_line
from sluice.studio.web.context import DatabaseDep, VisitorDep
from sluice.studio.web.rendering import render
from sluice.studio.web.visitor import Visitor

router = APIRouter()

Text = Annotated[str, Form()]


def _get_own_tune(database: Session, tune_id: int, visitor: Visitor) -> ArchiveTune:
    tune = get_tune(database, tune_id, visitor.member, visitor.claim_hash)
    require_change(tune, visitor.member, visitor.claim_hash)
    return tune


@router.get("/tunes/{tune_id:number}/edit")
def edit_tune(
    request: Request, tune_id: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """The form, with the ABC as typed."""
    tune = _get_own_tune(database, tune_id, visitor)
    return _render_form(request, database, tune, tune.title, tune.abc, bool(tune.problem))


@router.post("/tunes/{tune_id:number}/edit")
def post_tune_change(
    request: Request,
    tune_id: int,
    database: DatabaseDep,
    visitor: VisitorDep,
    title: Text = "",
    abc: Text = "",
    keeps_unread: Text = "",
) -> Response:
    """Change a tune; what is refused is shown again, with what was typed."""
    tune = _get_own_tune(database, tune_id, visitor)
    try:
        name = check_line(title, "title", needed=False)
        change_tune(database, tune, title=name, abc=abc, keeps_unread=keeps_unread == "1")
    except StudioError as problem:
        database.rollback()
        return _render_form(request, database, tune, title, abc, keeps_unread == "1", problem)
    return RedirectResponse(f"/tunes/{tune.id}", 303)


@router.get("/tunes/{tune_id:number}/versions")
def show_versions(
    request: Request, tune_id: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """What a tune was before it was changed, for whoever added it."""
    tune = _get_own_tune(database, tune_id, visitor)
    return render(request, "tune_versions.html", tune=tune, versions=tune.versions[::-1])


@router.post("/tunes/{tune_id:number}/delete")
def post_tune_deletion(tune_id: int, database: DatabaseDep, visitor: VisitorDep) -> Response:
    """Delete a tune."""
    tune = _get_own_tune(database, tune_id, visitor)
    delete_tune(database, tune, visitor.member)
    return RedirectResponse("/tunes", 303)


def _render_form(
    request: Request,
    database: Session,
    tune: ArchiveTune,
    title: str,
    abc: str,
    keeps_unread: bool,
    problem: StudioError | None = None,
) -> Response:
    return render(
        request, "tune_form.html", 422 if problem else 200, tune=tune, sent_title=title, abc=abc,
        keeps_unread=keeps_unread, problem=problem, has_others=has_others(database, tune),
    )  # fmt: skip
