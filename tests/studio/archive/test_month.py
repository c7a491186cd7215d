"""The tune of the month: phases at their edges, votes, ties."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlalchemy.orm import Session

from sluice.studio.archive import month as months
from sluice.studio.archive.database import Database
from sluice.studio.archive.month import MonthPhase
from sluice.studio.archive.tables import (
    ArchiveRecording,
    ArchiveTune,
    Member,
    Month,
    MonthEntry,
    Vote,
)
from sluice.studio.errors import StudioError

TUNES = datetime(2026, 3, 5, 12, tzinfo=UTC)
RECORDINGS = datetime(2026, 3, 15, 12, tzinfo=UTC)
VOTE = datetime(2026, 3, 25, 12, tzinfo=UTC)


def make_month() -> Month:
    return Month(
        name="March", tune_vote_until=date(2026, 3, 10), recordings_until=date(2026, 3, 20),
        recording_vote_until=date(2026, 3, 31),
    )  # fmt: skip


def fill(session: Session, num_members: int) -> tuple[Month, list[Member], list[ArchiveTune]]:
    month = make_month()
    members = [
        Member(email=f"{name}@example.org", name=name, password="")
        for name in "ABCDEFGH"[:num_members]
    ]
    tunes = [ArchiveTune(title=title, abc="x") for title in ("One", "Two", "Three")]
    session.add_all([month, *members, *tunes])
    session.flush()
    for member, tune in zip(members, tunes, strict=False):
        months.nominate_tune(session, month, member, tune, TUNES)
    return month, members, tunes


@pytest.mark.parametrize(
    ("now", "phase"),
    [
        ("2026-03-10T23:59:59+00:00", MonthPhase.TUNE_VOTE),
        ("2026-03-11T00:00:00+00:00", MonthPhase.RECORDING),
        ("2026-03-11T01:00:00+02:00", MonthPhase.TUNE_VOTE),  # still the 10th in UTC
        ("2026-03-10T20:00:00-05:00", MonthPhase.RECORDING),  # already the 11th in UTC
        ("2026-03-20T23:59:59+00:00", MonthPhase.RECORDING),
        ("2026-03-21T00:00:00+00:00", MonthPhase.RECORDING_VOTE),
        ("2026-03-31T23:59:59+00:00", MonthPhase.RECORDING_VOTE),
        ("2026-04-01T00:00:00+00:00", MonthPhase.OVER),
    ],
)
def test_phases_end_with_the_day_in_utc(now: str, phase: MonthPhase) -> None:
    assert months.get_phase(make_month(), datetime.fromisoformat(now)) is phase


def test_a_vote_can_be_changed_until_the_last_second(any_database: Database) -> None:
    last = datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC)
    with any_database.open_session(write=True) as session:
        month, (ann, ben, cleo), _ = fill(session, 3)
        first, second, third = month.entries
        for member, entry in [(ann, first), (ben, second), (cleo, second)]:
            months.vote(session, month, member, entry, TUNES)
        assert months.find_result(session, month, "tune").winner is second
        months.vote(session, month, cleo, third, last)
        months.vote(session, month, ben, third, last)
        assert months.find_vote(session, month, ben, "tune") == third.id
        months.withdraw_vote(session, month, ann, "tune", last)
        assert months.find_vote(session, month, ann, "tune") is None
        for change in (
            lambda: months.vote(session, month, ben, first, last + timedelta(seconds=1)),
            lambda: months.withdraw_vote(session, month, ben, "tune", last + timedelta(seconds=1)),
        ):
            with pytest.raises(StudioError, match="2026-03-10"):
                change()
        result = months.find_result(session, month, "tune")
        assert [(entry.tune.title, count) for entry, count in result.counts] == [
            ("Three", 2), ("One", 0), ("Two", 0),
        ]  # fmt: skip
        assert session.query(Vote).count() == 2


def test_in_a_tie_the_tune_named_first_is_recorded(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        month, (ann, ben, cleo), _ = fill(session, 3)
        months.vote(session, month, ann, month.entries[2], TUNES)
        months.vote(session, month, ben, month.entries[1], TUNES)
        result = months.find_result(session, month, "tune")
        assert result.is_tie and result.most == 1
        assert [entry.tune.title for entry in result.best] == ["Two", "Three"]
        assert result.winner is month.entries[1]
        months.vote(session, month, cleo, month.entries[2], TUNES)
        result = months.find_result(session, month, "tune")
        assert not result.is_tie and result.winner is month.entries[2]


def test_a_month_without_tunes_has_no_result(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        month, _, _ = fill(session, 0)
        result = months.find_result(session, month, "tune")
        assert (result.winner, result.is_tie, result.most) == (None, False, 0)


def test_only_recordings_of_the_chosen_tune_are_taken_in_their_time(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        month, (ann, ben), (one, two, _) = fill(session, 2)
        months.vote(session, month, ann, month.entries[1], TUNES)
        right = ArchiveRecording(title="R", kind="link", tunes=[one, two], author=ann)
        waits = ArchiveRecording(
            title="W", kind="link", tunes=[two], author=ben, visibility="waiting"
        )
        wrong = ArchiveRecording(title="X", kind="link", tunes=[one])
        session.add_all([right, waits, wrong])
        session.flush()
        for now in (TUNES, VOTE):
            with pytest.raises(StudioError, match="2026-03-20"):
                months.enter_recording(session, month, ann, right, now)
        for member, recording in [(ann, wrong), (ann, waits)]:
            with pytest.raises(StudioError, match="no recording of the tune"):
                months.enter_recording(session, month, member, recording, RECORDINGS)
        months.enter_recording(session, month, ann, right, RECORDINGS)
        months.enter_recording(session, month, ben, right, RECORDINGS)
        months.enter_recording(session, month, ben, waits, RECORDINGS)
        entries = [entry for entry in month.entries if entry.recording_id]
        assert [entry.recording.title for entry in entries] == ["R", "W"]
        with pytest.raises(StudioError, match="cannot be voted"):
            months.vote(session, month, ann, entries[1], VOTE)
        waits.visibility = "public"
        months.vote(session, month, ann, entries[1], VOTE)
        with pytest.raises(StudioError, match="2026-03-31"):
            months.vote(session, month, ben, entries[0], VOTE + timedelta(days=7))
        assert months.find_result(session, month, "recording").winner is entries[1]
        # The vote for tunes is another one.
        assert months.find_vote(session, month, ann, "tune") == month.entries[1].id


def test_what_is_hidden_does_not_count(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        month, (ann, ben), tunes = fill(session, 2)
        months.vote(session, month, ann, month.entries[1], TUNES)
        tunes[1].visibility = "hidden"
        assert months.find_result(session, month, "tune").winner is month.entries[0]
        with pytest.raises(StudioError, match="everyone"):
            months.nominate_tune(session, month, ben, tunes[1], TUNES)


def test_votes_stay_when_a_member_leaves(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        month, (ann, ben), _ = fill(session, 2)
        months.vote(session, month, ann, month.entries[1], TUNES)
        months.vote(session, month, ben, month.entries[1], TUNES)
        session.delete(ann)
        session.delete(ben)
        session.flush()
        assert months.find_result(session, month, "tune").most == 2


def test_a_member_names_three_tunes_at_most(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        month, (ann, ben), tunes = fill(session, 2)
        months.nominate_tune(session, month, ann, tunes[0], TUNES)  # is there already
        more = [ArchiveTune(title=str(number), abc="x") for number in range(3)]
        session.add_all(more)
        session.flush()
        for tune in more[:2]:
            months.nominate_tune(session, month, ann, tune, TUNES)
        with pytest.raises(StudioError, match="named 3 tunes"):
            months.nominate_tune(session, month, ann, more[2], TUNES)
        months.nominate_tune(session, month, ben, more[2], TUNES)
        assert len(month.entries) == 5
        with pytest.raises(StudioError, match="2026-03-10"):
            months.nominate_tune(session, month, ben, tunes[2], RECORDINGS)


def test_another_months_entry_cannot_be_voted_for(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        month, (ann,), _ = fill(session, 1)
        other = make_month()
        session.add(other)
        session.flush()
        with pytest.raises(StudioError, match="cannot be voted"):
            months.vote(session, other, ann, month.entries[0], TUNES)
        assert session.query(MonthEntry).count() == 1


@pytest.mark.parametrize(
    ("days", "field"),
    [
        ((4, 20, 30), "tune_vote_until"),
        ((5, 5, 30), "recordings_until"),
        ((10, 20, 20), "recording_vote_until"),
        ((10, 20, 31), None),
        ((5, 6, 7), None),
    ],
)
def test_dates_follow_each_other_from_today(days: tuple[int, ...], field: str | None) -> None:
    # In Tokyo it is the 6th already; dates are those of UTC.
    now = datetime(2026, 3, 6, 2, tzinfo=timezone(timedelta(hours=9)))
    dates = [date(2026, 3, day) for day in days]
    if field is None:
        months.check_dates(dates, now)
        return
    with pytest.raises(StudioError) as caught:
        months.check_dates(dates, now)
    assert caught.value.field == field


def test_a_date_that_has_passed_stays() -> None:
    month = make_month()
    months.check_dates(
        [month.tune_vote_until, date(2026, 3, 22), date(2026, 4, 2)], RECORDINGS, month
    )
    with pytest.raises(StudioError, match="has passed"):
        months.check_dates(
            [date(2026, 3, 16), date(2026, 3, 22), date(2026, 4, 2)], RECORDINGS, month
        )
