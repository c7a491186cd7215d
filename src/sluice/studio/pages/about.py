"""What this site is, and how it is used."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from sluice.studio.archive.tables import Model
from sluice.studio.web.cards import render_card
from sluice.studio.web.context import DatabaseDep, VisitorDep
from sluice.studio.web.rendering import render

router = APIRouter()


@router.get("/about")
def show_about(request: Request, database: DatabaseDep, visitor: VisitorDep) -> Response:
    """What this is, whom it follows, its models and its licence."""
    models = database.scalars(select(Model).where(Model.is_active).order_by(Model.id)).all()
    return render(request, "about.html", models=models, render_card=render_card)


@router.get("/help")
def show_help(request: Request, visitor: VisitorDep) -> Response:
    """How to compose, write ABC, play, read the glass box, and what the keepers ask for."""
    return render(request, "help.html")
