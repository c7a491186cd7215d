"""Members: their list, and each one's page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sluice.studio.archive import members
from sluice.studio.archive.activity import list_activity
from sluice.studio.archive.books import list_books
from sluice.studio.archive.follow import is_following
from sluice.studio.archive.subjects import name_subjects
from sluice.studio.archive.tables import (
    ArchiveRecording,
    ArchiveTune,
    Comment,
    Follow,
    Member,
    Setting,
)
from sluice.studio.archive.visibility import is_visible
from sluice.studio.errors import StudioError
from sluice.studio.security.limits import allow
from sluice.studio.security.text import check_text, render_markdown
from sluice.studio.web.activity_lines import describe_item
from sluice.studio.web.addresses import OptionalNumber
from sluice.studio.web.context import DatabaseDep, MemberDep, VisitorDep
from sluice.studio.web.fields import FieldsDep
from sluice.studio.web.rendering import render

router = APIRouter()

_ON_PAGE = 60
_IN_BLOCK = 25


@router.get("/members")
def show_members(
    request: Request,
    database: DatabaseDep,
    visitor: VisitorDep,
    words: str = "",
    skip: OptionalNumber = 0,
) -> Response:
    """All members by name, or those whose name has some words."""
    skip, words = skip or 0, words[:80]
    found = members.list_members(database, words, skip, _ON_PAGE + 1)
    return render(
        request, "members.html", members=found[:_ON_PAGE], words=words, skip=skip,
        older=skip + _ON_PAGE if len(found) > _ON_PAGE else None,
    )  # fmt: skip


@router.get("/members/{number:number}")
def show_member(
    request: Request, number: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """A member's page: what they say of themselves, and what they added."""
    owner, viewer = members.find_member_page(database, number), visitor.member
    is_own = viewer is not None and viewer.id == owner.id
    is_shown = is_own or members.is_trusted(database, owner)
    comments = _find(database, Comment, owner, viewer)
    followers = select(func.count()).select_from(Follow)
    followers = followers.where(Follow.subject == "member", Follow.subject_id == owner.id)
    return render(
        request, "member.html", owner=owner, is_own=is_own,
        about=render_markdown(owner.about if is_shown else ""),
        tunes=_find(database, ArchiveTune, owner, viewer),
        settings=_find(database, Setting, owner, viewer),
        recordings=_find(database, ArchiveRecording, owner, viewer),
        comments=comments,
        commented=name_subjects(database, "comment", [comment.id for comment in comments]),
        books=list_books(database, owner, viewer),
        counts={
            "tunes": _count(database, ArchiveTune, owner, viewer),
            "settings": _count(database, Setting, owner, viewer),
            "recordings": _count(database, ArchiveRecording, owner, viewer),
            "comments": _count(database, Comment, owner, viewer),
        },
        items=list_activity(database, viewer, author=owner, limit=_IN_BLOCK),
        describe=describe_item,
        is_followed=is_following(database, viewer, "member", owner.id),
        num_followers=database.scalar(followers) or 0,
    )  # fmt: skip


def _find(database: Session, table: type[Any], owner: Member, viewer: Member | None) -> list[Any]:
    query = select(table).where(table.author_id == owner.id, is_visible(table, viewer))
    if table is Setting:
        query = query.join(ArchiveTune).where(is_visible(ArchiveTune, viewer))
    return list(database.scalars(query.order_by(table.id.desc()).limit(_IN_BLOCK)))


def _count(database: Session, table: type[Any], owner: Member, viewer: Member | None) -> int:
    query = select(func.count()).select_from(table)
    query = query.where(table.author_id == owner.id, is_visible(table, viewer))
    return database.scalar(query) or 0


@router.get("/profile")
def edit_profile(request: Request, member: MemberDep) -> Response:
    """The form with what a member says of themselves."""
    return render(request, "profile_form.html", about=member.about, problem=None)


@router.post("/profile")
def change_profile(
    request: Request,
    database: DatabaseDep,
    visitor: VisitorDep,
    member: MemberDep,
    fields: FieldsDep,
) -> Response:
    """Change what a member says of themselves."""
    about = fields.get_text("about")
    try:
        allow(database, visitor.who, "post")
        member.about = check_text(about, "about", 2000, needed=False)
    except StudioError as problem:
        database.rollback()
        return render(request, "profile_form.html", 422, about=about, problem=problem)
    return RedirectResponse(f"/members/{member.id}", 303)
