"""From a visitor to a member."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient
from tests.studio.accounts.conftest import ReadMails, find_link, send
from tests.studio.conftest import PASSWORD

from sluice.studio.accounts.sign_up import create_invitation, make_keeper_link, purge_sign_ups
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveTune, Composition, Member, SignUp
from sluice.studio.archive.tables.base import get_now
from sluice.studio.config import StudioConfig
from sluice.studio.web.visitor import Visitor


def find_member(database: Database, email: str) -> Member | None:
    with database.open_session() as session:
        return session.scalar(select(Member).where(Member.email == email))


def test_a_visitor_signs_up_and_keeps_what_they_composed(
    client: TestClient, database: Database, read_mails: ReadMails
) -> None:
    client.get("/")
    claim = Visitor(client.cookies["visitor"], "", "en").claim_hash
    with database.open_session(write=True) as session:
        session.add(Composition(code="abcdefghij", model="m", options={}, seed=1, claim_hash=claim))
        session.add(ArchiveTune(title="Mine", abc="X:1", claim_hash=claim))
        session.add(ArchiveTune(title="Another's", abc="X:1", claim_hash="0" * 64))
        session.add(ArchiveTune(title="Nobody's", abc="X:1"))
    answer = send(client, "/sign-up", email="Ann@Example.org", name="Ann")
    assert answer.status_code == 200
    assert find_member(database, "ann@example.org") is None
    [mail] = read_mails()
    assert mail["To"] == "ann@example.org"
    before = dict(client.cookies)
    answer = send(client, find_link(mail), name="Ann", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert client.cookies["visitor"] != before["visitor"]
    member = find_member(database, "ann@example.org")
    assert member is not None
    assert member.confirmed_at is not None
    assert PASSWORD not in member.password
    assert "Ann" in client.get("/account").text
    with database.open_session() as session:
        assert session.scalars(select(Composition.owner_id)).all() == [member.id]
        own = select(ArchiveTune.title).where(ArchiveTune.author_id == member.id)
        assert session.scalars(own).all() == ["Mine"]
    # The link works once.
    assert client.get(find_link(mail)).status_code == 404
    assert client.post(find_link(mail)).status_code in (403, 404)


def test_who_is_a_member_already_gets_the_same_answer_and_another_mail(
    client: TestClient, member_id: int, read_mails: ReadMails
) -> None:
    first = send(client, "/sign-up", email="aoife@example.org", name="Other")
    second = send(client, "/sign-up", email="new@example.org", name="Other")
    hide = lambda text: re.sub(r"[0-9a-f]{64}", "", text)  # noqa: E731
    assert (first.status_code, hide(first.text)) == (second.status_code, hide(second.text))
    mails = {mail["To"]: mail.get_content() for mail in read_mails()}
    assert "have an account" in mails["aoife@example.org"]
    assert "/sign-up/" not in mails["aoife@example.org"]
    assert "/sign-up/" in mails["new@example.org"]


def test_a_name_tells_nothing_about_an_address(
    client: TestClient, member_id: int, read_mails: ReadMails
) -> None:
    """A sign-up that is not confirmed takes no name: else it would show whose address is new."""
    for email in ("aoife@example.org", "new@example.org"):
        for again in (email, "third@example.org"):
            assert send(client, "/sign-up", email=again, name="Probe").status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Aoife"}, {"name": "AOIFE "}, {"name": "Aoïfe"}, {"name": "Ao ife"}, {"name": ""},
        {"name": "a" * 41}, {"name": "<b>"}, {"name": "\u202eevil"}, {"name": "123"},
        {"name": "a\x00b"}, {"email": "nobody"}, {"email": "a@b"},
        {"email": "a@b.example\nBcc: c@d.e"},
        {"email": "a b@example.org"}, {"email": "a" * 65 + "@example.org"}, {"email": ""},
        {"email": "<a@example.org>"}, {"email": "a@example.org,b@example.org"},
    ],
)  # fmt: skip
def test_names_and_addresses_that_are_none(
    client: TestClient, member_id: int, read_mails: ReadMails, fields: dict[str, str]
) -> None:
    answer = send(client, "/sign-up", **{"email": "new@example.org", "name": "New", **fields})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert read_mails() == []


@pytest.mark.parametrize(
    "fields",
    [{"website": "https://casino.example"}, {"opened": ""}, {"opened": "1e9.abc"},
     {"opened": "nan." + "0" * 32}, {"opened": "\u0663.x"}],
)  # fmt: skip
def test_robots_are_refused(
    client: TestClient, read_mails: ReadMails, fields: dict[str, str]
) -> None:
    answer = send(client, "/sign-up", email="new@example.org", name="New", **fields)
    assert answer.status_code == 422
    assert read_mails() == []


def test_a_form_that_comes_back_at_once_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.studio.security.robots.time", lambda: 1e9)
    assert send(client, "/sign-up", email="new@example.org", name="New").status_code == 422


def test_an_address_signs_up_five_times_a_day(client: TestClient, read_mails: ReadMails) -> None:
    for number in range(5):
        answer = send(client, "/sign-up", email=f"a{number}@example.org", name="New")
        assert answer.status_code == 200
    answer = send(client, "/sign-up", email="a6@example.org", name="New")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 3600
    assert len(read_mails()) == 5


def test_nobodys_letter_box_is_filled(client: TestClient, read_mails: ReadMails) -> None:
    for _ in range(5):
        send(client, "/sign-up", email="victim@example.org", name="New")
    assert len(read_mails()) == 3


def test_a_link_expires(client: TestClient, database: Database, read_mails: ReadMails) -> None:
    send(client, "/sign-up", email="new@example.org", name="New")
    [mail] = read_mails()
    with database.open_session(write=True) as session:
        session.execute(update(SignUp).values(expires_at=get_now() - timedelta(seconds=1)))
    assert client.get(find_link(mail)).status_code == 404
    with database.open_session(write=True) as session:
        purge_sign_ups(session)
        assert session.scalar(select(func.count()).select_from(SignUp)) == 0


def test_a_name_that_was_taken_meanwhile_can_be_chosen_again(
    client: TestClient, database: Database, read_mails: ReadMails
) -> None:
    send(client, "/sign-up", email="new@example.org", name="New")
    [mail] = read_mails()
    with database.open_session(write=True) as session:
        session.add(Member(email="other@example.org", name="new", password=""))
    answer = send(client, find_link(mail), name="New", password=PASSWORD)
    assert answer.status_code == 422
    assert "Another member has this name" in answer.text
    answer = send(client, find_link(mail), name="Newer", password=PASSWORD)
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("password", "is_taken"),
    [
        ("short", False), ("ninechars", False), ("newperson1", False),
        ("NewPerson1@example.org", False),
        ("x" * 1001, False), ("tencharact", True), ("\x00" * 10, True), ("🎻" * 300, True),
        ("  spaces  around  ", True), ("x" * 1000, True),
    ],
)  # fmt: skip
def test_passwords(
    client: TestClient, database: Database, read_mails: ReadMails, password: str, is_taken: bool
) -> None:
    send(client, "/sign-up", email="newperson1@example.org", name="New Person1")
    [mail] = read_mails()
    answer = send(client, find_link(mail), name="New Person1", password=password)
    assert answer.status_code == (303 if is_taken else 422)
    if is_taken:
        client.cookies.clear()
        answer = send(client, "/login", email="newperson1@example.org", password=password)
        assert answer.status_code == 303


def test_an_invitation_works_once(
    keeper_client: TestClient, client: TestClient, database: Database
) -> None:
    page = send(keeper_client, "/desk/invitations", note="Seán").text
    link = re.search(r'href="http://testserver(/invitation/[^"]+)"', page)
    assert link is not None
    answer = send(client, link[1], email="sean@example.org", name="Seán", password=PASSWORD)
    assert answer.headers["location"] == "/account"
    member = find_member(database, "sean@example.org")
    assert member is not None
    assert member.role == "member"
    client.cookies.clear()
    assert client.get(link[1]).status_code == 404


def test_the_first_keeper_comes_from_the_command_line(
    client: TestClient, database: Database, config: StudioConfig
) -> None:
    with database.open_session(write=True) as session:
        link = make_keeper_link(session, config, "Gráinne", "grainne@example.org")
    assert link.startswith("http://testserver/invitation/")
    path = link.removeprefix("http://testserver")
    answer = send(client, path, email="grainne@example.org", name="Gráinne", password=PASSWORD)
    assert answer.status_code == 303
    assert client.get("/desk").status_code == 200
    with database.open_session(write=True) as session:
        assert make_keeper_link(session, config, "Other", "grainne@example.org").endswith("/login")


def test_no_invitation_makes_a_keeper_of_who_asks(client: TestClient, database: Database) -> None:
    with database.open_session(write=True) as session:
        token = create_invitation(session, None)
    send(client, f"/invitation/{token}", email="a@example.org", name="A", password=PASSWORD,
         role="keeper")  # fmt: skip
    assert client.get("/desk").status_code == 403
