"""The first page: wishes are typed, and a tune is composed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from sluice.studio.archive.tables import Composition
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.errors import LimitError, StudioError
from sluice.studio.pages.compose_form import draw_seed, read_options, read_values
from sluice.studio.pages.compose_page import render_page
from sluice.studio.web.compositions import (
    answer_events,
    finish_composition,
    follow_composition,
    read_composition,
    start_compositions,
    wants_events,
)
from sluice.studio.web.context import (
    DatabaseDep,
    ModelsDep,
    Studio,
    StudioDep,
    VisitorDep,
    get_visitor,
)
from sluice.studio.web.fields import read_texts
from sluice.studio.web.problems import wants_json

router = APIRouter()
quick_router = APIRouter()
"""Routes that open no session of the database for the request as a whole."""


@router.get("/")
def show_compose(
    request: Request, database: DatabaseDep, visitor: VisitorDep, models: ModelsDep
) -> Response:
    """The form, as the address fills it in; a script composes at once where it says nothing."""
    values = read_values(request.query_params)
    is_plain = bool(models) and not request.query_params
    return render_page(request, database, visitor, models, values, composes_at_once=is_plain)


@quick_router.post("/compose")
async def compose(request: Request, studio: StudioDep) -> Response:
    """Rows for the tunes that a form asks for, or for one like another with a new seed."""
    form = await read_texts(request)
    try:
        if form.get("again"):
            options = [await _read_again(studio, form["again"])]
        else:
            options = read_options(read_values(form), form.get("previous_seed", ""))
        started = await start_compositions(studio, request, options)
    except StudioError as error:
        return await _refuse(request, studio, form, error)
    return await answer_started(request, studio, started)


@quick_router.get("/compose/models")
async def count_models(models: ModelsDep) -> Response:
    """How many models compose at this moment."""
    return JSONResponse({"count": len(models)}, headers={"cache-control": "no-store"})


@quick_router.post("/compose/check")
async def check(request: Request, studio: StudioDep) -> Response:
    """Whether the wishes of a form are understood, while it is typed."""
    form = await read_texts(request)
    await studio.checks.find_model(read_options(read_values(form))[0])
    return JSONResponse({})


async def answer_started(
    request: Request, studio: Studio, started: Sequence[Composition], beside: Sequence[str] = ()
) -> Response:
    """What a script asks for, the codes or with them the first tune's events; else the page of the
    tunes, which are finished before.

    Args:
        beside: the codes of tunes that stay on the page.
    """
    codes = [one.code for one in started]
    address = f"/c/{codes[0]}"
    if others := [*codes[1:], *beside]:
        address += f"?beside={','.join(others)}"
    data = {"codes": codes, "seed": str(started[0].seed), "address": address}
    if wants_events(request):
        beginning = f"event: codes\ndata: {json.dumps(data)}\n\n".encode()
        return answer_events(follow_composition(studio, started[0]), beginning)
    if wants_json(request):
        return JSONResponse(data)
    await asyncio.gather(*(finish_composition(studio, code) for code in codes))
    return RedirectResponse(address, 303)


async def _read_again(studio: Studio, code: str) -> ComposingOptions:
    composition = await read_composition(studio, code)
    return ComposingOptions.parse({**composition.options, "seed": draw_seed(), "model": ""})


async def _refuse(
    request: Request, studio: Studio, form: dict[str, str], error: StudioError
) -> Response:
    if wants_json(request):
        raise error
    models = await studio.list_models()

    def show() -> Response:
        with studio.database.open_session() as session:
            visitor = get_visitor(request, session, studio)
            problems = {error.field: error.sentence}
            answer = render_page(
                request, session, visitor, models, read_values(form), problems=problems
            )
        if isinstance(error, LimitError):
            answer.status_code = 429
            answer.headers["retry-after"] = str(error.seconds)
        return answer

    return await run_in_threadpool(show)
