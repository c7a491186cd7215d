"""Logging in, seen by who forgot the password and by who guesses it."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from starlette.testclient import TestClient
from tests.studio.accounts.conftest import ReadMails, find_link, read_fields, send
from tests.studio.conftest import PASSWORD, log_in

from sampling import thin_out
from sluice.studio.accounts import passwords
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Book, Member, MemberSession
from sluice.studio.archive.tables.base import get_now

EMAIL = "aoife@example.org"


@pytest.fixture
def elsewhere(studio_app: FastAPI) -> Iterator[TestClient]:
    """A browser with another network address."""
    with TestClient(studio_app, follow_redirects=False, client=("198.51.100.7", 1)) as opened:
        yield opened


def try_password(client: TestClient, password: str, email: str = EMAIL) -> int:
    return send(client, "/login", email=email, password=password).status_code


def test_log_in_and_out(client: TestClient, member_id: int) -> None:
    before = client.get("/login").cookies
    answer = send(client, "/login?next=/tunes/3", to="/login", email=" AOIFE@example.org ",
                  password=PASSWORD)  # fmt: skip
    assert (answer.status_code, answer.headers["location"]) == (303, "/tunes/3")
    for cookie in answer.headers.get_list("set-cookie"):
        if cookie.startswith(("session=", "visitor=", "known=")):
            assert "; HttpOnly" in cookie
            assert "; SameSite=Lax" in cookie
    assert client.cookies["visitor"] != before.get("visitor")
    assert client.get("/account").headers["cache-control"] == "private, no-store"
    token = client.cookies["session"]
    assert client.get("/logout").status_code == 405
    assert send(client, "/account", to="/logout").status_code == 303
    assert "session" not in client.cookies
    client.cookies.set("session", token)
    assert client.get("/account").headers["location"] == "/login?next=/account"


def test_a_session_is_not_fixed(client: TestClient, database: Database, member_id: int) -> None:
    """A token that an attacker put into the browser is not the one that is used."""
    client.cookies.set("session", "a" * 43)
    try_password(client, PASSWORD)
    tokens = [cookie.value for cookie in client.cookies.jar if cookie.name == "session"]
    with database.open_session() as session:
        [stored] = session.scalars(select(MemberSession.token_hash)).all()
    assert stored not in tokens
    assert len([token for token in tokens if token != "a" * 43]) == 1


def test_a_stolen_table_of_sessions_opens_none(
    client: TestClient, database: Database, member_id: int
) -> None:
    log_in(client, database, member_id)
    with database.open_session() as session:
        [stored] = session.scalars(select(MemberSession.token_hash)).all()
    client.cookies.clear()
    client.cookies.set("session", stored)
    assert client.get("/account").status_code == 303


def test_a_session_lasts_from_its_last_use(
    client: TestClient, database: Database, member_id: int
) -> None:
    log_in(client, database, member_id)
    with database.open_session(write=True) as session:
        now = get_now()
        left, used = now + timedelta(hours=1), now - timedelta(days=29)
        session.execute(update(MemberSession).values(expires_at=left, used_at=used))
    answer = client.get("/account")
    assert "Max-Age=2592000" in answer.headers["set-cookie"]
    assert "set-cookie" not in client.get("/account").headers  # not at every request
    with database.open_session(write=True) as session:
        assert session.scalars(select(MemberSession.expires_at)).one() > now + timedelta(days=29)
        session.execute(update(MemberSession).values(expires_at=now))
    assert client.get("/account").status_code == 303


@pytest.mark.parametrize("token", ["", "x", "' or 1=1 --", "a" * 5000, "\x7f", "%00"])
def test_a_guessed_session_is_none(client: TestClient, member_id: int, token: str) -> None:
    client.cookies.set("session", token)
    assert client.get("/account").status_code == 303


def test_cookies_over_https_are_bound_to_the_host(
    studio_app: FastAPI, member_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from sluice.studio.app import create_app

    config = replace(studio_app.state.studio.config, address="https://testserver")
    with TestClient(
        create_app(config), base_url="https://testserver", follow_redirects=False
    ) as it:
        page = it.get("/login")
        token = re.search(r'name="csrf-token" content="(\w+)"', page.text)
        assert token is not None
        fields = {"email": EMAIL, "password": PASSWORD, "csrf_token": token[1]}
        answer = it.post("/login", data=fields)
        assert answer.status_code == 303
        cookies = [*page.headers.get_list("set-cookie"), *answer.headers.get_list("set-cookie")]
        assert {cookie.partition("=")[0] for cookie in cookies} >= {
            "__Host-visitor", "__Host-session", "__Host-known",
        }  # fmt: skip
        assert all("; Secure" in cookie and "; Path=/" in cookie for cookie in cookies)
        assert page.headers["strict-transport-security"]


def test_the_answer_tells_nothing(client: TestClient, member_id: int) -> None:
    hide = lambda text: re.sub(r"[0-9a-f]{64}|[a-z]+@", "", text)  # noqa: E731
    known = send(client, "/login", email=EMAIL, password="wrong password")
    unknown = send(client, "/login", email="nobody@example.org", password="wrong password")
    assert known.status_code == unknown.status_code == 403
    assert hide(known.text) == hide(unknown.text)


@pytest.mark.parametrize("path", thin_out(["/login", "/password", "/sign-up"], 3))
def test_the_time_tells_nothing(
    costly_hashes: None, client: TestClient, member_id: int, monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:  # fmt: skip
    from sluice.studio.security import limits

    monkeypatch.setattr(limits, "LIMITS", dict.fromkeys(limits.LIMITS, ((10**6, 3600),)))
    hidden = read_fields(client, path, path)
    times: dict[str, list[float]] = {EMAIL: [], "nobody@example.org": []}
    for _ in range(20):
        for email, taken in times.items():
            data = {**hidden, "email": email, "password": "wrong password", "name": "New"}
            start = time.process_time()
            client.post(path, data=data)
            taken.append(time.process_time() - start)
    # Time of the processor, since whatever else runs on the machine lengthens any other.
    known, unknown = (statistics.median(taken) for taken in times.values())
    assert abs(known - unknown) < max(0.25 * min(known, unknown), 0.004)


def test_after_five_failures_one_waits(client: TestClient, member_id: int) -> None:
    assert [try_password(client, f"wrong guess {n}") for n in range(6)] == [403] * 5 + [429]
    answer = send(client, "/login", email=EMAIL, password=PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 66


def test_a_stranger_does_not_lock_out_the_owner(
    client: TestClient, elsewhere: TestClient, member_id: int
) -> None:
    assert [try_password(client, f"wrong guess {n}") for n in range(6)][-1] == 429
    assert try_password(elsewhere, PASSWORD) == 303


def test_many_strangers_do_not_lock_out_a_browser_that_is_known(
    studio_app: FastAPI, elsewhere: TestClient, member_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sluice.studio.security import limits

    monkeypatch.setitem(limits.LIMITS, "login-account", ((6, 24 * 3600),))
    assert try_password(elsewhere, PASSWORD) == 303
    send(elsewhere, "/account", to="/logout")
    for number in range(9):
        with TestClient(studio_app, client=(f"203.0.113.{number}", 1)) as robot:
            last = try_password(robot, "wrong guess")
    assert last == 429
    assert try_password(elsewhere, PASSWORD) == 303
    elsewhere.cookies.clear()
    assert try_password(elsewhere, PASSWORD) == 429


def test_guesses_at_once_are_counted_too(
    costly_hashes: None, client: TestClient, member_id: int
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    hidden = read_fields(client, "/login", "/login")
    with ThreadPoolExecutor(10) as threads:
        results = list(
            threads.map(
                lambda n: (
                    client.post(
                        "/login", data={**hidden, "email": EMAIL, "password": f"wrong guess {n}"}
                    ).status_code
                ),
                range(20),
            )
        )
    assert results.count(403) == 5
    assert results.count(429) == 15


def test_logins_do_not_stop_pages(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever would wait too long behind others is sent away."""
    for _ in range(passwords._MAX_WAITING):
        passwords._places.acquire()
    try:
        assert try_password(client, PASSWORD) == 429
        assert client.get("/login").status_code == 200
    finally:
        for _ in range(passwords._MAX_WAITING):
            passwords._places.release()


