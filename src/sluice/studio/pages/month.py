"""The tune of the month: its phases, votes and results, and what keepers set."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive import month as months
from sluice.studio.archive.activity import record_activity
from sluice.studio.archive.month import MonthPhase
from sluice.studio.archive.recordings import find_recording, list_recordings
from sluice.studio.archive.tables import ArchiveRecording, Member, Month, MonthEntry
from sluice.studio.archive.tables.base import get_now
from sluice.studio.archive.visibility import is_own
from sluice.studio.errors import NotFoundError, StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.pages.recordings import find_embed
from sluice.studio.pages.tune_choice import TuneChoice, choose_tunes
from sluice.studio.security.limits import allow
from sluice.studio.security.text import check_line, check_text, render_markdown
from sluice.studio.web.context import DatabaseDep, KeeperDep, MemberDep, VisitorDep
from sluice.studio.web.fields import FieldsDep, SentFields
from sluice.studio.web.rendering import render

router = APIRouter()

_DATES = ("tune_vote_until", "recordings_until", "recording_vote_until")


@router.get("/month")
def show_months(request: Request, database: DatabaseDep, visitor: VisitorDep) -> Response:
    """The months that go on, and those that are over with their results."""
    now = get_now()
    found = months.list_months(database)
    return render(
        request, "months.html",
        current=[month for month in found if months.get_phase(month, now) != MonthPhase.OVER],
        past=[
            (month, months.find_result(database, month, "tune"),
             months.find_result(database, month, "recording"))
            for month in found
            if months.get_phase(month, now) == MonthPhase.OVER
        ],
        get_phase=lambda month: months.get_phase(month, now),
    )  # fmt: skip


@router.get("/month/new")
def start_month(request: Request, keeper: KeeperDep) -> Response:
    """An empty form."""
    return _show_form(request, {})


@router.post("/month/new")
def open_month(
    request: Request, database: DatabaseDep, keeper: KeeperDep, fields: FieldsDep
) -> Response:
    """Open a tune of the month."""
    try:
        month = Month()
        _write_month(month, fields, None)
    except StudioError as problem:
        return _show_form(request, _read_values(fields), problem=problem)
    database.add(month)
    database.flush()
    record_activity(database, keeper, "month", month.id)
    return RedirectResponse(f"/month/{month.id}", 303)


@router.get("/month/{number:number}/edit")
def edit_month(request: Request, number: int, database: DatabaseDep, keeper: KeeperDep) -> Response:
    """The form with a month's dates."""
    month = months.find_month(database, number)
    values = {"name": month.name, "text": month.text}
    values |= {name: getattr(month, name).isoformat() for name in _DATES}
    return _show_form(request, values, month)


@router.post("/month/{number:number}/edit")
def change_month(
    request: Request, number: int, database: DatabaseDep, keeper: KeeperDep, fields: FieldsDep
) -> Response:
    """Change what is said of a month, and dates that have not passed."""
    month = months.find_month(database, number)
    try:
        _write_month(month, fields, month)
    except StudioError as problem:
        database.rollback()
        return _show_form(request, _read_values(fields), month, problem)
    return RedirectResponse(f"/month/{number}", 303)


@router.get("/month/{number:number}")
def show_month(
    request: Request, number: int, database: DatabaseDep, visitor: VisitorDep
) -> Response:
    """One month: what can be done now, and how its votes ended."""
    month = months.find_month(database, number)
    return _show_month(request, database, visitor.member, month, TuneChoice([], []))


@router.post("/month/{number:number}/tunes")
def name_tune(
    request: Request,
    number: int,
    database: DatabaseDep,
    visitor: VisitorDep,
    member: MemberDep,
    fields: FieldsDep,
) -> Response:
    """Name tunes for the vote, or search them."""
    month = months.find_month(database, number)
    choice = TuneChoice([], [])
    try:
        choice = choose_tunes(database, member, fields)
        if choice.words is not None:
            return _show_month(request, database, member, month, choice)
        if not choice.chosen:
            raise StudioError(_("Choose a tune first."), "tune")
        allow(database, visitor.who, "post")
        for tune in choice.chosen:
            months.nominate_tune(database, month, member, tune, get_now())
    except StudioError as problem:
        database.rollback()
        month = months.find_month(database, number)
        return _show_month(request, database, member, month, choice, problem)
    return RedirectResponse(f"/month/{number}#vote", 303)


