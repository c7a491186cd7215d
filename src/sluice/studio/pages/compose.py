"""The first page: a tune is composed."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sluice.studio.web.context import VisitorDep
from sluice.studio.web.rendering import render

router = APIRouter()


@router.get("/")
def show_compose(request: Request, visitor: VisitorDep) -> Response:
    """The first page."""
    return render(request, "compose.html")