def test_a_forgotten_password(
    client: TestClient, elsewhere: TestClient, database: Database, member_id: int,
    read_mails: ReadMails,
) -> None:  # fmt: skip
    log_in(elsewhere, database, member_id)
    assert send(client, "/password", email=EMAIL).status_code == 200
    first = find_link(read_mails()[0])
    assert send(client, "/password", email=EMAIL).status_code == 200
    second = find_link(read_mails()[0])
    assert client.get(first).status_code == 404  # a later link replaces it
    assert send(client, second, password="too short"[:8]).status_code == 422
    answer = send(client, second, password="another long one")
    assert answer.headers["location"] == "/account"
    assert client.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303  # all other sessions have ended
    assert client.get(second).status_code == 404
    [notice] = read_mails()
    assert "was changed" in notice.get_content()
    client.cookies.clear()
    assert try_password(client, PASSWORD) == 403
    assert try_password(client, "another long one") == 303


def test_an_unknown_address_asks_for_a_password(
    client: TestClient, member_id: int, read_mails: ReadMails
) -> None:
    hide = lambda text: re.sub(r"[0-9a-f]{64}", "", text)  # noqa: E731
    unknown = send(client, "/password", email="nobody@example.org")
    known = send(client, "/password", email=EMAIL)
    assert (known.status_code, hide(known.text)) == (unknown.status_code, hide(unknown.text))
    mails = {mail["To"]: mail.get_content() for mail in read_mails()}
    assert "there is no account" in mails["nobody@example.org"]
    assert "/password/" not in mails["nobody@example.org"]


