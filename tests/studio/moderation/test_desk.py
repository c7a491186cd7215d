"""The keepers' desk, and reports."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient
from tests.studio.accounts.conftest import Clock, send
from tests.studio.conftest import add_member, log_in

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import AbuseReport, ArchiveTune, Comment, KeeperAction, Member
from sluice.studio.archive.visibility import choose_visibility
from sluice.studio.security import robots

ABC = "X:1\nT:New\nM:4/4\nL:1/8\nK:D\nABc|\n"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots, "time", Clock())


def add_tune(database: Database, author_id: int | None = None, visibility: str = "waiting") -> int:
    with database.open_session(write=True) as session:
        tune = ArchiveTune(title="<i>New", abc=ABC, author_id=author_id, visibility=visibility)
        session.add(tune)
        session.flush()
        return tune.id


def read_tune(database: Database, number: int) -> ArchiveTune | None:
    with database.open_session() as session:
        return session.get(ArchiveTune, number)


def read_member(database: Database, number: int) -> Member:
    with database.open_session() as session:
        return session.get_one(Member, number)


def decide(client: TestClient, subject: str, number: int, decision: str) -> int:
    data = {"subject": subject, "id": str(number), "decision": decision}
    return client.post("/desk/decide", data=data).status_code


def test_the_first_three_posts_of_a_member_wait(
    keeper_client: TestClient, database: Database, keeper_id: int
) -> None:
    author = add_member(database, "Newcomer")
    for _ in range(3):
        with database.open_session() as session:
            member = session.get_one(Member, author)
            assert choose_visibility(session, member) == "waiting"
        number = add_tune(database, author)
        assert "&lt;i&gt;New" in keeper_client.get("/desk").text
        assert decide(keeper_client, "tune", number, "approve") == 303
        tune = read_tune(database, number)
        assert tune is not None
        assert tune.visibility == "public"
    with database.open_session() as session:
        assert choose_visibility(session, session.get_one(Member, author)) == "public"
        assert choose_visibility(session, None) == "waiting"
    assert "Nothing waits" in keeper_client.get("/desk").text


def test_without_a_keeper_nothing_waits_for_one(database: Database, member_id: int) -> None:
    with database.open_session() as session:
        assert choose_visibility(session, None) == "public"


def test_approving_twice_counts_once(
    keeper_client: TestClient, database: Database, keeper_id: int
) -> None:
    author = add_member(database, "Newcomer")
    number = add_tune(database, author)
    for _ in range(3):
        decide(keeper_client, "tune", number, "approve")
    assert read_member(database, author).num_approved == 1


def test_what_is_reported_is_hidden_and_counts(
    client: TestClient, keeper_client: TestClient, database: Database, member_id: int
) -> None:
    number = add_tune(database, member_id, "public")
    page = f"/report?subject=tune&id={number}"
    assert send(client, page, to="/report", reason="<b>Spam</b>").status_code == 200
    queue = keeper_client.get("/desk").text
    assert "&lt;b&gt;Spam&lt;/b&gt;" in queue
    assert decide(keeper_client, "tune", number, "hide") == 303
    tune = read_tune(database, number)
    assert tune is not None
    assert tune.visibility == "hidden"
    assert read_member(database, member_id).strikes == 1
    assert "Nothing waits" in keeper_client.get("/desk").text
    assert decide(keeper_client, "tune", number, "approve") == 303  # the way back
    assert read_member(database, member_id).num_approved == 3
    with database.open_session() as session:
        verbs = session.scalars(select(KeeperAction.verb).order_by(KeeperAction.id)).all()
        assert verbs == ["hidden", "approved"]
        assert session.scalars(select(AbuseReport.decision)).all() == ["hidden"]
    assert "&lt;i&gt;New" in keeper_client.get("/desk/log").text


def test_a_report_without_ground_is_closed(
    client: TestClient, keeper_client: TestClient, database: Database, member_id: int
) -> None:
    number = add_tune(database, member_id, "public")
    send(client, f"/report?subject=tune&id={number}", to="/report", reason="Meh")
    assert decide(keeper_client, "tune", number, "keep") == 303
    tune = read_tune(database, number)
    assert tune is not None
    assert tune.visibility == "public"
    assert read_member(database, member_id).strikes == 0


def test_a_blocked_member_is_out_with_all_that_waits(
    keeper_client: TestClient, client: TestClient, database: Database
) -> None:
    author = add_member(database, "Spammer")
    log_in(client, database, author)
    numbers = [add_tune(database, author) for _ in range(3)]
    assert decide(keeper_client, "tune", numbers[0], "block") == 303
    assert client.get("/account").status_code == 303
    tunes = [read_tune(database, number) for number in numbers]
    assert [tune.visibility for tune in tunes if tune] == ["hidden"] * 3
    assert "Nothing waits" in keeper_client.get("/desk").text
    assert decide(keeper_client, "member", author, "unblock") == 303
    assert not read_member(database, author).is_blocked


def test_a_keeper_is_not_blocked(
    keeper_client: TestClient, database: Database, keeper_id: int
) -> None:
    assert decide(keeper_client, "member", keeper_id, "block") == 422


def test_deleted_is_gone(keeper_client: TestClient, database: Database) -> None:
    number = add_tune(database)
    assert decide(keeper_client, "tune", number, "delete") == 303
    assert read_tune(database, number) is None
    assert decide(keeper_client, "tune", number, "delete") == 404


@pytest.mark.parametrize("path", ["/desk", "/desk/hidden", "/desk/log", "/desk/invitations"])
def test_the_desk_is_for_keepers(
    member_client: TestClient, client: TestClient, keeper_client: TestClient, path: str
) -> None:
    assert client.get(path).status_code == 303
    assert member_client.get(path).status_code == 403
    assert keeper_client.get(path).status_code == 200


def test_only_keepers_decide(member_client: TestClient, database: Database, member_id: int) -> None:
    number = add_tune(database, member_id)
    assert decide(member_client, "tune", number, "approve") == 403
    tune = read_tune(database, number)
    assert tune is not None
    assert tune.visibility == "waiting"


@pytest.mark.parametrize(
    ("subject", "number"),
    [("tune", 99), ("model", 1), ("__class__", 1), ("tune", -1), ("tune", 2**70), ("tune", 0)],
)
def test_nothing_that_is_not_there_is_decided(
    keeper_client: TestClient, subject: str, number: int
) -> None:
    assert decide(keeper_client, subject, number, "hide") == 404
    assert keeper_client.get(f"/report?subject={subject}&id={number}").status_code == 404


def test_what_waits_is_not_there_for_others(
    client: TestClient, database: Database, keeper_id: int
) -> None:
    number = add_tune(database)
    assert client.get(f"/report?subject=tune&id={number}").status_code == 404


def test_a_member_sees_what_waits(client: TestClient, database: Database, keeper_id: int) -> None:
    author = add_member(database, "Newcomer")
    add_tune(database, author)
    page = log_in(client, database, author).get("/account").text
    assert "&lt;i&gt;New" in page
    assert "waits for a keeper" in page


def test_reports_are_limited(client: TestClient, database: Database, member_id: int) -> None:
    number = add_tune(database, member_id, "public")
    path = f"/report?subject=tune&id={number}"
    results = [send(client, path, to="/report", reason="Spam").status_code for _ in range(6)]
    assert results == [200] * 5 + [429]
    with database.open_session() as session:
        assert session.scalar(select(func.count()).select_from(AbuseReport)) == 5


def test_a_comment_is_shown_as_it_was_written(
    keeper_client: TestClient, database: Database, member_id: int
) -> None:
    with database.open_session(write=True) as session:
        session.add(
            Comment(subject="tune", subject_id=1, author_id=member_id, visibility="waiting",
                    text="[x](javascript:alert(1))<script>")
        )  # fmt: skip
    page = keeper_client.get("/desk").text
    assert "[x](javascript:alert(1))&lt;script&gt;" in page
    assert not re.search(r"<a [^>]*javascript", page)
