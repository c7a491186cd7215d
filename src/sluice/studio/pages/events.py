"""Events: what is coming and past, each event's page, its form, and calendar files."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from sluice.studio.archive import events
from sluice.studio.archive.calendar_file import write_calendar
from sluice.studio.archive.comments import list_comments
from sluice.studio.archive.events import EventDetails
from sluice.studio.archive.recordings import list_recordings
from sluice.studio.archive.tables import ArchiveEvent, Media, Member
from sluice.studio.archive.tables.base import get_now
from sluice.studio.archive.tune_choice import find_tunes
from sluice.studio.archive.visibility import may_change
from sluice.studio.config import StudioConfig
from sluice.studio.errors import StudioError
from sluice.studio.pages.recordings import find_embed
from sluice.studio.pages.tune_choice import TuneChoice, choose_tunes
from sluice.studio.security.limits import allow, take_back_if_refused
from sluice.studio.security.text import check_line, check_text, render_markdown
from sluice.studio.security.uploads import store_upload
from sluice.studio.web.addresses import OptionalNumber
from sluice.studio.web.context import DatabaseDep, MemberDep, StudioDep, VisitorDep
from sluice.studio.web.dates import write_input_time
from sluice.studio.web.fields import FieldsDep, SentFields
from sluice.studio.web.rendering import render
from sluice.studio.web.unused_media import delete_unused_media

router = APIRouter()

_ON_PAGE = 30
_NAMES = ("title", "text", "place", "starts_at", "ends_at", "zone")


@router.get("/events")
def show_events(
    request: Request, database: DatabaseDep, visitor: VisitorDep, skip: OptionalNumber = 0
) -> Response:
    """What is coming, and what was, the latest first."""
    now, viewer = get_now(), visitor.member
    skip = skip or 0
    past = events.list_past(database, viewer, now, skip=skip, limit=_ON_PAGE + 1)
    return render(
        request, "events.html",
        coming=[] if skip else events.list_coming(database, viewer, now),
        past=past[:_ON_PAGE], skip=skip,
        older=skip + _ON_PAGE if len(past) > _ON_PAGE else None,
        calendar=_get_calendar_address(request.app.state.studio.config),
    )  # fmt: skip


def _get_calendar_address(config: StudioConfig) -> str:
    """Where programs subscribe to all events."""
    return f"{config.public_address}/events.ics"


@router.get("/events.ics")
def read_calendar(database: DatabaseDep, studio: StudioDep) -> Response:
    """All events that are coming, and the latest that are past, for calendar programs."""
    now = get_now()
    found = [*events.list_past(database, None, now, limit=100)]
    found += events.list_coming(database, None, now)
    return _answer_calendar(studio.config, found, "events.ics")


@router.get("/events/{number:number}.ics")
def read_calendar_of_event(
    number: int, database: DatabaseDep, studio: StudioDep, visitor: VisitorDep
) -> Response:
    """One event, for calendar programs."""
    event = events.find_event(database, number, visitor.member)
    return _answer_calendar(studio.config, [event], f"event-{number}.ics")


def _answer_calendar(config: StudioConfig, found: list[ArchiveEvent], name: str) -> Response:
    return Response(
        write_calendar(found, config.title, config.public_address),
        media_type="text/calendar",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


@router.get("/events/new")
def start_event(
    request: Request, database: DatabaseDep, member: MemberDep, tune: OptionalNumber = None
) -> Response:
    """An empty form, or one in which a tune is chosen already."""
    chosen = find_tunes(database, [tune] if tune is not None else [], member)
    return _show_form(request, {}, TuneChoice(chosen, []))


@router.post("/events/new")
def add_event(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    member: MemberDep,
    fields: FieldsDep,
) -> Response:
    """Announce an event."""
    choice = TuneChoice([], [])
    try:
        choice = choose_tunes(database, member, fields)
        if choice.words is not None:
            return _show_form(request, _read_values(fields), choice)
        allow(database, visitor.who, "post")
        details = _read_details(fields, choice)
        # First, since an event whose picture is refused shall not be announced.
        media = _store_image(database, studio.config, visitor.who, member, fields, ("post",))
        event = events.add_event(database, member, details)
        event.media = media
    except StudioError as problem:
        database.rollback()
        return _show_form(request, _read_values(fields), choice, problem=problem)
    return RedirectResponse(f"/events/{event.id}", 303)


@router.get("/events/{number:number}")
def show_event(
    request: Request, number: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """One event, with its recordings."""
    viewer = visitor.member
    event = events.find_event(database, number, viewer)
    return render(
        request, "event.html", event=event, text=render_markdown(event.text),
        recordings=list_recordings(database, viewer, event=event), find_embed=find_embed,
        comments=list_comments(database, "event", number, viewer),
        is_past=(event.ends_at or event.starts_at) < get_now(),
        can_change=may_change(event, viewer),
    )  # fmt: skip


@router.get("/events/{number:number}/edit")
def edit_event(request: Request, number: int, database: DatabaseDep, member: MemberDep) -> Response:
    """The form with what is said of an event."""
    event = events.find_own_event(database, number, member)
    values = {
        "title": event.title,
        "text": event.text,
        "place": event.place,
        "zone": event.zone,
        "starts_at": write_input_time(event.starts_at, event.zone),
        "ends_at": write_input_time(event.ends_at, event.zone),
    }
    return _show_form(request, values, TuneChoice(list(event.tunes), []), event)


@router.post("/events/{number:number}/edit")
def change_event(
    request: Request,
    number: int,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    member: MemberDep,
    fields: FieldsDep,
) -> Response:
    """Change what is said of an event, and its picture."""
    event = events.find_own_event(database, number, member)
    choice = TuneChoice([], [])
    try:
        choice = choose_tunes(database, member, fields)
        if choice.words is not None:
            return _show_form(request, _read_values(fields), choice, event)
        details, old = _read_details(fields, choice), event.media
        media = _store_image(database, studio.config, visitor.who, member, fields)
        events.change_event(event, details)
        if media is not None or fields.is_checked("without_image"):
            event.media = media
            delete_unused_media(database, studio.config.folder, old)
    except StudioError as problem:
        database.rollback()
        return _show_form(request, _read_values(fields), choice, event, problem)
    return RedirectResponse(f"/events/{number}", 303)


@router.post("/events/{number:number}/delete")
def delete_event(
    number: int, database: DatabaseDep, studio: StudioDep, member: MemberDep
) -> Response:
    """Delete an event; its recordings stay."""
    event = events.find_own_event(database, number, member)
    media = event.media
    database.delete(event)
    delete_unused_media(database, studio.config.folder, media)
    return RedirectResponse("/events", 303)


def _read_values(fields: SentFields) -> dict[str, str]:
    return {name: fields.get_text(name) for name in _NAMES}


def _read_details(fields: SentFields, choice: TuneChoice) -> EventDetails:
    title = check_line(fields.get_text("title"), "title")
    zone = events.get_zone(fields.get_text("zone").strip())
    starts_at = events.parse_local_time(fields.get_text("starts_at"), zone, "starts_at")
    end = fields.get_text("ends_at").strip()
    ends_at = events.parse_local_time(end, zone, "ends_at") if end else None
    events.check_times(starts_at, ends_at, get_now())
    return EventDetails(
        title=title,
        text=check_text(fields.get_text("text"), "text", needed=False),
        place=check_line(fields.get_text("place"), "place"),
        starts_at=starts_at,
        ends_at=ends_at,
        zone=zone.key,
        tunes=choice.chosen,
    )


def _store_image(
    database: Session,
    config: StudioConfig,
    who: str,
    member: Member,
    fields: SentFields,
    counted: tuple[str, ...] = (),
) -> Media | None:
    """The picture that was sent, if one was.

    Args:
        counted: what else was counted already, and is not where the picture is refused.
    """
    file = fields.get_file("image")
    if file is None:
        return None
    allow(database, who, "upload")
    name = file.filename or ""
    with take_back_if_refused(database, who, (*counted, "upload")):
        return store_upload(database, config.folder, file.file, name, "image", member, "image")


def _show_form(
    request: Request,
    values: Mapping[str, str],
    choice: TuneChoice,
    event: ArchiveEvent | None = None,
    problem: StudioError | None = None,
) -> Response:
    return render(
        request, "event_form.html", 422 if problem else 200, event=event, choice=choice,
        problem=problem, zones=events.list_zones(),
        values={**dict.fromkeys(_NAMES, ""), **values},
    )  # fmt: skip
