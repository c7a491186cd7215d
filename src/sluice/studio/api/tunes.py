"""Tunes and settings, for programs."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Path, Query, Request, Response

from sluice.studio.api.answers import describe_setting, describe_tune, summarise_tune
from sluice.studio.api.files import FILE_RESPONSES, Ending
from sluice.studio.api.routing import LIMITED, create_router
from sluice.studio.api.schemas import Number, SettingAnswer, ShortText, TuneAnswer, TunePage
from sluice.studio.archive.search import TuneQuery, find_tunes
from sluice.studio.archive.settings import get_setting, list_settings
from sluice.studio.archive.tunes import get_tune
from sluice.studio.exports.sources import find_setting_source, find_tune_source
from sluice.studio.security.limits import allow_reading
from sluice.studio.web.context import DatabaseDep, StudioDep, VisitorDep
from sluice.studio.web.files import answer_file

router = create_router("Tunes")

TuneNumber = Annotated[Number, Path(description="The number of the tune.", examples=[7])]
SettingNumber = Annotated[Number, Path(description="From 1 within the tune.", examples=[1])]


@router.get("/tunes", responses=LIMITED)
def list_tunes(
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    q: Annotated[ShortText, Query(description="Words of title, author, notes or dance.")] = "",
    notes: Annotated[
        ShortText,
        Query(description="Notes in any key, as letters or scale steps.", examples=["GABc"]),
    ] = "",
    dance: Annotated[ShortText, Query(examples=["jig"])] = "",
    meter: Annotated[ShortText, Query(examples=["6/8"])] = "",
    mode: Annotated[ShortText, Query(examples=["dor"])] = "",
    tonic: Annotated[ShortText, Query(examples=["D"])] = "",
    origin: Literal["", "composed", "written"] = "",
    has_settings: bool = False,
    has_recordings: bool = False,
    sort: Literal["best", "newest", "title", "popular"] = "best",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> TunePage:
    """Find tunes by words, by notes in any key and by what they are; without any, all."""
    query = TuneQuery(
        words=q, notes=notes, dance=dance, meter=meter, mode=mode, tonic=tonic, origin=origin,
        has_settings=has_settings, has_recordings=has_recordings, sort=sort,
    )  # fmt: skip
    if q or notes:
        allow_reading(studio.database, visitor.who, "api")
    found = find_tunes(database, query, page)
    given = {
        "q": q, "notes": notes, "dance": dance, "meter": meter, "mode": mode, "tonic": tonic,
        "origin": origin, "has_settings": "true" if has_settings else "",
        "has_recordings": "true" if has_recordings else "", "sort": sort, "page": str(page + 1),
    }  # fmt: skip
    following = urlencode({name: value for name, value in given.items() if value})
    return TunePage(
        count=found.count,
        is_cut=found.is_cut,
        page=page,
        num_pages=found.num_pages,
        next=f"/api/v1/tunes?{following}" if page < found.num_pages else None,
        tunes=[summarise_tune(one.tune) for one in found.tunes],
    )


@router.get("/tunes/{tune}.{ending}", responses=FILE_RESPONSES, response_class=Response)
async def get_tune_file(
    request: Request, studio: StudioDep, tune: TuneNumber, ending: Ending
) -> Response:
    """A tune as a file."""
    return await answer_file(
        request, studio, ending,
        lambda database, _: find_tune_source(
            database, str(tune), None, "", studio.config.public_address
        ),
    )  # fmt: skip


@router.get("/tunes/{tune}")
def read_tune(database: DatabaseDep, tune: TuneNumber) -> TuneAnswer:
    """A tune with its settings and notes."""
    return describe_tune(get_tune(database, tune))


@router.get("/tunes/{tune}/settings")
def list_tune_settings(database: DatabaseDep, tune: TuneNumber) -> list[SettingAnswer]:
    """The settings of a tune, by number."""
    found = get_tune(database, tune)
    return [describe_setting(setting) for setting in list_settings(database, found, None)]


@router.get(
    "/tunes/{tune}/settings/{setting}.{ending}", responses=FILE_RESPONSES, response_class=Response
)
async def get_setting_file(
    request: Request, studio: StudioDep, tune: TuneNumber, setting: SettingNumber, ending: Ending
) -> Response:
    """A setting as a file."""
    return await answer_file(
        request, studio, ending,
        lambda database, _: find_setting_source(
            database, str(tune), str(setting), None, "", studio.config.public_address
        ),
    )  # fmt: skip


@router.get("/tunes/{tune}/settings/{setting}")
def read_setting(database: DatabaseDep, tune: TuneNumber, setting: SettingNumber) -> SettingAnswer:
    """A setting of a tune."""
    return describe_setting(get_setting(database, get_tune(database, tune), setting, None))
