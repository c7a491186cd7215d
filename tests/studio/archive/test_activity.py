"""Activity: who sees which line, and what a follower hears of."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from sluice.studio.archive.activity import list_activity, record_activity
from sluice.studio.archive.database import Database
from sluice.studio.archive.follow import follow, is_following, list_followed_tunes, unfollow
from sluice.studio.archive.tables import (
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Book,
    Comment,
    Member,
    Setting,
)
from sluice.studio.archive.tables.base import get_now
from sluice.studio.errors import NotFoundError, StudioError


def add_member(session: Session, name: str, **values: object) -> Member:
    member = Member(email=f"{name}@example.org", name=name, password="", **values)
    session.add(member)
    session.flush()
    return member


def add_tune(session: Session, title: str, **values: object) -> ArchiveTune:
    tune = ArchiveTune(title=title, abc="X:1\nT:A\nM:4/4\nL:1/8\nK:D\nDEFG|]\n", **values)
    session.add(tune)
    session.flush()
    return tune


def test_each_kind_of_subject_has_its_title_and_page(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        ann = add_member(session, "Ann")
        tune = add_tune(session, "The Sluice", author_id=ann.id)
        setting = Setting(tune=tune, number=2, abc=tune.abc, author=ann)
        recording = ArchiveRecording(title="Live", kind="link", tunes=[tune], author=ann)
        event = ArchiveEvent(title="Session", starts_at=get_now(), author=ann)
        book = Book(name="Reels", owner=ann)
        session.add_all([setting, recording, event, book])
        session.flush()
        comment = Comment(subject="recording", subject_id=recording.id, author=ann, text="Fine.")
        session.add(comment)
        session.flush()
        record_activity(session, ann, "tune", tune.id)
        record_activity(session, ann, "setting", setting.id)
        record_activity(session, ann, "recording", recording.id)
        record_activity(session, None, "event", event.id, "changed")
        record_activity(session, ann, "book", book.id)
        record_activity(session, ann, "comment", comment.id)
        session.flush()
        lines = list_activity(session, None)
        assert [
            (line.subject, line.named.kind, line.named.title, line.named.address) for line in lines
        ] == [
            ("comment", "recording", "Live", f"/recordings/{recording.id}#comment-{comment.id}"),
            ("book", "book", "Reels", f"/books/{book.id}"),
            ("event", "event", "Session", f"/events/{event.id}"),
            ("recording", "recording", "Live", f"/recordings/{recording.id}"),
            ("setting", "setting", "The Sluice", f"/tunes/{tune.id}#setting-2"),
            ("tune", "tune", "The Sluice", f"/tunes/{tune.id}"),
        ]
        assert [line.member for line in lines] == [ann, ann, None, ann, ann, ann]
        older = list_activity(session, None, before=lines[1].number, limit=2)
        assert older == lines[2:4]


def test_what_a_viewer_may_not_see_has_no_line(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        ann, ben = add_member(session, "Ann"), add_member(session, "Ben")
        tune = add_tune(session, "Waits", author_id=ann.id, visibility="waiting")
        shown = add_tune(session, "Shown")
        setting = Setting(tune=tune, number=1, abc=tune.abc, author=ann)
        book = Book(name="Private", owner=ann, is_public=False)
        hidden = Comment(subject="tune", subject_id=shown.id, text="x", visibility="hidden")
        beside = Comment(subject="tune", subject_id=tune.id, text="x")
        session.add_all([setting, book, hidden, beside])
        session.flush()
        record_activity(session, ann, "tune", tune.id)
        record_activity(session, ann, "setting", setting.id)
        record_activity(session, ann, "book", book.id)
        record_activity(session, ben, "comment", hidden.id)
        record_activity(session, ben, "comment", beside.id)
        record_activity(session, ben, "tune", 999)
        session.flush()
        assert list_activity(session, None) == []
        assert list_activity(session, ben) == []
        seen = [line.subject for line in list_activity(session, ann)]
        assert seen == ["comment", "book", "setting", "tune"]


def test_a_follower_hears_of_members_and_of_all_about_a_tune(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        ann, ben, cleo = (add_member(session, name) for name in ("Ann", "Ben", "Cleo"))
        tune, other = add_tune(session, "Followed"), add_tune(session, "Other")
        mine = Comment(subject="tune", subject_id=tune.id, author=ann, text="x")
        comment = Comment(subject="tune", subject_id=tune.id, author=cleo, text="x")
        away = Comment(subject="tune", subject_id=other.id, author=cleo, text="x")
        recording = ArchiveRecording(title="R", kind="link", tunes=[other, tune])
        event = ArchiveEvent(title="E", starts_at=get_now(), tunes=[tune])
        setting = Setting(tune=tune, number=1, abc=tune.abc)
        session.add_all([mine, comment, away, recording, event, setting])
        session.flush()
        for member, subject, number in [
            (ann, "comment", mine.id),  # one's own
            (cleo, "comment", away.id),  # of a tune that is not followed
            (cleo, "comment", comment.id),
            (cleo, "recording", recording.id),
            (None, "event", event.id),
            (cleo, "setting", setting.id),
            (ben, "tune", other.id),  # by a member who is followed
            (None, "tune", tune.id),
        ]:
            record_activity(session, member, subject, number)  # type: ignore[arg-type]
        follow(session, ann, "member", ben.id)
        follow(session, ann, "tune", tune.id)
        follow(session, ann, "tune", tune.id)
        session.flush()
        heard = [line.subject for line in list_activity(session, ann, follower=ann)]
        assert heard == ["tune", "tune", "setting", "event", "recording", "comment"]
        assert list_followed_tunes(session, ann) == [tune]
        unfollow(session, ann, "tune", tune.id)
        assert not is_following(session, ann, "tune", tune.id)
        assert [line.named.title for line in list_activity(session, ann, follower=ann)] == ["Other"]


def test_only_what_is_there_can_be_followed(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        ann = add_member(session, "Ann")
        hidden = add_tune(session, "Hidden", visibility="hidden")
        for subject, number in [("tune", hidden.id), ("tune", 99), ("member", 99), ("book", 1)]:
            with pytest.raises(NotFoundError):
                follow(session, ann, subject, number)
        with pytest.raises(StudioError, match="yourself"):
            follow(session, ann, "member", ann.id)
