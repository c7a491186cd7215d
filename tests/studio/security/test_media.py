"""Uploaded files as browsers get them."""

from __future__ import annotations

import io

import pytest
from starlette.testclient import TestClient
from tests.studio.security.test_uploads import make_sound

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveRecording
from sluice.studio.config import StudioConfig
from sluice.studio.security.uploads import store_upload


def add_recording(database: Database, config: StudioConfig, visibility: str) -> str:
    with database.open_session(write=True) as session:
        media = store_upload(
            session, config.folder, io.BytesIO(make_sound()), "a.wav", "sound", None
        )
        session.add(
            ArchiveRecording(title="Played", kind="upload", media=media, visibility=visibility)
        )
        return media.sha256


def test_a_file_is_content_and_nothing_else(
    client: TestClient, database: Database, config: StudioConfig
) -> None:
    sha256 = add_recording(database, config, "public")
    answer = client.get(f"/media/{sha256}")
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["content-disposition"] == f'inline; filename="{sha256[:12]}.mp3"'
    part = client.get(f"/media/{sha256}", headers={"range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == answer.content[10:20]
    beyond = client.get(f"/media/{sha256}", headers={"range": "bytes=99999999-"})
    assert beyond.status_code == 416


@pytest.mark.parametrize("visibility", ["waiting", "hidden"])
def test_a_file_of_what_is_hidden_is_hidden(
    client: TestClient, keeper_client: TestClient, database: Database, config: StudioConfig,
    visibility: str,
) -> None:  # fmt: skip
    sha256 = add_recording(database, config, visibility)
    assert client.get(f"/media/{sha256}").status_code == 404
    assert keeper_client.get(f"/media/{sha256}").status_code == 200


@pytest.mark.parametrize(
    "name",
    ["0" * 64, "..%2f..%2fsecret.key", "../secret.key", "%2e%2e/studio.sqlite", "a" * 63, "A" * 64],
)
def test_no_other_file_is_reached(client: TestClient, name: str) -> None:
    assert client.get(f"/media/{name}").status_code == 404
