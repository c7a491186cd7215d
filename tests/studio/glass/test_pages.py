"""The addresses of the glass box, and its cache."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Composition
from sluice.studio.composing.client import ComposingClient
from sluice.studio.config import StudioConfig
from sluice.studio.exports.cache import FileCache
from sluice.studio.glass.packing import unpack
from sluice.studio.pages.glass import locate_pack, store_pack
from sluice.tunes.tune import Tune
from studio.glass.compositions import TUNE, add_composition, make_composer


@pytest.fixture
def pack(config: StudioConfig, database: Database) -> bytes:
    """The file of the composition `small`."""
    return add_composition(
        config, database, "small", make_composer("gru"), TUNE, Tune(TUNE, "A <b>")
    )


def test_the_page_names_the_file_that_it_draws(client: TestClient, pack: bytes) -> None:
    answer = client.get("/c/small/glass")
    assert answer.status_code == 200
    assert "Glass box: A &lt;b&gt;" in answer.text
    start = answer.text.index('data-glass="') + len('data-glass="')
    address = answer.text[start : answer.text.index('"', start)]
    answer = client.get(address)
    assert answer.content == pack
    assert "immutable" in answer.headers["cache-control"]
    header, _ = unpack(answer.content)
    assert header["tokens"] == list(TUNE)


def test_a_browser_gets_the_file_compressed_and_once(client: TestClient, pack: bytes) -> None:
    plain = client.get("/c/small/glass.bin", headers={"accept-encoding": "identity"})
    assert plain.content == pack
    assert "content-encoding" not in plain.headers
    packed = client.get("/c/small/glass.bin", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(pack) * 0.8
    again = client.get("/c/small/glass.bin", headers={"if-none-match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("address", ["/c/nothing/glass", "/c/nothing/glass.bin"])
def test_an_unknown_code_is_not_found(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("state", ["waiting", "running", "failed"])
def test_a_tune_that_is_not_complete_has_no_glass_box(
    client: TestClient, database: Database, state: str
) -> None:
    with database.open_session(write=True) as session:
        session.add(Composition(code="begun", model="m", options={}, seed=1, state=state))
    for address in ("/c/begun/glass", "/c/begun/glass.bin"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "not complete" in answer.text


def test_the_glas_herry_comment_is_told_without_its_notes(client: TestClient) -> None:
    text = client.get("/glas-herry").text
    for fact in ("23,962", "DeepBach", "Queen Mary University", "D mixolydian", "14128.mp3"):
        assert fact in text
    assert 'action="/compose"' in text
    for name, value in {"dance": "jig", "meter": "6/8", "key": "D", "mode": "mix"}.items():
        assert f'name="{name}" value="{value}"' in text
    assert "K:" not in text
    assert text.count('id="source-') == 6


def test_a_damaged_file_is_as_good_as_none(
    client: TestClient, pack: bytes, config: StudioConfig
) -> None:
    studio = client.app.state.studio  # type: ignore[attr-defined]
    studio.composing = ComposingClient(["unix:/nobody/listens"], patience=0)
    (path,) = (config.folder / "cache").rglob("*.glass")
    content = path.read_bytes()
    for damaged in (content[:20], b"", content[:-6] + b"123456"):
        path.write_bytes(damaged)
        answer = client.get("/c/small/glass.bin")
        assert answer.status_code == 503, "it is computed anew, and no composing process answers"
    path.write_bytes(content)
    assert client.get("/c/small/glass.bin").content == pack


def test_a_folder_that_cannot_be_written_is_no_reason_not_to_answer(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, where the folder should be")
    cache = FileCache(tmp_path / "cache")
    path = cache.make_path({"format": "glass"})
    assert gzip.decompress(store_pack(cache, path, b"bytes")) == b"bytes"


def test_places_differ_with_all_that_a_file_follows_from(tmp_path: Path) -> None:
    cache = FileCache(tmp_path)
    usual = {"model": "m", "tokens": ["a", "b"], "options": {"seed": 1}}
    others = [{}, {"model": "n"}, {"tokens": ["ab"]}, {"options": {"seed": 2}}]
    places = {locate_pack(cache, Composition(**{**usual, **other})) for other in others}
    assert len(places) == 4
