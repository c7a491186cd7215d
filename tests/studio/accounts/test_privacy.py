"""What a member takes along, what stays when they leave, and what is forgotten."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient
from tests.studio.accounts.conftest import ReadMails, find_link, send
from tests.studio.conftest import PASSWORD, add_member
from tests.studio.security.test_uploads import make_sound

from sluice.studio.accounts.mail import queue_mail
from sluice.studio.accounts.privacy import purge
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import (
    Allowance,
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Base,
    Book,
    Comment,
    Composition,
    KeeperAction,
    Media,
    Member,
    MemberSession,
    Setting,
)
from sluice.studio.config import StudioConfig
from sluice.studio.security.limits import allow, hash_address
from sluice.studio.security.uploads import store_upload

ABC = "X:1\nT:Mine\nM:4/4\nL:1/8\nK:D\nABc|\n"


@pytest.fixture
def full(database: Database, config: StudioConfig, member_id: int) -> int:
    """The member with something of everything, and another who added to one of their tunes."""
    other = add_member(database, "Other")
    with database.open_session(write=True) as session:
        member = session.get_one(Member, member_id)
        media = store_upload(
            session, config.folder, io.BytesIO(make_sound()), "a.wav", "sound", member
        )
        tunes = [ArchiveTune(title=title, abc=ABC, author=member, author_name="Aoife")
                 for title in ("Alone", "Built on")]  # fmt: skip
        session.add_all(tunes)
        session.flush()
        queue_mail(session, member.email, "Hello", "Aoife")
        session.add_all(
            [
                Composition(code="a" * 10, model="m", options={}, seed=1, owner_id=member_id),
                Setting(tune=tunes[0], number=1, author=member, abc=ABC),
                Setting(tune=tunes[1], number=1, author_id=other, abc=ABC),
                Comment(subject="tune", subject_id=tunes[0].id, author=member, text="My words"),
                ArchiveRecording(title="Played", author=member, kind="upload", media=media,
                                 tunes=[tunes[0]]),
                ArchiveEvent(title="Session", author=member, starts_at=datetime.now(UTC)),
                Book(owner=member, name="Favourites"),
                KeeperAction(verb="blocked", subject="member", subject_id=member_id,
                             summary="Aoife"),
            ]
        )  # fmt: skip
    return member_id


def count(database: Database, table: type[Base]) -> int:
    with database.open_session() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def find_everywhere(database: Database, text: str) -> list[str]:
    """The tables in which a text occurs."""
    found = []
    with database.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if any(
                text in str(value) for row in connection.execute(select(table)) for value in row
            ):
                found.append(table.name)
    return found


def test_a_member_takes_everything_along(member_client: TestClient, full: int) -> None:
    answer = send(member_client, "/account", to="/account/download")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        data = json.loads(archive.read("member.json"))
        sounds = [name for name in archive.namelist() if name.startswith("media/")]
        assert archive.read(sounds[0])[:2] == b"\xff\xfb"
    assert data["member"]["email"] == "aoife@example.org"
    assert [tune["title"] for tune in data["tunes"]] == ["Alone", "Built on"]
    assert data["comments"][0]["text"] == "My words"
    for kind in ("compositions", "settings", "recordings", "events", "books", "media", "sessions"):
        assert len(data[kind]) == 1, kind
    assert "argon2" not in json.dumps(data)
    assert "token_hash" not in json.dumps(data)


def test_nobody_leaves_without_their_password(member_client: TestClient, full: int) -> None:
    answer = send(member_client, "/account", to="/account/delete", current="a wrong password")
    assert answer.status_code == 403


@pytest.mark.parametrize("keeps", ["1", "0"])
def test_a_member_leaves(
    member_client: TestClient, database: Database, config: StudioConfig, full: int, keeps: str
) -> None:
    answer = send(
        member_client, "/account", to="/account/delete", current=PASSWORD, keeps_posts=keeps
    )
    assert answer.status_code == 303
    assert member_client.get("/account").headers["location"].startswith("/login")
    assert find_everywhere(database, "aoife@example.org") == []
    assert find_everywhere(database, "Aoife") == []
    assert count(database, MemberSession) == count(database, Book) == 0
    with database.open_session() as session:
        titles = session.scalars(select(ArchiveTune.title).order_by(ArchiveTune.id)).all()
        assert session.scalars(select(ArchiveTune.author_id)).all() == [None] * len(titles)
    kept = keeps == "1"
    assert titles == (["Alone", "Built on"] if kept else ["Built on"])
    assert count(database, Setting) == (2 if kept else 1)
    for table in (Comment, ArchiveRecording, ArchiveEvent, Composition, Media):
        assert count(database, table) == (1 if kept else 0), table
    with database.open_session(write=True) as session:
        purge(session, config.folder)
    files = list((config.folder / "media").glob("*/*"))
    assert len(files) == 1  # a file of today may be one whose row comes in a moment


def test_no_trace_of_an_address_is_older_than_a_week(
    database: Database, config: StudioConfig
) -> None:
    who = hash_address(b"key", "198.51.100.7")
    with database.open_session(write=True) as session:
        allow(session, who, "compose")
        old = datetime.now(UTC) - timedelta(days=7, minutes=1)
        session.execute(update(Allowance).values(window_start=old))
        purge(session, config.folder)
    assert find_everywhere(database, who) == []
    assert find_everywhere(database, "198.51") == []


def test_files_that_nothing_shows_are_removed_after_a_day(
    database: Database, config: StudioConfig
) -> None:
    import os

    with database.open_session(write=True) as session:
        media = store_upload(
            session, config.folder, io.BytesIO(make_sound()), "a.wav", "sound", None
        )
        purge(session, config.folder)
        [path] = list((config.folder / "media").glob("*/*"))
        session.execute(update(Media).values(created_at=datetime.now(UTC) - timedelta(days=2)))
        os.utime(path, (0, 0))
        purge(session, config.folder)
    assert media.id
    assert not path.exists()
    assert count(database, Media) == 0


def test_a_new_address_is_confirmed_before_it_counts(
    member_client: TestClient, database: Database, read_mails: ReadMails, member_id: int
) -> None:
    def read_email() -> str:
        with database.open_session() as session:
            return session.get_one(Member, member_id).email

    fields = {"to": "/account/email", "email": "new@example.org"}
    assert send(member_client, "/account", **fields, current="a wrong one").status_code == 403
    assert send(member_client, "/account", **fields, current=PASSWORD).status_code == 200
    assert read_email() == "aoife@example.org"
    [mail] = read_mails()
    assert mail["To"] == "new@example.org"
    assert member_client.get(find_link(mail)).status_code == 200
    assert read_email() == "aoife@example.org"  # programs that open all links change nothing
    assert send(member_client, find_link(mail)).status_code == 303
    assert read_email() == "new@example.org"
    [notice] = read_mails()
    assert notice["To"] == "aoife@example.org"


def test_sessions_are_ended_singly(
    member_client: TestClient, client: TestClient, database: Database, member_id: int
) -> None:
    send(client, "/login", email="aoife@example.org", password=PASSWORD)
    assert client.get("/account").status_code == 200
    with database.open_session() as session:
        newest = session.scalars(select(MemberSession.id).order_by(MemberSession.id.desc())).first()
    send(member_client, "/account", to="/account/sessions/end", session=str(newest))
    assert client.get("/account").status_code == 303
    assert member_client.get("/account").status_code == 200


def test_nobody_ends_anothers_session(
    member_client: TestClient, keeper_client: TestClient, database: Database, keeper_id: int
) -> None:
    with database.open_session() as session:
        theirs = session.scalars(
            select(MemberSession.id).where(MemberSession.member_id == keeper_id)
        ).one()
    send(member_client, "/account", to="/account/sessions/end", session=str(theirs))
    assert keeper_client.get("/account").status_code == 200


def test_another_password_ends_other_sessions(
    member_client: TestClient, client: TestClient, member_id: int
) -> None:
    send(client, "/login", email="aoife@example.org", password=PASSWORD)
    fields = {"to": "/account/password", "password": "another long one"}
    assert send(member_client, "/account", **fields, current="a wrong one").status_code == 403
    assert send(member_client, "/account", **fields, current=PASSWORD).status_code == 303
    del member_client.headers["x-csrf-token"]
    assert member_client.get("/account").status_code == 200
    assert client.get("/account").status_code == 303
