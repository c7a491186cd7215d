"""A running studio whose archive the tests fill themselves, for browsers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from studio.conftest import MISSING, add_member, find_free_port

if not MISSING:
    import uvicorn

    from sluice.studio.accounts.sessions import COOKIE, start_session
    from sluice.studio.app import create_app
    from sluice.studio.archive.database import Database
    from sluice.studio.archive.tables import ArchiveTune, Member
    from sluice.studio.config import StudioConfig

JIG = """X:1
T:{title}
R:jig
M:6/8
L:1/8
K:D
|: A | dfa afd | gfe dcB | ABA faf | edc d2 A |
dfa afd | gfe dcB | ABA gec | d3 d2 :|
|: e | fdf aba | gfe fed | cec ABc | dfd ecA |
fdf aba | gfe fed | cec Ace | d3 d2 :|
"""


@dataclass(frozen=True)
class RunningSite:
    """A studio on this machine, without a composing process."""

    address: str
    database: Database

    def add_tunes(self, titles: list[str], **columns: Any) -> list[int]:
        """The numbers of new tunes."""
        with self.database.open_session(write=True) as session:
            tunes = [
                ArchiveTune(
                    title=title, abc=JIG.format(title=title), meter="6/8", mode="major",
                    tonic="D", dance="jig", **columns,
                )
                for title in titles
            ]  # fmt: skip
            session.add_all(tunes)
            session.flush()
            return [tune.id for tune in tunes]

    def log_in(self, page: Any, member_id: int) -> None:
        """Let the browser of a page be that of a member."""
        with self.database.open_session(write=True) as session:
            secret = start_session(session, session.get_one(Member, member_id))
        page.context.add_cookies([{"name": COOKIE, "value": secret, "url": self.address}])


@contextmanager
def run_site(config: StudioConfig) -> Iterator[None]:
    server = uvicorn.Server(
        uvicorn.Config(create_app(config), host="127.0.0.1", port=config.port, log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A running studio with a member, Aoife, and a keeper."""
    folder = tmp_path_factory.mktemp("site")
    config = StudioConfig(folder=folder, port=find_free_port())
    database = Database(config.database_url)
    database.create_tables()
    add_member(database, "Aoife", num_approved=3)
    add_member(database, "Keeper", role="keeper")
    with run_site(config):
        yield RunningSite(f"http://127.0.0.1:{config.port}", database)
    database.close()


@pytest.fixture
def open_page(browser: Any, site: RunningSite) -> Iterator[Callable[..., Any]]:
    """Opens a page of a new visitor, or of a member; foreign requests and errors fail the test."""
    contexts, problems = [], []

    def note_request(request: Any) -> None:
        if not request.url.startswith((site.address, "data:", "blob:")):
            problems.append(request.url)

    def open_one(member: int | None = None, **options: Any) -> Any:
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        context = browser.new_context(base_url=site.address, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", note_request)
        if member is not None:
            site.log_in(page, member)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not problems
