"""A tune: its score, where it comes from, notes, settings, comments."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.comments import list_comments
from sluice.studio.archive.notes import add_note, delete_note
from sluice.studio.archive.settings import can_change_setting, list_settings
from sluice.studio.archive.tables import ArchiveTune, Model
from sluice.studio.archive.tunes import can_change, get_tune
from sluice.studio.errors import StudioError
from sluice.studio.pages.tune_community import find_tune_community
from sluice.studio.security.limits import allow
from sluice.studio.security.text import check_text
from sluice.studio.web.context import DatabaseDep, MemberDep, VisitorDep
from sluice.studio.web.rendering import render
from sluice.studio.web.visitor import Visitor

router = APIRouter()

_MAX_NOTE = 2000
_SETTINGS_IN_FULL = 5


@router.get("/tunes/{tune_id:number}")
def show_tune(
    request: Request, tune_id: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """A tune's page."""
    tune = get_tune(database, tune_id, visitor.member, visitor.claim_hash)
    return render_tune(request, database, visitor, tune)


def render_tune(
    request: Request,
    database: Session,
    visitor: Visitor,
    tune: ArchiveTune,
    status: int = 200,
    **names: Any,
) -> Response:
    """A tune's page; `names` are those of a form on it that was refused."""
    member = visitor.member
    settings = list_settings(database, tune, member)
    refused: dict[str, Any] = {"problem": None, "form": "", "sent": {}, **names}
    return render(
        request, "tune.html", status, tune=tune,
        settings=settings[:_SETTINGS_IN_FULL], more_settings=settings[_SETTINGS_IN_FULL:],
        can_change=can_change(tune, member, visitor.claim_hash),
        can_change_setting=lambda setting: can_change_setting(setting, member),
        model_name=_find_model_name(database, tune),
        community=find_tune_community(database, visitor, tune),
        comments=list_comments(database, "tune", tune.id, member), **refused,
    )  # fmt: skip


def _find_model_name(database: Session, tune: ArchiveTune) -> str:
    """The name of the model that composed a tune; nothing for what people wrote."""
    if tune.composition is None:
        return ""
    named = select(Model.name).where(Model.fingerprint == tune.composition.model)
    return database.scalar(named) or ""


@router.post("/tunes/{tune_id:number}/notes")
def post_note(
    request: Request,
    tune_id: int,
    database: DatabaseDep,
    visitor: VisitorDep,
    member: MemberDep,
    text: Annotated[str, Form()] = "",
    url: Annotated[str, Form()] = "",
) -> Response:
    """Add a note on where a tune comes from."""
    tune = get_tune(database, tune_id, member, visitor.claim_hash)
    try:
        checked = check_text(text, "text", _MAX_NOTE)
        allow(database, visitor.who, "post")
        note = add_note(database, tune, member, checked, url)
    except StudioError as problem:
        database.rollback()
        return render_tune(
            request, database, visitor, tune, 422,
            problem=problem, form="note", sent={"text": text, "url": url},
        )  # fmt: skip
    return RedirectResponse(f"/tunes/{tune.id}#note-{note.id}", 303)


@router.post("/tunes/{tune_id:number}/notes/{note_id:number}/delete")
def post_note_deletion(
    tune_id: int, note_id: int, database: DatabaseDep, visitor: VisitorDep, member: MemberDep
) -> Response:
    """Delete a note."""
    tune = get_tune(database, tune_id, member, visitor.claim_hash)
    delete_note(database, tune, note_id, member)
    return RedirectResponse(f"/tunes/{tune.id}#notes", 303)
