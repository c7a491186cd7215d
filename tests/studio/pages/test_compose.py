"""Composing by forms and streams, with a real composing process and the shipped model."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select
from starlette.testclient import TestClient

from sluice import tunes
from sluice.studio.app import create_app
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveTune, Composition
from sluice.studio.composing.config import ComposingConfig
from sluice.studio.config import StudioConfig
from sluice.studio.security.limits import LIMITS
from studio.conftest import log_in, read_csrf_token

JSON = {"accept": "application/json"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a composing process with the shipped model."""
    config = ComposingConfig(f"unix:{tmp_path_factory.mktemp('composing') / 'socket'}")
    process = subprocess.Popen(
        [sys.executable, "-m", "sluice.studio.composing", *config.list_arguments()],
        stdout=subprocess.PIPE,
        env=config.make_environment(),
    )
    assert process.stdout is not None
    assert b"ready" in process.stdout.readline()
    yield config.address
    process.kill()
    process.wait(60)
    process.stdout.close()


@pytest.fixture
def config(tmp_path: Path, address: str) -> StudioConfig:
    return StudioConfig(
        folder=tmp_path / "studio", host="testserver", port=80, composers=(address,)
    )


@pytest.fixture
def visitor(client: TestClient) -> TestClient:
    """A browser whose scripts send the token of its forms."""
    client.headers["x-csrf-token"] = read_csrf_token(client)
    return client


def compose(client: TestClient, **wishes: str) -> list[str]:
    """The codes of what a script composes."""
    answer = client.post("/compose", data={"sent": "1", "form": "1", **wishes}, headers=JSON)
    assert answer.status_code == 200, answer.text
    codes: list[str] = answer.json()["codes"]
    return codes


def read_events(client: TestClient, code: str, **request: Any) -> list[tuple[int, str, Any]]:
    """Numbers, kinds and data of the events of a tune, to its end."""
    answer = client.get(f"/c/{code}/stream", **request)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-accel-buffering"] == "no"
    return parse_events(answer.text)


def parse_events(text: str) -> list[tuple[int, str, Any]]:
    pattern = re.compile(r"(?:id: (\d+)\n)?event: (\w+)\ndata: (.*)\n\n")
    return [(int(n or 0), kind, json.loads(data)) for n, kind, data in pattern.findall(text)]


def test_a_tune_is_the_one_of_its_wishes_and_seed_and_stays_so(
    visitor: TestClient, database: Database
) -> None:
    (code,) = compose(visitor, dance="jig", key="D", mode="mix", seed="7", keep_seed="1")
    events = read_events(visitor, code)
    (expected,) = tunes.load_composer().compose(dance="jig", key="D", mode="mix", seed=7)
    _, kind, data = events[-1]
    assert (kind, data["abc"]) == ("done", expected.abc())
    sent = [token for _, k, d in events if k == "tokens" for token in d["t"]]
    assert sent == [*expected.tokens]
    with database.open_session() as session:
        row = session.scalars(select(Composition)).one()
        assert (row.state, row.abc, row.seed) == ("done", expected.abc(), 7)
        assert row.tokens == [*expected.tokens]
    again = read_events(visitor, code)
    assert again[-1] == events[-1]
    assert [kind for _, kind, _ in again] == ["start", "tokens", "done"]
    page = visitor.get(f"/c/{code}").text
    assert expected.abc().splitlines()[-1].replace('"', "&#34;")[:20] in page
    assert re.search(r'<option value="jig" selected', page)
    assert re.search(r'name="seed"[^>]* value="7"', page)
    head, _, music = visitor.get(f"/c/{code}.abc").text.partition("\nK:")
    assert music == expected.abc().partition("\nK:")[2]
    assert f"\nF:http://testserver:80/c/{code}" in head


