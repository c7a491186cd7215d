"""Tunes that are composed, for programs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Request, Response

from sluice.studio.api.answers import BASE, list_files
from sluice.studio.api.files import FILE_RESPONSES, Ending
from sluice.studio.api.routing import LIMITED, UNAVAILABLE, UNREADABLE, create_router
from sluice.studio.api.schemas import CompositionAnswer, CompositionRequest, ModelAnswer
from sluice.studio.archive.archiving import require_done
from sluice.studio.archive.tables import Composition
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.errors import StudioError
from sluice.studio.exports.sources import find_composition_source
from sluice.studio.languages import gettext as _
from sluice.studio.web.compositions import (
    answer_events,
    finish_composition,
    follow_composition,
    read_composition,
    start_compositions,
)
from sluice.studio.web.context import ModelsDep, StudioDep
from sluice.studio.web.files import answer_file

router = create_router("Compositions")
models = create_router("Models")

Code = Annotated[
    str, Path(pattern="^[a-z2-7]{10}$", description="Of the composition.", examples=["k3v7q2xw5e"])
]
Wait = Annotated[bool, Query(description="Whether to answer when it is done, within 8 seconds.")]
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `start`, `tokens`, `again`, `done` and `problem`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@models.get("/models")
async def list_models(found: ModelsDep) -> list[ModelAnswer]:
    """The models that compose here, with all that may be asked of them."""
    return [
        ModelAnswer(
            fingerprint=one.fingerprint, name=one.name, card=one.card, dances=list(one.dances),
            meters=list(one.meters), modes=list(one.modes), keys=list(one.keys),
            defaults=dict(one.defaults),
        )
        for one in found
    ]  # fmt: skip


@router.post("/compositions", status_code=201, responses=LIMITED | UNAVAILABLE | UNREADABLE)
async def create_composition(
    request: Request,
    response: Response,
    studio: StudioDep,
    wanted: CompositionRequest,
    wait: Wait = True,
) -> CompositionAnswer:
    """Compose a tune.

    Without `wait` it is written while somebody reads its stream, or asks for it with `wait`.
    """
    values = wanted.model_dump(exclude_none=True)
    source = values.pop("source", "")
    if source:
        found = await read_composition(studio, source)
        require_done(found)
        values["source"] = (found.result or {}).get("tune")
    if wanted.kind == "compose" and (source or wanted.bars):
        raise StudioError(
            _("A new tune has no source and no bars."), "source" if source else "bars"
        )
    options = ComposingOptions.parse(values)
    (started,) = await start_compositions(studio, request, [options], parent=source or None)
    response.headers["location"] = f"{BASE}/compositions/{started.code}"
    if wait:
        await finish_composition(studio, started.code)
        started = await read_composition(studio, started.code)
    return describe_composition(started)


@router.get("/compositions/{code}/stream", responses=_STREAM, response_class=Response)
async def stream_composition(
    studio: StudioDep,
    code: Code,
    after: Annotated[int, Query(ge=0, le=1_000_000, description="Only later events.")] = 0,
) -> Response:
    """The events of a tune as they happen; each has its number as `id`."""
    composition = await read_composition(studio, code)
    return answer_events(follow_composition(studio, composition, after))


@router.get("/compositions/{code}.{ending}", responses=FILE_RESPONSES, response_class=Response)
async def get_composition_file(
    request: Request, studio: StudioDep, code: Code, ending: Ending
) -> Response:
    """A composition as a file."""
    return await answer_file(
        request,
        studio,
        ending,
        lambda database, _: find_composition_source(database, code, studio.config.public_address),
    )


@router.get("/compositions/{code}", responses=UNAVAILABLE)
async def get_composition(studio: StudioDep, code: Code, wait: Wait = False) -> CompositionAnswer:
    """A composition, as far as it is."""
    if wait:
        await finish_composition(studio, code)
    return describe_composition(await read_composition(studio, code))


def describe_composition(row: Composition) -> CompositionAnswer:
    """A composition in the shape of the API."""
    is_done = row.state == "done"
    names = ("code", "state", "problem", "kind", "model", "title", "abc", "tokens", "parent")
    return CompositionAnswer.model_validate(
        {name: getattr(row, name) for name in names}
        | {
            "seed": str(row.seed),
            "options": row.options | {"seed": str(row.seed)},
            "created_at": row.created_at,
            "address": f"/c/{row.code}",
            "stream": f"{BASE}/compositions/{row.code}/stream",
            "files": list_files(f"/compositions/{row.code}") if is_done else {},
        }
    )
