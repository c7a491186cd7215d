"""Recordings: links and uploads, with and without script, and who may change them."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
import soundfile
from starlette.testclient import TestClient

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import (
    Activity,
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Media,
)
from sluice.studio.archive.tables.base import get_now
from sluice.studio.config import StudioConfig
from sluice.studio.security.limits import LIMITS

LINK = "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3"


@pytest.fixture
def tunes(database: Database) -> list[int]:
    """Numbers of three tunes, of which one is hidden."""
    with database.open_session(write=True) as session:
        found = [
            ArchiveTune(title="The Sluice Gate", abc="X:1\nK:D\nD|\n"),
            ArchiveTune(title="The Mill <Race>", abc="X:1\nK:D\nD|\n"),
            ArchiveTune(title="Hidden", abc="X:1\nK:D\nD|\n", visibility="hidden"),
        ]
        session.add_all(found)
        session.flush()
        return [tune.id for tune in found]


def make_sound(seconds: float = 0.5) -> bytes:
    written = io.BytesIO()
    wave = 0.3 * np.sin(np.linspace(0, 440 * 2 * np.pi * seconds, int(16000 * seconds)))
    soundfile.write(written, wave, 16000, format="WAV")
    return written.getvalue()


def send(client: TestClient, data: dict[str, Any], path: str = "/recordings/new", **kwargs: Any):
    return client.post(path, data={"action": "save", **data}, **kwargs)


def test_a_link_becomes_a_link_to_its_host_in_a_new_tab(
    member_client: TestClient, client: TestClient, tunes: list[int], database: Database
) -> None:
    with database.open_session(write=True) as session:
        event = ArchiveEvent(title="Session night", starts_at=get_now())
        session.add(event)
        session.flush()
        event_id = event.id
    sent = {
        "title": "Live", "text": "*Fast* <b>x</b>", "link": LINK, "tune": tunes[:2],
        "recorded_on": "2018-04-05", "event": event_id,
    }  # fmt: skip
    answer = send(member_client, sent)
    assert answer.status_code == 303, answer.text
    page = client.get(answer.headers["location"]).text
    link = re.search(r'<a class="button" href="([^"]+)" target="_blank" rel="([^"]+)"', page)
    assert link is not None and link[1] == "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    assert {"nofollow", "noopener", "noreferrer"} <= set(link[2].split())
    assert "<iframe" not in page and "<b>x" not in page and "<em>Fast</em>" in page
    assert "The Mill &lt;Race&gt;" in page and "5 April 2018" in page and "Session night" in page
    assert "Live" in client.get("/recordings").text
    assert "Live" in client.get(f"/events/{event_id}").text
    with database.open_session() as session:
        assert session.get_one(ArchiveTune, tunes[1]).num_recordings == 1
        assert session.query(Activity).one().subject == "recording"


def test_no_page_lets_a_frame_or_another_address_in(client: TestClient) -> None:
    policy = client.get("/recordings").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-src" not in policy and "http" not in policy


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": " "}, "title"),
        ({"link": "https://evil.example/watch?v=dQw4w9WgXcQ"}, "link"),
        ({"link": "javascript:alert(1)"}, "link"),
        ({"link": ""}, "link"),
        ({"tune": []}, "tune"),
        ({"recorded_on": "2999-01-01"}, "recorded_on"),
        ({"recorded_on": "yesterday"}, "recorded_on"),
        ({"event": "99"}, "event"),
        ({"event": "x"}, "event"),
        ({"text": "x" * 10_001}, "text"),
    ],
)
def test_what_is_refused_is_said_at_its_field_and_nothing_is_lost(
    member_client: TestClient, tunes: list[int], database: Database, change: Any, field: str
) -> None:
    sent = {"title": "Kept title", "text": "Kept text", "link": LINK, "tune": tunes[:1]}
    answer = send(member_client, {**sent, **change})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    if field != "tune":
        assert f'id="{field}-error"' in answer.text
    if field != "title":
        assert 'value="Kept title"' in answer.text
    if field not in ("tune",):
        assert f'value="{tunes[0]}" checked' in answer.text
    with database.open_session() as session:
        assert session.query(ArchiveRecording).count() == 0


def test_an_upload_plays_from_this_site_and_seeks(
    member_client: TestClient, client: TestClient, tunes: list[int], config: StudioConfig,
    database: Database,
) -> None:  # fmt: skip
    sound = make_sound()
    answer = send(
        member_client,
        {"title": "At home", "tune": tunes[:1]},
        files={"file": ("tune.wav", sound, "audio/wav")},
    )
    assert answer.status_code == 303, answer.text
    page = client.get(answer.headers["location"]).text
    address = re.search(r'<audio[^>]* src="(/media/[0-9a-f]{64})"', page)
    assert address is not None
    whole = client.get(address[1])
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.get(address[1], headers={"range": "bytes=100-199"})
    assert part.status_code == 206 and part.content == whole.content[100:200]
    # Deleted with its file, which nothing else shows.
    assert len(list_files(config)) == 1
    gone = member_client.post(answer.headers["location"] + "/delete")
    assert gone.status_code == 303
    assert list_files(config) == [] and client.get(address[1]).status_code == 404
    with database.open_session() as session:
        assert session.query(Media).count() == 0
        assert session.get_one(ArchiveTune, tunes[0]).num_recordings == 0


def list_files(config: StudioConfig) -> list[str]:
    return [str(path) for path in (config.folder / "media").rglob("*") if path.is_file()]


def test_what_lies_about_its_type_is_refused(
    member_client: TestClient, tunes: list[int], config: StudioConfig
) -> None:
    for name, content in [
        ("tune.mp3", b"<html><script>alert(1)</script>"),
        ("tune.mp3", make_sound()),
        ("tune.wav", make_sound()[:30]),
        ("tune.wav", b""),
    ]:
        answer = send(
            member_client,
            {"title": "Kept", "tune": tunes[:1]},
            files={"file": (name, content, "audio/mpeg")},
        )
        assert answer.status_code == 422 and 'id="file-error"' in answer.text, name
        assert 'value="Kept"' in answer.text
    assert list_files(config) == []


def test_tunes_are_found_without_script_and_nothing_is_lost(
    member_client: TestClient, tunes: list[int]
) -> None:
    answer = send(
        member_client,
        {"action": "search", "tune_words": "mill", "title": "Typed", "tune": tunes[:1]},
    )
    assert answer.status_code == 200
    assert f'value="{tunes[0]}" checked' in answer.text
    assert re.search(rf'value="{tunes[1]}">\s*The Mill &lt;Race&gt;', answer.text)
    assert 'value="Typed"' in answer.text
    nothing = send(member_client, {"action": "search", "tune_words": "hidden"})
    assert "No tune found." in nothing.text


def test_a_script_gets_boxes_of_the_tunes_found(client: TestClient, tunes: list[int]) -> None:
    found = client.get("/choose-tunes", params={"words": "the RACE"}).text
    assert re.findall(r'value="(\d+)"', found) == [str(tunes[1])]
    assert re.findall(r'value="(\d+)"', client.get(f"/choose-tunes?words=%23{tunes[0]}").text) == [
        str(tunes[0])
    ]
    assert "value" not in client.get("/choose-tunes", params={"words": "%"}).text


def test_a_tune_or_event_can_be_chosen_by_the_address(
    member_client: TestClient, tunes: list[int]
) -> None:
    page = member_client.get(f"/recordings/new?tune={tunes[0]}").text
    assert f'value="{tunes[0]}" checked' in page
    assert member_client.get(f"/recordings/new?tune={tunes[2]}").status_code == 422


def test_only_its_author_and_keepers_change_a_recording(
    member_client: TestClient, keeper_client: TestClient, client: TestClient, database: Database,
    tunes: list[int],
) -> None:  # fmt: skip
    from studio.conftest import add_member, log_in

    made = send(member_client, {"title": "Mine", "link": LINK, "tune": tunes[:1]})
    path = made.headers["location"]
    assert "/edit" not in client.get(path).text
    assert client.get(f"{path}/edit").status_code == 303
    other = log_in(client, database, add_member(database, "Other"))
    for action in ("edit", "delete"):
        assert (
            send(other, {"title": "Stolen", "tune": tunes[:1]}, f"{path}/{action}").status_code
            == 403
        )
    changed = send(member_client, {"title": "Better", "tune": tunes[1:2]}, f"{path}/edit")
    assert changed.status_code == 303
    page = client.get(path).text
    assert "Better" in page and "Mill" in page and "Sluice Gate" not in page
    assert keeper_client.post(f"{path}/delete").status_code == 303
    assert client.get(path).status_code == 404


def test_a_new_members_recording_waits(
    client: TestClient, database: Database, tunes: list[int], keeper_id: int,
    member_client: TestClient,
) -> None:  # fmt: skip
    from studio.conftest import add_member, log_in

    new = log_in(client, database, add_member(database, "New"))
    path = send(new, {"title": "First post", "link": LINK, "tune": tunes[:1]}).headers["location"]
    assert "waits for a keeper" in new.get(path).text
    assert member_client.get(path).status_code == 404
    assert "First post" not in member_client.get("/recordings").text


def test_the_same_link_is_not_added_twice_to_a_tune(
    member_client: TestClient, tunes: list[int]
) -> None:
    assert send(member_client, {"title": "A", "link": LINK, "tune": tunes[:1]}).status_code == 303
    again = {"title": "B", "link": "https://youtu.be/dQw4w9WgXcQ", "tune": tunes[:1]}
    assert "here already: “A”" in send(member_client, again).text
    assert send(member_client, {**again, "tune": tunes[1:2]}).status_code == 303


def test_more_than_ten_posts_an_hour_are_refused(
    member_client: TestClient, tunes: list[int]
) -> None:
    codes = [
        send(
            member_client,
            {"title": "A", "link": f"https://youtu.be/dQw4w9WgX{n:02d}", "tune": tunes[:1]},
        ).status_code
        for n in range(11)
    ]
    assert codes == [303] * 10 + [429]


def test_older_recordings_are_on_further_pages(client: TestClient, database: Database) -> None:
    with database.open_session(write=True) as session:
        session.add_all(
            ArchiveRecording(title=f"Number {n:02d}", kind="link", host="vimeo", host_id="1")
            for n in range(35)
        )
    first = client.get("/recordings").text
    assert "Number 34" in first and "Number 05" in first and "Number 04" not in first
    older = re.search(r'href="(/recordings\?before=\d+)"', first)
    assert older is not None
    assert "Number 04" in client.get(older[1]).text


def test_refused_uploads_are_not_counted(
    member_client: TestClient, tunes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, "upload", ((2, 3600),))
    sent = {"title": "At home", "tune": tunes[:1]}
    for content in [make_sound()[:30]] * 3:
        file = {"file": ("tune.wav", content, "audio/wav")}
        assert send(member_client, sent, files=file).status_code == 422
    for _ in range(2):
        file = {"file": ("tune.wav", make_sound(), "audio/wav")}
        assert send(member_client, sent, files=file).status_code == 303
    file = {"file": ("tune.wav", make_sound(), "audio/wav")}
    refused = send(member_client, sent, files=file)
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) > 3000
