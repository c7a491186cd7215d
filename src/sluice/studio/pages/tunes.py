"""The list of tunes, and search in it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from sluice.studio.archive.search import FoundTunes, TuneQuery, find_tunes
from sluice.studio.archive.tune_choices import list_choices
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.security.limits import allow_reading
from sluice.studio.web.context import DatabaseDep, StudioDep, VisitorDep
from sluice.studio.web.list_addresses import find_better_address, read_page, write_address
from sluice.studio.web.rendering import render

router = APIRouter()

_NAMES = (
    "q", "notes", "dance", "meter", "key", "mode", "origin", "recordings", "settings", "sort",
    "page",
)  # fmt: skip
_SORTS = ("newest", "title", "popular")
_ORIGINS = ("composed", "written")


@router.get("/tunes")
def show_tunes(
    request: Request, database: DatabaseDep, studio: StudioDep, visitor: VisitorDep
) -> Response:
    """The tunes that a search and filters leave, a page of them."""
    values = _read_values(request)
    better = find_better_address(request, values)
    if better is not None:
        return RedirectResponse(better, 303)
    page = read_page(values["page"])
    query = _make_query(values)
    found, problem = FoundTunes([], 0), None
    try:
        if query.words or query.notes:
            allow_reading(studio.database, visitor.who, "search")
        found = find_tunes(database, query, page)
    except StudioError as error:
        problem = error
    if problem is None and page > found.num_pages:
        return RedirectResponse(_write_page_address(values, found.num_pages), 303)
    return render(
        request, "tunes.html", 422 if problem else 200,
        values=values, found=found, problem=problem, page=page,
        choices=list_choices(database), names=_name_choices(),
        is_search=bool(query.words or query.notes),
        is_filtered=any(values[name] for name in _NAMES[:-2]),
        pages=_list_pages(values, page, found.num_pages),
    )  # fmt: skip


def _read_values(request: Request) -> dict[str, str]:
    """The parameters as they are understood; what is not known is empty."""
    sent = request.query_params
    values = {name: " ".join(sent.get(name, "").split()) for name in _NAMES}
    for name, known in (("origin", _ORIGINS), ("sort", _SORTS)):
        values[name] = values[name] if values[name] in known else ""
    for name in ("recordings", "settings"):
        values[name] = "1" if values[name] == "1" else ""
    if not values["q"] and not values["notes"] and values["sort"] == "newest":
        values["sort"] = ""  # it is the usual order
    page = read_page(values["page"])
    values["page"] = str(page) if page > 1 else ""
    return values


def _make_query(values: dict[str, str]) -> TuneQuery:
    sort: Any = values["sort"] or "best"
    return TuneQuery(
        words=values["q"],
        notes=values["notes"],
        dance=values["dance"],
        meter=values["meter"],
        mode=values["mode"],
        tonic=values["key"],
        origin=values["origin"],
        has_settings=bool(values["settings"]),
        has_recordings=bool(values["recordings"]),
        sort=sort,
    )


def _write_page_address(values: dict[str, str], page: int) -> str:
    return write_address("/tunes", values, page=page if page > 1 else None)


def _list_pages(values: dict[str, str], page: int, last: int) -> list[tuple[int, str]]:
    """Numbers and addresses of the pages to link to; a gap in the numbers is one of pages."""
    shown = {1, last, *range(max(1, page - 2), min(last, page + 2) + 1)}
    return [(number, _write_page_address(values, number)) for number in sorted(shown)]


def _name_choices() -> dict[str, dict[str, str]]:
    """What the choices are called in the visitor's language."""
    return {
        "mode": {
            "maj": _("major"), "min": _("minor"), "dor": _("dorian"), "mix": _("mixolydian"),
            "lyd": _("lydian"), "phr": _("phrygian"), "loc": _("locrian"),
        },
        "sort": {
            "": _("best fit"), "newest": _("newest"), "title": _("title"),
            "popular": _("popularity"),
        },
        "origin": {"composed": _("composed here"), "written": _("by a person")},
    }  # fmt: skip