def test_a_stream_goes_on_behind_the_last_event_that_came(visitor: TestClient) -> None:
    (code,) = compose(visitor, seed="11", keep_seed="1")
    whole = read_events(visitor, code)
    (other,) = compose(visitor, seed="11", keep_seed="1")
    text = visitor.get(f"/c/{other}/stream", headers={"last-event-id": "3"}).text
    rest = parse_events(text)
    assert min(number for number, _, _ in rest) > 3
    assert rest[-1][1:] == whole[-1][1:]
    assert read_events(visitor, other, params={"after": whole[-1][0]})[-1][1] == "done"


def test_the_answer_to_a_form_may_be_the_stream_itself(visitor: TestClient) -> None:
    answer = visitor.post(
        "/compose",
        data={"sent": "1", "form": "1", "seed": "5", "keep_seed": "1"},
        headers={"accept": "text/event-stream, application/json"},
    )
    events = parse_events(answer.text)
    assert (events[0][1], events[0][2]["seed"]) == ("codes", "5")
    (expected,) = tunes.load_composer().compose(seed=5)
    assert events[-1][2]["abc"] == expected.abc()


def test_without_scripts_the_tune_is_there_when_the_page_is(client: TestClient) -> None:
    form = {"csrf_token": read_csrf_token(client), "sent": "1", "form": "1", "count": "2"}
    answer = client.post("/compose", data=form | {"seed": "20", "keep_seed": "1"})
    assert answer.status_code == 303
    page = client.get(answer.headers["location"]).text
    assert page.count('data-state="done"') == 2
    for tune in tunes.load_composer().compose(2, seed=20):
        assert tune.title.replace("'", "&#39;") in page


