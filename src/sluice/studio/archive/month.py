"""The tune of the month: tunes are named and voted for, one is recorded, recordings are voted for.

A date is the last day of its phase, in UTC: a vote until the 10th is taken on the 10th.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Literal

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, joinedload

from sluice.studio.archive.tables import (
    ArchiveRecording,
    ArchiveTune,
    Member,
    Month,
    MonthEntry,
    Vote,
)
from sluice.studio.archive.upsert import insert_or_update
from sluice.studio.archive.visibility import PUBLIC, can_see
from sluice.studio.errors import NotFoundError, StudioError
from sluice.studio.languages import gettext as _

MAX_TUNES_OF_MEMBER = 3
MAX_ENTRIES = 100

Kind = Literal["tune", "recording"]


class MonthPhase(StrEnum):
    """What goes on in a month."""

    TUNE_VOTE = "tune-vote"
    RECORDING = "recording"
    RECORDING_VOTE = "recording-vote"
    OVER = "over"


@dataclass(frozen=True)
class Result:
    """How a vote stands or ended.

    Attributes:
        counts: every entry with its votes, most votes first; of equals the one named first.
        best: the entries with the most votes; several in a tie, none if nothing was named.
    """

    counts: tuple[tuple[MonthEntry, int], ...]
    best: tuple[MonthEntry, ...]

    @property
    def winner(self) -> MonthEntry | None:
        """The best entry; in a tie the one that was named first."""
        return self.best[0] if self.best else None

    @property
    def is_tie(self) -> bool:
        """Whether several have the most votes."""
        return len(self.best) > 1

    @property
    def most(self) -> int:
        """The votes of the best."""
        return self.counts[0][1] if self.counts else 0


_VOTES: dict[Kind, MonthPhase] = {
    "tune": MonthPhase.TUNE_VOTE,
    "recording": MonthPhase.RECORDING_VOTE,
}


def get_phase(month: Month, now: datetime) -> MonthPhase:
    """What goes on at a time."""
    today = now.astimezone(UTC).date()
    if today <= month.tune_vote_until:
        return MonthPhase.TUNE_VOTE
    if today <= month.recordings_until:
        return MonthPhase.RECORDING
    return MonthPhase.RECORDING_VOTE if today <= month.recording_vote_until else MonthPhase.OVER


def list_months(database: Session) -> list[Month]:
    """All months, the newest first."""
    query = select(Month).order_by(Month.recording_vote_until.desc(), Month.id.desc())
    return list(database.scalars(query))


def find_month(database: Session, number: int) -> Month:
    """One month with its entries.

    Raises:
        NotFoundError: there is none.
    """
    entries = joinedload(Month.entries)
    month = database.scalar(
        select(Month)
        .where(Month.id == number)
        .options(
            entries.joinedload(MonthEntry.tune),
            entries.joinedload(MonthEntry.recording).joinedload(ArchiveRecording.author),
        )
    )
    if month is None:
        raise NotFoundError(_("There is no such month."))
    return month


def check_dates(dates: Sequence[date], now: datetime, month: Month | None = None) -> None:
    """Refuse dates that are not in order, or change what is past.

    Args:
        dates: the last days of the three phases.
        now: the time.
        month: the one to change; a new one if None.

    Raises:
        StudioError: says of which field.
    """
    today = now.astimezone(UTC).date()
    fields = ("tune_vote_until", "recordings_until", "recording_vote_until")
    for field, day in zip(fields, dates, strict=True):
        old: date | None = None if month is None else getattr(month, field)
        if day != old and old is not None and old < today:
            raise StudioError(
                _("This date has passed ({date}) and cannot be changed.").format(date=old), field
            )
        if day != old and day < today:
            raise StudioError(_("This day is past; today is {date}.").format(date=today), field)
    for field, day, before in zip(fields[1:], dates[1:], dates, strict=False):
        if day <= before:
            raise StudioError(
                _("This must be later than the date before it, {date}.").format(date=before), field
            )


def nominate_tune(
    database: Session, month: Month, member: Member, tune: ArchiveTune, now: datetime
) -> None:
    """Name a tune; nothing changes if it is named already.

    Raises:
        StudioError: the vote is over, the tune is not public, or there are too many.
    """
    _require_phase(month, MonthPhase.TUNE_VOTE, now)
    if tune.visibility != PUBLIC:
        raise StudioError(_("Only a tune that everyone can see may be named."), "tune")
    own = sum(entry.author_id == member.id for entry in month.entries if entry.tune_id)
    if any(entry.tune_id == tune.id for entry in month.entries):
        return
    if own >= MAX_TUNES_OF_MEMBER:
        raise StudioError(
            _("You have named {count} tunes; leave some room for others.").format(count=own)
        )
    _add_entry(database, month, member, "tune", tune.id)


def enter_recording(
    database: Session, month: Month, member: Member, recording: ArchiveRecording, now: datetime
) -> None:
    """Enter a recording of the chosen tune; nothing changes if it is entered already.

    One that waits for a keeper may be entered; it is shown and counted once it is public.

    Raises:
        StudioError: not the time, or a recording of another tune.
    """
    _require_phase(month, MonthPhase.RECORDING, now)
    chosen = find_result(database, month, "tune").winner
    tunes = {tune.id for tune in recording.tunes}
    if chosen is None or chosen.tune_id not in tunes or not can_see(recording, member):
        raise StudioError(_("This is no recording of the tune of the month."), "recording")
    if not any(entry.recording_id == recording.id for entry in month.entries):
        _add_entry(database, month, member, "recording", recording.id)


def _add_entry(database: Session, month: Month, member: Member, kind: Kind, number: int) -> None:
    if sum(entry.recording_id is None for entry in month.entries) >= MAX_ENTRIES:
        raise StudioError(_("There is no room for more this month."))
    keys = {"month_id": month.id, f"{kind}_id": number}
    insert_or_update(database, MonthEntry, keys, {"author_id": member.id})
    database.expire(month, ["entries"])


def vote(database: Session, month: Month, member: Member, entry: MonthEntry, now: datetime) -> None:
    """Give one's vote to an entry, in place of an earlier one.

    Raises:
        StudioError: the vote is not open, or not for what this is.
    """
    kind = get_kind(entry)
    _require_phase(
        month, MonthPhase.TUNE_VOTE if kind == "tune" else MonthPhase.RECORDING_VOTE, now
    )
    if entry.month_id != month.id or not _is_counted(entry):
        raise StudioError(_("This cannot be voted for."), "entry")
    keys = {"month_id": month.id, "kind": kind, "member_id": member.id}
    insert_or_update(database, Vote, keys, {"entry_id": entry.id})


def withdraw_vote(
    database: Session, month: Month, member: Member, kind: Kind, now: datetime
) -> None:
    """Take one's vote back.

    Raises:
        StudioError: the vote is not open.
    """
    _require_phase(
        month, MonthPhase.TUNE_VOTE if kind == "tune" else MonthPhase.RECORDING_VOTE, now
    )
    database.execute(
        delete(Vote).where(
            Vote.month_id == month.id, Vote.kind == kind, Vote.member_id == member.id
        )
    )


def find_vote(database: Session, month: Month, member: Member | None, kind: Kind) -> int | None:
    """The number of the entry that has a member's vote."""
    if member is None:
        return None
    return database.scalar(
        select(Vote.entry_id).where(
            Vote.month_id == month.id, Vote.kind == kind, Vote.member_id == member.id
        )
    )


