"""The page on The Glas Herry Comment 14128."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sluice.studio.web.context import VisitorDep
from sluice.studio.web.rendering import render

router = APIRouter()


@router.get("/glas-herry")
def show_glas_herry(request: Request, visitor: VisitorDep) -> Response:
    """The page."""
    return render(request, "glas_herry.html")
