"""Recordings: their list, their pages, and how they are added and changed."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive import recordings
from sluice.studio.archive.comments import list_comments
from sluice.studio.archive.recordings import RecordingDetails
from sluice.studio.archive.tables import ArchiveEvent, ArchiveRecording, Member
from sluice.studio.archive.tables.base import get_now
from sluice.studio.archive.tune_choice import find_tunes
from sluice.studio.archive.visibility import is_visible, may_change
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.pages.tune_choice import TuneChoice, choose_tunes
from sluice.studio.security.embeds import Embed, parse_embed
from sluice.studio.security.limits import allow, take_back_if_refused
from sluice.studio.security.text import check_line, check_text, render_markdown
from sluice.studio.security.uploads import store_upload
from sluice.studio.web.addresses import OptionalNumber
from sluice.studio.web.context import DatabaseDep, MemberDep, StudioDep, VisitorDep
from sluice.studio.web.fields import FieldsDep, SentFields
from sluice.studio.web.rendering import render
from sluice.studio.web.unused_media import delete_unused_media

router = APIRouter()

_ON_PAGE = 30
_EVENTS_TO_CHOOSE = 100
_NAMES = ("title", "text", "recorded_on", "event", "link")


def find_embed(recording: ArchiveRecording) -> Embed | None:
    """Where a recording is that is no upload."""
    return Embed(recording.host, recording.host_id) if recording.kind == "link" else None


@router.get("/recordings")
def show_recordings(
    request: Request, database: DatabaseDep, visitor: VisitorDep, before: OptionalNumber = None
) -> Response:
    """All recordings, the newest first."""
    found = recordings.list_recordings(database, visitor.member, before=before, limit=_ON_PAGE + 1)
    return render(
        request, "recordings.html", recordings=found[:_ON_PAGE], find_embed=find_embed,
        older=found[_ON_PAGE - 1].id if len(found) > _ON_PAGE else None, is_first=before is None,
    )  # fmt: skip


@router.get("/recordings/new")
def start_recording(
    request: Request,
    database: DatabaseDep,
    member: MemberDep,
    tune: OptionalNumber = None,
    event: OptionalNumber = None,
) -> Response:
    """An empty form, or one in which a tune or an event is chosen already."""
    chosen = find_tunes(database, [tune] if tune is not None else [], member)
    values = {"event": event or ""}
    return _show_form(request, database, member, values, TuneChoice(chosen, []))


@router.post("/recordings/new")
def add_recording(
    request: Request,
    database: DatabaseDep,
    studio: StudioDep,
    visitor: VisitorDep,
    member: MemberDep,
    fields: FieldsDep,
) -> Response:
    """Add a recording: a link or an upload."""
    choice = TuneChoice([], [])
    try:
        choice = choose_tunes(database, member, fields)
        if choice.words is not None:
            return _show_form(request, database, member, _read_values(fields), choice)
        allow(database, visitor.who, "post")
        details = _read_details(database, member, fields, choice)
        link, file = fields.get_text("link").strip(), fields.get_file("file")
        if link and file is not None:
            raise StudioError(_("Give a link or a file, not both."), "link")
        if file is not None:
            allow(database, visitor.who, "upload")
            with take_back_if_refused(database, visitor.who, ("post", "upload")):
                media = store_upload(
                    database, studio.config.folder, file.file, file.filename or "", "sound", member
                )
                recording = recordings.add_recording(database, member, details, media=media)
        elif link:
            embed = parse_embed(link, "link")
            recording = recordings.add_recording(
                database, member, details, host=embed.host, host_id=embed.host_id
            )
        else:
            raise StudioError(_("Give a link, or choose a file."), "link")
    except StudioError as problem:
        database.rollback()
        values = _read_values(fields)
        return _show_form(request, database, member, values, choice, problem=problem)
    return RedirectResponse(f"/recordings/{recording.id}", 303)


@router.get("/recordings/{number:number}")
def show_recording(
    request: Request, number: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """One recording."""
    recording = recordings.find_recording(database, number, visitor.member)
    return render(
        request, "recording.html", recording=recording, embed=find_embed(recording),
        text=render_markdown(recording.text),
        comments=list_comments(database, "recording", number, visitor.member),
        can_change=may_change(recording, visitor.member),
    )  # fmt: skip


@router.get("/recordings/{number:number}/edit")
def edit_recording(
    request: Request, number: int, database: DatabaseDep, member: MemberDep
) -> Response:
    """The form with what is said of a recording."""
    recording = recordings.find_own_recording(database, number, member)
    values = {
        "title": recording.title,
        "text": recording.text,
        "recorded_on": recording.recorded_on or "",
        "event": recording.event_id or "",
    }
    choice = TuneChoice(list(recording.tunes), [])
    return _show_form(request, database, member, values, choice, recording)


@router.post("/recordings/{number:number}/edit")
def change_recording(
    request: Request, number: int, database: DatabaseDep, member: MemberDep, fields: FieldsDep
) -> Response:
    """Change what is said of a recording."""
    recording = recordings.find_own_recording(database, number, member)
    choice = TuneChoice([], [])
    try:
        choice = choose_tunes(database, member, fields)
        values = _read_values(fields)
        if choice.words is not None:
            return _show_form(request, database, member, values, choice, recording)
        details = _read_details(database, member, fields, choice)
        recordings.change_recording(database, recording, details)
    except StudioError as problem:
        database.rollback()
        values = _read_values(fields)
        return _show_form(request, database, member, values, choice, recording, problem)
    return RedirectResponse(f"/recordings/{number}", 303)


@router.post("/recordings/{number:number}/delete")
def delete_recording(
    number: int, database: DatabaseDep, studio: StudioDep, member: MemberDep
) -> Response:
    """Delete a recording, and its file."""
    recording = recordings.find_own_recording(database, number, member)
    media = recording.media
    recordings.delete_recording(database, recording)
    delete_unused_media(database, studio.config.folder, media)
    return RedirectResponse("/recordings", 303)


def _read_values(fields: SentFields) -> dict[str, object]:
    return {name: fields.get_text(name) for name in _NAMES}


def _read_details(
    database: Session, member: Member, fields: SentFields, choice: TuneChoice
) -> RecordingDetails:
    title = check_line(fields.get_text("title"), "title")
    text = check_text(fields.get_text("text"), "text", needed=False)
    day = fields.get_day("recorded_on")
    if day is not None and not (day.year >= 1860 and day <= get_now().date()):
        raise StudioError(_("No recording can be of this day."), "recorded_on")
    number = fields.get_number("event")
    event = None
    if number is not None:
        event = database.scalar(
            select(ArchiveEvent).where(ArchiveEvent.id == number, is_visible(ArchiveEvent, member))
        )
        if event is None:
            raise StudioError(_("There is no such event."), "event")
    if not choice.chosen:
        raise StudioError(_("Choose the tune or tunes that are played."), "tune")
    return RecordingDetails(title, text, day, event, choice.chosen)


def _show_form(
    request: Request,
    database: Session,
    member: Member,
    values: Mapping[str, object],
    choice: TuneChoice,
    recording: ArchiveRecording | None = None,
    problem: StudioError | None = None,
) -> Response:
    events = database.scalars(
        select(ArchiveEvent)
        .where(is_visible(ArchiveEvent, member))
        .order_by(ArchiveEvent.starts_at.desc())
        .limit(_EVENTS_TO_CHOOSE)
    ).all()
    status = 422 if problem else 200
    return render(
        request, "recording_form.html", status, recording=recording, events=events,
        choice=choice, problem=problem, values={**dict.fromkeys(_NAMES, ""), **values},
    )  # fmt: skip