def find_result(database: Session, month: Month, kind: Kind) -> Result:
    """How the vote of one kind stands; what is not public is left out."""
    votes = (
        select(Vote.entry_id, func.count())
        .where(Vote.month_id == month.id, Vote.kind == kind)
        .group_by(Vote.entry_id)
    )
    counts = dict(database.execute(votes).all())
    entries = [each for each in month.entries if get_kind(each) == kind and _is_counted(each)]
    entries.sort(key=lambda entry: (-counts.get(entry.id, 0), entry.id))
    rows = tuple((entry, counts.get(entry.id, 0)) for entry in entries)
    best = tuple(entry for entry, count in rows if count == rows[0][1])
    return Result(rows, best)


def get_kind(entry: MonthEntry) -> Kind:
    """Whether an entry is a tune or a recording."""
    return "recording" if entry.recording_id is not None else "tune"


def _is_counted(entry: MonthEntry) -> bool:
    post = entry.recording if entry.recording_id is not None else entry.tune
    return post is not None and post.visibility == PUBLIC


def _require_phase(month: Month, phase: MonthPhase, now: datetime) -> None:
    if get_phase(month, now) is phase:
        return
    sentences = {
        MonthPhase.TUNE_VOTE: _("The vote for tunes ended on {date} (UTC).").format(
            date=month.tune_vote_until
        ),
        MonthPhase.RECORDING: _("Recordings are taken from the day after {first} to {last} (UTC).")
        .format(first=month.tune_vote_until, last=month.recordings_until),
        MonthPhase.RECORDING_VOTE: _(
            "The vote for recordings is from the day after {first} to {last} (UTC)."
        ).format(first=month.recordings_until, last=month.recording_vote_until),
    }  # fmt: skip
    raise StudioError(sentences[phase])
