"""A composition under its permalink: the wishes, the tune, and what is made of it."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import (
    JSONResponse,
    RedirectResponse,
)
from starlette.convertors import Convertor, register_url_convertor

from sluice.studio.archive.archiving import (
    ArchivedError,
    archive_composition,
    require_done,
)
from sluice.studio.archive.compositions import (
    find_composition,
    find_compositions,
    is_code,
    list_compositions,
    store_problem,
)
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.stored_tune import restore_tune
from sluice.studio.errors import ForbiddenError, StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.pages.compose import answer_started
from sluice.studio.pages.compose_form import draw_seed, read_bars, show_options
from sluice.studio.pages.compose_page import render_page
from sluice.studio.pages.compose_views import view_compositions
from sluice.studio.security.limits import allow
from sluice.studio.web.compositions import (
    answer_events,
    finish_composition,
    follow_composition,
    get_claim,
    read_composition,
    start_compositions,
)
from sluice.studio.web.context import (
    DatabaseDep,
    ModelsDep,
    QuickVisitorDep,
    StudioDep,
    VisitorDep,
)
from sluice.studio.web.fields import read_texts
from sluice.studio.web.problems import wants_json
from sluice.studio.web.rendering import render

MAX_BESIDE = 7

_PER_PAGE = 30


class CodeConvertor(Convertor[str]):
    """A code in the path of a route, so that nothing else matches."""

    regex = "[a-z2-7]{10}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("code", CodeConvertor())
router = APIRouter()
quick_router = APIRouter()


async def wait_for_tune(studio: StudioDep, code: str, wait: bool = False) -> None:
    """Finish a tune before its page is shown, for browsers without scripts."""
    if wait and is_code(code):
        await finish_composition(studio, code)


@router.get("/c/{code:code}", dependencies=[Depends(wait_for_tune)])
def show_composition(
    request: Request,
    code: str,
    database: DatabaseDep,
    visitor: VisitorDep,
    models: ModelsDep,
    beside: Annotated[str, Query(max_length=200)] = "",
    keep: str = "",
) -> Response:
    """The tune of a code, others beside it, and its wishes in the form."""
    first = find_composition(database, code)
    others = find_compositions(database, [one for one in beside.split(",") if is_code(one)])
    shown = [first, *(one for one in others[:MAX_BESIDE] if one.code != code)]
    values = show_options(first.options, keep_seed=keep == "seed")
    return render_page(request, database, visitor, models, values, compositions=shown)


@router.get("/c/{code:code}/card")
def show_card(request: Request, code: str, database: DatabaseDep, visitor: VisitorDep) -> Response:
    """The card of a tune alone, for a script that has a page already."""
    (view,) = view_compositions(database, [find_composition(database, code)], visitor)
    return render(request, "compose_card.html", view=view)


@router.post("/c/{code:code}/archive")
def archive(
    request: Request,
    code: str,
    database: DatabaseDep,
    visitor: VisitorDep,
    title: Annotated[str, Form(max_length=1000)] = "",
    author: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Make a tune of the archive from a composition of this visitor."""
    allow(database, visitor.who, "post")
    try:
        tune = archive_composition(
            database,
            find_composition(database, code, lock=True),
            title=title,
            author_name=author,
            member=visitor.member,
            claim_hash=visitor.claim_hash,
        )
    except ArchivedError as error:
        if wants_json(request):
            return JSONResponse(
                {"problem": error.sentence, "field": "", "address": error.address}, 409
            )
        return render(request, "compose_archived.html", 409, error=error)
    address = f"/tunes/{tune.id}"
    if wants_json(request):
        return JSONResponse({"address": address, "title": tune.title})
    return RedirectResponse(address, 303)


@router.get("/compositions")
def show_compositions(
    request: Request, database: DatabaseDep, visitor: VisitorDep, before: int | None = None
) -> Response:
    """What this visitor has composed, the last first."""
    found = list_compositions(database, get_claim(visitor), before, _PER_PAGE + 1)
    views = view_compositions(database, found[:_PER_PAGE], visitor, is_brief=True)
    has_more = len(found) > _PER_PAGE
    return render(
        request,
        "compositions.html",
        views=views,
        is_first=before is None,
        next_before=found[_PER_PAGE - 1].id if has_more else None,
    )


@quick_router.post("/c/{code:code}/edit")
async def edit(request: Request, code: str, studio: StudioDep) -> Response:
    """Vary, fill or continue a tune in some bars: a new composition."""
    form = await read_texts(request)
    source = await read_composition(studio, code)
    require_done(source)
    assert source.result is not None
    kind, bars = form.get("kind", ""), form.get("bars", "")
    numbers = read_bars(bars) if bars.strip() or kind != "vary" else []
    _check_bars(numbers, len(restore_tune(source.result["tune"]).score.bars))
    options = ComposingOptions.parse(
        {
            "kind": kind,
            "bars": numbers,
            "strength": form.get("strength", ""),
            "seed": form.get("seed") or draw_seed(),
            "temperature": source.options.get("temperature"),
            "model": "",
            "form": source.options.get("form", True),
            "chords": source.options.get("chords", False),
            "title": form.get("title") or source.title,
            "source": source.result["tune"],
        }
    )
    started = await start_compositions(studio, request, [options], parent=code)
    return await answer_started(request, studio, started, beside=[code])


def _check_bars(numbers: list[int], count: int) -> None:
    wrong = [number for number in numbers if number > count]
    if wrong:
        raise StudioError(
            _("This tune has {count} bars; got bar {number}.").format(count=count, number=wrong[0]),
            "bars",
        )


@quick_router.get("/c/{code:code}/stream")
async def stream(
    request: Request,
    code: str,
    studio: StudioDep,
    after: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """The events of a tune, from the one after `Last-Event-ID` or `after` on."""
    last = request.headers.get("last-event-id", "")
    if last.isascii() and last.isdigit() and len(last) < 10:
        after = int(last)
    composition = await read_composition(studio, code)
    return answer_events(follow_composition(studio, composition, after or 0))


@quick_router.delete("/c/{code:code}")
async def cancel(code: str, visitor: QuickVisitorDep, studio: StudioDep) -> Response:
    """Stop composing a tune that this visitor asked for; a finished one stays."""
    composition = await read_composition(studio, code)
    if not visitor.has_made(composition):
        raise ForbiddenError(_("Only whoever composes this tune can stop it."))
    if composition.state in ("waiting", "running"):
        await studio.composing.cancel(code)
        sentence = _("It was stopped before it was complete.")
        await studio.writes.run(partial(store_problem, code=code, sentence=sentence))
    return Response(status_code=204)
