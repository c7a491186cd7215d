"""Answers to forms: the form again with what was wrong, or a sentence."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from sluice.studio.errors import ForbiddenError, StudioError
from sluice.studio.web.rendering import render


def render_form(
    request: Request, database: Session, template: str, problem: StudioError, **names: Any
) -> HTMLResponse:
    """The page with the form that was refused, as it was filled in; nothing is stored."""
    database.rollback()
    status = 403 if isinstance(problem, ForbiddenError) else 422
    return render(request, template, status, problem=problem, **names)


def render_message(request: Request, title: str, sentence: str) -> HTMLResponse:
    """A page that says one thing."""
    return render(request, "message.html", heading=title, sentence=sentence)