@pytest.mark.parametrize("host", ["evil.example", "testserver@evil.example", "a\tb", "[::1]:99"])
def test_the_host_header_leads_no_link_elsewhere(
    client: TestClient, member_id: int, read_mails: ReadMails, host: str
) -> None:
    hidden = read_fields(client, "/password", "/password")
    client.post("/password", data={**hidden, "email": EMAIL},
                headers={"host": host, "x-forwarded-host": host})  # fmt: skip
    [mail] = read_mails()
    assert re.findall(r"\w+://[^/\s]+", mail.get_content()) == ["http://testserver"]


def test_a_blocked_member_is_out(
    client: TestClient, database: Database, member_id: int, read_mails: ReadMails
) -> None:
    log_in(client, database, member_id)
    with database.open_session(write=True) as session:
        session.execute(update(Member).values(is_blocked=True))
    assert client.get("/account").status_code == 303
    client.cookies.clear()
    del client.headers["x-csrf-token"]
    assert try_password(client, PASSWORD) == 403
    send(client, "/password", email=EMAIL)
    assert "/password/" not in read_mails()[0].get_content()


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
     {"sec-fetch-site": "same-site"}],
)  # fmt: skip
def test_nobody_is_logged_in_from_another_site(
    client: TestClient, member_id: int, headers: dict[str, str]
) -> None:
    hidden = read_fields(client, "/login", "/login")
    data = {**hidden, "email": EMAIL, "password": PASSWORD}
    assert client.post("/login", data=data, headers=headers).status_code == 403
    assert client.post("/login", data={**data, "csrf_token": "0" * 64}).status_code == 403
    assert client.post("/login", data=data).status_code == 303


def test_a_token_of_another_browser_opens_no_form(
    member_client: TestClient, elsewhere: TestClient
) -> None:
    foreign = re.search(r'content="([0-9a-f]{64})"', elsewhere.get("/login").text)
    assert foreign is not None
    member_client.headers["x-csrf-token"] = foreign[1]
    assert member_client.post("/account/settings", data={}).status_code == 403


def test_who_is_logged_out_while_typing_comes_back_to_the_form(
    client: TestClient, database: Database, member_id: int
) -> None:
    assert try_password(client, PASSWORD) == 303
    old = read_fields(client, "/books/new", "/books/new")
    with database.open_session(write=True) as session:
        session.execute(update(MemberSession).values(expires_at=get_now()))
    fresh = read_fields(client, "/login", "/login")
    for token in (old["csrf_token"], fresh["csrf_token"]):
        answer = client.post(
            "/books/new",
            data={"csrf_token": token, "name": "Mine"},
            headers={"referer": "http://testserver/books/new?tune=3"},
        )
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?next=/books/new%3Ftune%3D3&unsent=1"
    page = client.get(answer.headers["location"]).text
    assert "Back button" in page
    assert 'name="next" value="/books/new?tune=3"' in page
    assert "Back button" not in client.get("/login?next=/books/new").text
    with database.open_session() as session:
        assert session.scalars(select(Book)).all() == []
