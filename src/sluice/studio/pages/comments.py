"""Comments: added below what they are about, changed on a page of their own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from sluice.studio.archive import comments as archive
from sluice.studio.archive.subjects import NamedSubject
from sluice.studio.archive.tables import Comment, Member
from sluice.studio.errors import StudioError
from sluice.studio.security.limits import allow
from sluice.studio.security.text import check_text
from sluice.studio.web.context import DatabaseDep, MemberDep, VisitorDep
from sluice.studio.web.rendering import render

router = APIRouter()

_MAX_COMMENT = 5000
Text = Annotated[str, Form()]


@router.post("/comments")
def post_comment(
    request: Request,
    database: DatabaseDep,
    visitor: VisitorDep,
    member: MemberDep,
    subject: Text = "",
    subject_id: Annotated[int, Form()] = 0,
    text: Text = "",
) -> Response:
    """Add a comment; one that is refused is shown again, with its text."""
    about = archive.find_subject(database, subject, subject_id, member, visitor.claim_hash)
    try:
        checked = check_text(text, "text", _MAX_COMMENT)
        allow(database, visitor.who, "post")
        comment = archive.add_comment(database, subject, subject_id, member, checked)
    except StudioError as problem:
        database.rollback()
        return render(
            request, "comment_form.html", 422, about=about, comment=None, text=text,
            subject=subject, subject_id=subject_id, problem=problem,
        )  # fmt: skip
    return RedirectResponse(f"{about.address}#comment-{comment.id}", 303)


@router.get("/comments/{comment_id:number}/edit")
def edit_comment(
    request: Request, comment_id: int, database: DatabaseDep, member: MemberDep
) -> Response:
    """One's own comment, to be changed or deleted."""
    comment = archive.get_comment(database, comment_id, member)
    about = _find_subject(database, comment, member)
    return _render_form(request, comment, about, comment.text)


@router.post("/comments/{comment_id:number}/edit")
def post_comment_change(
    request: Request, comment_id: int, database: DatabaseDep, member: MemberDep, text: Text = ""
) -> Response:
    """Change a comment."""
    comment = archive.get_comment(database, comment_id, member)
    about = _find_subject(database, comment, member)
    try:
        archive.change_comment(database, comment, check_text(text, "text", _MAX_COMMENT))
    except StudioError as problem:
        database.rollback()
        return _render_form(request, comment, about, text, problem)
    return RedirectResponse(f"{about.address}#comment-{comment.id}", 303)


@router.post("/comments/{comment_id:number}/delete")
def post_comment_deletion(comment_id: int, database: DatabaseDep, member: MemberDep) -> Response:
    """Delete a comment."""
    comment = archive.get_comment(database, comment_id, member)
    about = _find_subject(database, comment, member)
    archive.delete_comment(database, comment)
    return RedirectResponse(f"{about.address}#comments", 303)


def _find_subject(database: Session, comment: Comment, member: Member) -> NamedSubject:
    return archive.find_subject(database, comment.subject, comment.subject_id, member)


def _render_form(
    request: Request,
    comment: Comment,
    about: NamedSubject,
    text: str,
    problem: StudioError | None = None,
) -> Response:
    return render(
        request, "comment_form.html", 422 if problem else 200, about=about, comment=comment,
        text=text, subject=comment.subject, subject_id=comment.subject_id, problem=problem,
    )  # fmt: skip