@pytest.mark.parametrize(
    ("wishes", "field", "words"),
    [
        ({"temperature": "0"}, "temperature", "0.01 to 10"),
        ({"temperature": "warm"}, "temperature", "warm"),
        ({"seed": "-1", "keep_seed": "1"}, "seed", "whole number"),
        ({"seed": str(2**63), "keep_seed": "1"}, "seed", "whole number"),
        ({"seed": str(2**63 - 1), "keep_seed": "1", "count": "2"}, "seed", "room for 2"),
        ({"count": "5"}, "count", "from 1 to 4"),
        ({"dance": "tango"}, "dance", "tango"),
        ({"dance": "jig", "meter": "4/4"}, "meter", "6/8"),
        ({"start": "G2 ? A"}, "start", "at character 4"),
        ({"key": "H"}, "key", "H"),
        ({"model": "0" * 64}, "model", "model"),
    ],
)
def test_what_is_not_understood_is_refused_at_its_field_and_kept(
    visitor: TestClient, database: Database, wishes: dict[str, str], field: str, words: str
) -> None:
    form = {"sent": "1", "form": "1", **wishes}
    answer = visitor.post("/compose", data=form, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert words in answer.json()["problem"]
    page = visitor.post("/compose", data=form)
    assert page.status_code == 422
    assert re.search(rf'id="{field}-problem" data-problem-of="{field}" *>[^<]', page.text)
    for value in wishes.values() if field != "model" else ():
        assert value in page.text
    with database.open_session() as session:
        assert session.scalars(select(Composition)).all() == []


def test_bars_are_varied_filled_and_continued(visitor: TestClient) -> None:
    (code,) = compose(visitor, dance="jig", seed="2", keep_seed="1")
    source = read_events(visitor, code)[-1][2]
    for kind in ("vary", "fill", "continue"):
        answer = visitor.post(
            f"/c/{code}/edit",
            data={"kind": kind, "bars": "3–4", "strength": "1", "seed": "1"},
            headers=JSON,
        )
        assert answer.status_code == 200, answer.text
        (other,) = answer.json()["codes"]
        events = read_events(visitor, other)
        assert events[-1][1] == "done"
        changed = tunes.read_tune(events[-1][2]["abc"])
        before = tunes.read_tune(source["abc"])
        ours = [changed.tokens[bar.start : bar.stop] for bar in changed.score.bars]
        theirs = [before.tokens[bar.start : bar.stop] for bar in before.score.bars]
        assert ours[:2] == theirs[:2]
        if kind == "vary":
            assert ours[2:4] != theirs[2:4]
        page = visitor.get(f"/c/{other}").text
        assert f'href="/c/{code}"' in page
    for bars in ("", "x", "0", "900"):
        answer = visitor.post(f"/c/{code}/edit", data={"kind": "fill", "bars": bars}, headers=JSON)
        assert (answer.status_code, answer.json()["field"]) == (422, "bars")
    count = len(before.score.bars)
    for kind in ("fill", "vary"):
        answer = visitor.post(f"/c/{code}/edit", data={"kind": kind, "bars": "1-900"}, headers=JSON)
        assert answer.json() == {
            "problem": f"This tune has {count} bars; got bar {count + 1}.", "field": "bars",
        }  # fmt: skip


def test_a_temperature_may_have_a_decimal_comma(visitor: TestClient, database: Database) -> None:
    (_,) = compose(visitor, temperature=" 0,5 ")
    with database.open_session() as session:
        options = session.scalars(select(Composition.options)).one()
    assert options["temperature"] == 0.5
    for typed in ("0,5,1", "1.000,5", ","):
        answer = visitor.post("/compose", data={"temperature": typed}, headers=JSON)
        assert (answer.status_code, answer.json()["field"]) == (422, "temperature")


def test_a_tune_is_archived_once_by_who_composed_it(
    visitor: TestClient, studio_app: Any, database: Database
) -> None:
    (code,) = compose(visitor, seed="4", keep_seed="1")
    early = visitor.post(f"/c/{code}/archive", data={"title": "Early"}, headers=JSON)
    assert early.status_code == 422
    read_events(visitor, code)
    with TestClient(studio_app, follow_redirects=False) as stranger:
        stranger.headers["x-csrf-token"] = read_csrf_token(stranger)
        taken = stranger.post(f"/c/{code}/archive", data={"title": "Mine"}, headers=JSON)
        assert taken.status_code == 403
        assert "data-archive-form" not in stranger.get(f"/c/{code}").text
    assert "data-archive-form" in visitor.get(f"/c/{code}").text
    nameless = visitor.post(f"/c/{code}/archive", data={"title": " "}, headers=JSON)
    assert (nameless.status_code, nameless.json()["field"]) == (422, "title")
    kept = visitor.post(f"/c/{code}/archive", data={"title": "The <Mill>", "author": "Ann"})
    assert kept.status_code == 303
    address = kept.headers["location"]
    with database.open_session() as session:
        tune = session.scalars(select(ArchiveTune)).one()
        assert (tune.title, tune.author_name) == ("The <Mill>", "Ann")
        assert address == f"/tunes/{tune.id}"
        assert "\nT:The <Mill>\n" in tune.abc
    kept_abc = visitor.get(f"{address}.abc").text
    assert kept_abc.count("\nS:") == 1
    assert f"/c/{code}" in kept_abc
    twice = visitor.post(f"/c/{code}/archive", data={"title": "Again"}, headers=JSON)
    assert (twice.status_code, twice.json()["address"]) == (409, address)
    assert f'href="{address}"' in visitor.post(f"/c/{code}/archive", data={"title": "A"}).text
    assert "The &lt;Mill&gt;" in visitor.get(f"/c/{code}").text


def test_compositions_of_a_browser_and_of_a_member(
    visitor: TestClient, studio_app: Any, database: Database, member_id: int
) -> None:
    (code,) = compose(visitor)
    read_events(visitor, code)
    assert f"/c/{code}" in visitor.get("/compositions").text
    with TestClient(studio_app, follow_redirects=False) as other:
        log_in(other, database, member_id)
        assert f"/c/{code}" not in other.get("/compositions").text
        (own,) = compose(other)
        read_events(other, own)
    with TestClient(studio_app, follow_redirects=False) as elsewhere:
        log_in(elsewhere, database, member_id)
        assert f"/c/{own}" in elsewhere.get("/compositions").text


def test_one_composes_a_few_at_a_time_and_some_a_minute(
    visitor: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, "compose", ((9, 60),))
    for _ in range(2):
        for code in compose(visitor, count="4"):
            read_events(visitor, code)
    answer = visitor.post("/compose", data={"sent": "1", "count": "4"}, headers=JSON)
    assert answer.status_code == 429
    assert re.search(r"\d+ second", answer.json()["problem"])
    assert int(answer.headers["retry-after"]) > 0
    page = visitor.post("/compose", data={"sent": "1", "count": "4"})
    assert page.status_code == 429 and int(page.headers["retry-after"]) > 0


def test_a_tune_is_stopped_by_who_asked_for_it_alone(
    visitor: TestClient, studio_app: Any, database: Database
) -> None:
    (code,) = compose(visitor)
    with TestClient(studio_app, follow_redirects=False) as stranger:
        stranger.headers["x-csrf-token"] = read_csrf_token(stranger)
        assert stranger.delete(f"/c/{code}").status_code == 403
        without = stranger.delete(f"/c/{code}", headers={"x-csrf-token": ""})
        assert without.status_code == 403
    assert visitor.delete(f"/c/{code}").status_code == 204
    assert [kind for _, kind, _ in read_events(visitor, code)] == ["problem"]
    (other,) = compose(visitor)
    read_events(visitor, other)
    assert visitor.delete(f"/c/{other}").status_code == 204
    with database.open_session() as session:
        states = {row.code: row.state for row in session.scalars(select(Composition))}
    assert states == {code: "failed", other: "done"}


def test_what_no_active_model_composed_is_shown_as_it_was_stored(
    visitor: TestClient, database: Database
) -> None:
    (code,) = compose(visitor, seed="6", keep_seed="1")
    abc = read_events(visitor, code)[-1][2]["abc"]
    with database.open_session(write=True) as session:
        session.scalars(select(Composition)).one().model = "f" * 64
    assert read_events(visitor, code)[-1][2]["abc"] == abc
    assert "no longer active" in visitor.get(f"/c/{code}").text


@pytest.mark.parametrize("path", ["/c/aaaaaaaaaa", "/c/AAAAAAAAAA", "/c/a", "/c/aaaaaaaaaa/stream"])
def test_an_address_of_no_tune_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path, headers=JSON).status_code == 404


