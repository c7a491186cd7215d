"""A page of players in Chromium, served by the studio's own application."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest

from studio.conftest import MISSING, find_free_port

if not MISSING:
    import uvicorn
    from fastapi import Depends, Form, Request
    from fastapi.responses import RedirectResponse

    from sluice.studio.app import create_app
    from sluice.studio.archive.database import Database
    from sluice.studio.config import StudioConfig
    from sluice.studio.errors import ForbiddenError
    from sluice.studio.web.context import VisitorDep
    from sluice.studio.web.forms import check_form
    from sluice.studio.web.rendering import create_environment, render

SOURCE = """{% extends "base.html" %}
{% from "player.html" import abc_editor, player, player_setup %}
{% from "in_place.html" import in_place, in_place_setup %}
{% block main %}<h1>Players</h1>
{% for abc in tunes %}<article class="card"><h2>Tune {{ loop.index }}</h2>
{{ player(abc, loop.index, title="Tune %d"|format(loop.index)) }}</article>{% endfor %}
{% if editor %}{{ abc_editor(editor) }}{% endif %}
{% if votes is defined %}<section id="votes"><p>{{ votes | length }} votes</p>
<form method="post" action="/vote" {{ in_place("votes") }}>{{ csrf_field() }}
<label>Vote <input name="vote" value="1"></label><button>Send</button></form></section>{% endif %}
{% endblock %}
{% block scripts %}{{ player_setup(editor=true) }}
{% if votes is defined %}{{ in_place_setup() }}{% endif %}{% endblock %}"""


@pytest.fixture(scope="session")
def player_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, Any]]]:
    """An address, and what its page `/players` shows: `tunes` (ABC) and `editor` (ABC)."""
    folder: Path = tmp_path_factory.mktemp("players")
    config = StudioConfig(folder=folder, host="127.0.0.1", port=find_free_port())
    database = Database(config.database_url)
    database.create_tables()
    database.close()
    app, shown = create_app(config), dict[str, Any](tunes=[], editor="")
    template = create_environment().from_string(SOURCE)

    @app.get("/players")
    def read_players(request: Request, visitor: VisitorDep) -> Any:
        return render(request, template, **shown)  # type: ignore[arg-type]

    @app.post("/vote", dependencies=[Depends(check_form)])
    def add_vote(vote: Annotated[str, Form()]) -> Any:
        if vote == "no":
            raise ForbiddenError("Nobody votes no.")
        shown["votes"].append(vote)
        return RedirectResponse("/login" if vote == "login" else "/players", 303)

    server = uvicorn.Server(uvicorn.Config(app, port=config.port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(3000):
        if server.started:
            break
        time.sleep(0.02)
    yield f"http://127.0.0.1:{config.port}", shown
    server.should_exit = True
    thread.join(10)


class Players:
    """A page of players, and all that went wrong on it: messages, errors, foreign requests."""

    def __init__(self, page: Any, address: str, shown: dict[str, Any]) -> None:
        self.page, self.address, self._shown = page, address, shown
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", lambda dialog: self.problems.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))

    def show(self, *tunes: str, editor: str = "") -> Any:
        self._shown.update(tunes=tunes, editor=editor)
        self.page.goto(f"{self.address}/players")
        if tunes or editor:
            self.page.wait_for_selector(".score svg")
        return self.page

    def wait(self, expression: str, seconds: float = 30) -> None:
        """Until it is true; Playwright's own waiting needs `eval`, which the page forbids."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, expression
            self.page.wait_for_timeout(20)

    def ask(self, script: str, number: int = 0) -> Any:
        """The value of an expression of `player`, the page's player of that number."""
        return self.page.evaluate(
            """async (number) => {
                const address = document.querySelector('script[src$="own/player.js"]').src;
                const { Player } = await import(address);
                const player = Player.of(document.querySelectorAll("[data-player]")[number]);
                return await (async () => (SCRIPT))();
            }""".replace("SCRIPT", script),
            number,
        )


@pytest.fixture
def players(
    player_site: tuple[str, dict[str, Any]], browser: Any, request: pytest.FixtureRequest
) -> Iterator[Players]:
    """A page of a new visitor; a test may ask for `width`, `scheme` and more by its marker."""
    options = {"viewport": {"width": 1280, "height": 900}, **getattr(request, "param", {})}
    context = browser.new_context(**options)
    context.set_default_timeout(30_000)
    opened = Players(context.new_page(), *player_site)
    yield opened
    context.close()
    address, shown = player_site
    shown.pop("votes", None)
    assert not opened.problems
    assert all(url.startswith((address, "data:")) for url in opened.requests)