@router.post("/month/{number:number}/recordings")
def enter_recording(
    number: int, database: DatabaseDep, visitor: VisitorDep, member: MemberDep, fields: FieldsDep
) -> Response:
    """Enter a recording of the chosen tune."""
    month = months.find_month(database, number)
    recording = find_recording(database, fields.get_number("recording") or 0, member)
    allow(database, visitor.who, "post")
    months.enter_recording(database, month, member, recording, get_now())
    return RedirectResponse(f"/month/{number}#recordings", 303)


@router.post("/month/{number:number}/vote")
def vote(number: int, database: DatabaseDep, member: MemberDep, fields: FieldsDep) -> Response:
    """Give one's vote, in place of an earlier one."""
    month = months.find_month(database, number)
    chosen = fields.get_number("entry")
    entry = next((each for each in month.entries if each.id == chosen), None)
    if entry is None:
        raise NotFoundError(_("Choose what you vote for."), "entry")
    months.vote(database, month, member, entry, get_now())
    return RedirectResponse(f"/month/{number}#vote", 303)


@router.post("/month/{number:number}/withdraw")
def withdraw_vote(
    number: int, database: DatabaseDep, member: MemberDep, fields: FieldsDep
) -> Response:
    """Take one's vote back."""
    month = months.find_month(database, number)
    kind: months.Kind = "recording" if fields.get_text("kind") == "recording" else "tune"
    months.withdraw_vote(database, month, member, kind, get_now())
    return RedirectResponse(f"/month/{number}#vote", 303)


def _show_month(
    request: Request,
    database: Session,
    viewer: Member | None,
    month: Month,
    choice: TuneChoice,
    problem: StudioError | None = None,
) -> Response:
    tunes = months.find_result(database, month, "tune")
    takes = months.find_result(database, month, "recording")
    phase = months.get_phase(month, get_now())
    chosen = tunes.winner.tune if tunes.winner else None
    entered = {entry.recording_id for entry in month.entries}
    can_enter: list[ArchiveRecording] = []
    if phase is MonthPhase.RECORDING and viewer is not None and chosen is not None:
        can_enter = [
            recording
            for recording in list_recordings(database, viewer, tune=chosen, limit=100)
            if recording.id not in entered
        ]
    return render(
        request, "month.html", 422 if problem else 200, month=month, phase=phase,
        text=render_markdown(month.text), tunes=tunes, takes=takes, chosen=chosen,
        can_enter=can_enter, waiting=_list_own_waiting(database, month, viewer),
        own_tune_vote=months.find_vote(database, month, viewer, "tune"),
        own_recording_vote=months.find_vote(database, month, viewer, "recording"),
        choice=choice, problem=problem, find_embed=find_embed, today=get_now().date(),
    )  # fmt: skip


def _list_own_waiting(
    database: Session, month: Month, viewer: Member | None
) -> list[ArchiveRecording]:
    """Recordings that a member entered and that no keeper has looked at."""
    query = select(ArchiveRecording).join(
        MonthEntry, MonthEntry.recording_id == ArchiveRecording.id
    )
    query = query.where(MonthEntry.month_id == month.id, ArchiveRecording.visibility == "waiting")
    return [each for each in database.scalars(query) if is_own(each, viewer)]


def _read_values(fields: SentFields) -> dict[str, str]:
    return {name: fields.get_text(name) for name in ("name", "text", *_DATES)}


def _write_month(month: Month, fields: SentFields, old: Month | None) -> None:
    name = check_line(fields.get_text("name"), "name", 80)
    text = check_text(fields.get_text("text"), "text", needed=False)
    days: list[date] = []
    for field in _DATES:
        day = fields.get_day(field)
        if day is None:
            raise StudioError(_("Write a date, such as 2026-03-29."), field)
        days.append(day)
    months.check_dates(days, get_now(), old)
    month.name, month.text = name, text
    month.tune_vote_until, month.recordings_until, month.recording_vote_until = days


def _show_form(
    request: Request,
    values: Mapping[str, str],
    month: Month | None = None,
    problem: StudioError | None = None,
) -> Response:
    return render(
        request, "month_form.html", 422 if problem else 200, month=month, problem=problem,
        today=get_now().date(), values={**dict.fromkeys(("name", "text", *_DATES), ""), **values},
    )  # fmt: skip