def test_a_full_disk_is_said_and_breaks_nothing(visitor: TestClient, studio_app: Any) -> None:
    engine = studio_app.state.studio.database.engine

    def limit(pages: int) -> None:
        @event.listens_for(engine, "checkout")
        def set_limit(connection: Any, *_: Any) -> None:
            connection.execute(f"PRAGMA max_page_count={pages}").close()

    (code,) = compose(visitor, seed="8", keep_seed="1")
    limit(1)  # SQLite takes the present size where that is more
    start = "G2 " * 340 + "|"
    for _ in range(20):
        form = {"sent": "1", "form": "", "start": start}
        answer = visitor.post("/compose", data=form, headers=JSON)
        if answer.status_code != 200:
            break
    assert (answer.status_code, "Try again" in answer.json()["problem"]) == (503, True)
    assert visitor.get(f"/c/{code}").status_code == 200
    limit(1_000_000)
    assert read_events(visitor, code)[-1][1] == "done"


def test_without_a_composing_process_pages_are_read_and_the_form_says_so(
    tmp_path: Path, database: Database
) -> None:
    config = StudioConfig(
        folder=tmp_path / "studio", host="testserver", port=80, composers=(f"unix:{tmp_path}/no",)
    )
    with TestClient(create_app(config), follow_redirects=False) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "No tune can be composed at present" in page.text
        assert 'data-arrival="wait"' in page.text
        assert client.get("/compose/models").json() == {"count": 0}
        assert client.get("/compositions").status_code == 200
