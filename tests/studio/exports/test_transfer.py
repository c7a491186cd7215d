"""Backups and exports, into either kind of database."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from command import run, sentence
from sluice.studio.app import create_app
from sluice.studio.archive.database import Database
from sluice.studio.archive.recordings import ArchiveRecording
from sluice.studio.archive.schema import upgrade_database
from sluice.studio.archive.search import TuneQuery, find_tunes
from sluice.studio.archive.tables import (
    ArchiveEvent,
    ArchiveTune,
    Base,
    Book,
    BookEntry,
    Comment,
    Composition,
    Media,
    Member,
    Month,
    MonthEntry,
    Vote,
)
from sluice.studio.archive.tunes import add_tune
from sluice.studio.config import StudioConfig
from sluice.studio.errors import StudioError
from sluice.studio.exports.backup import read_backup, write_backup
from sluice.studio.exports.transfer import read_folder, write_folder
from sluice.studio.security.keys import load_key
from sluice.studio.security.uploads import get_media_path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the studio refuses Windows")

ABC = "X:1\nT:{title}\nR:jig\nM:6/8\nK:Ador\n|:e2A ABd|edB {last}:|\n"
SOUND = "ab" + "0" * 62


def fill(database: Database, folder: Path) -> None:
    """A row in most tables, and an upload."""
    path = get_media_path(folder, SOUND)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"OggS\0" * 100)
    load_key(folder)
    with database.open_session(write=True) as session:
        una = Member(email="una@example.org", name="Úna \U0001f3bb", password="$argon2id$x",
                     role="keeper", confirmed_at=datetime(2026, 1, 1, tzinfo=UTC))  # fmt: skip
        session.add(una)
        session.flush()
        composition = Composition(
            code="abcdefghij", model="m" * 64, options={"dance": "jig", "bars": [1]},
            seed=2**63 - 1, state="done", tokens=["M:6/8", "|:"], result={"number": 4},
            abc=ABC, title="One", owner_id=una.id,
        )  # fmt: skip
        session.add(composition)
        tunes = [
            add_tune(session, title=f"Tune {n}", abc=ABC.format(title=f"Tune {n}", last=last),
                     author=una, composition=composition if n == 0 else None)
            for n, last in enumerate(("A3", "G3", "B3"))
        ]  # fmt: skip
        media = Media(sha256=SOUND, mime="audio/ogg", seconds=1.5, size=500, owner_id=una.id)
        recording = ArchiveRecording(title="Home", kind="upload", media=media, author=una,
                                     recorded_on=date(2026, 2, 3), tunes=tunes[:2])  # fmt: skip
        event = ArchiveEvent(title="Session", author=una, tunes=tunes[:1],
                             starts_at=datetime(2026, 5, 6, 20, tzinfo=UTC))  # fmt: skip
        book = Book(name="Book", owner=una)
        book.entries = [BookEntry(tune=tunes[2], position=1, set_name="Set")]
        today = date(2026, 3, 1)
        month = Month(name="March", tune_vote_until=today, recordings_until=today,
                      recording_vote_until=today + timedelta(days=9))  # fmt: skip
        month.entries = [MonthEntry(tune=tunes[0])]
        session.add_all([recording, event, book, month])
        session.flush()
        session.add(Vote(month_id=month.id, kind="tune", member_id=una.id,
                         entry_id=month.entries[0].id))  # fmt: skip
        session.add(Comment(subject="tune", subject_id=tunes[0].id, author=una, text="**Ó**"))


def read_all(database: Database) -> dict[str, list[dict[str, Any]]]:
    """All rows but those that an import leaves out."""
    found = {}
    with database.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name not in ("tune_text", "allowance", "task_run"):
                rows = connection.execute(table.select().order_by(*table.primary_key.columns))
                found[table.name] = [dict(row) for row in rows.mappings()]
    return found


@pytest.fixture
def first(database: Database, config: StudioConfig) -> Database:
    fill(database, config.folder)
    return database


@pytest.fixture
def second(any_database: Database) -> Iterator[Database]:
    """An empty studio of either kind."""
    yield any_database


def test_an_export_is_the_same_studio_in_either_database(
    first: Database, config: StudioConfig, second: Database, tmp_path: Path
) -> None:
    counts = write_folder(first, config.folder, tmp_path / "out")
    assert counts["tune"] == 3 and counts["vote"] == 1
    assert sorted(path.name for path in (tmp_path / "out" / "tunes").iterdir()) == [
        "1-tune-0.abc", "2-tune-1.abc", "3-tune-2.abc",
    ]  # fmt: skip
    folder = tmp_path / "second"
    read_folder(second, folder, tmp_path / "out")
    assert read_all(second) == read_all(first)
    assert get_media_path(folder, SOUND).read_bytes() == b"OggS\0" * 100
    assert (folder / "secret.key").read_bytes() == (config.folder / "secret.key").read_bytes()
    with second.open_session(write=True) as session:
        assert find_tunes(session, TuneQuery(words="tune 2")).count == 1
        assert find_tunes(session, TuneQuery(notes="eAABdedBG")).count == 1
        session.add(ArchiveTune(title="Next", abc=ABC))
        session.flush()
        assert session.scalar(select(func.max(ArchiveTune.id))) == 4


def test_its_pages_are_the_same(
    first: Database, config: StudioConfig, url_with_tables: str, second: Database, tmp_path: Path
) -> None:
    write_backup(first, config.folder, tmp_path / "b.tar.gz")
    other = StudioConfig(
        folder=tmp_path / "second", database=url_with_tables, host="testserver", port=80
    )
    read_backup(second, other.folder, tmp_path / "b.tar.gz")
    paths = ("/api/v1/tunes", "/api/v1/tunes/1", "/api/v1/recordings", "/api/v1/books/1",
             "/tunes/2.abc", f"/media/{SOUND}", "/c/abcdefghij.abc")  # fmt: skip
    found = []
    for one in (config, other):
        with TestClient(create_app(one)) as browser:
            answers = [browser.get(path) for path in paths]
        assert [answer.status_code for answer in answers] == [200] * len(paths)
        found.append([answer.content for answer in answers])
    assert found[0] == found[1]


def test_a_backup_is_of_one_moment_while_others_write(
    first: Database, config: StudioConfig, tmp_path: Path
) -> None:
    is_over = threading.Event()

    def write() -> None:
        number = 0
        while not is_over.is_set():
            with first.open_session(write=True) as session:
                tune = ArchiveTune(title=f"New {number}", abc=ABC)
                session.add(tune)
                session.flush()
                session.add(Comment(subject="tune", subject_id=tune.id, text="new"))
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        counts = [write_backup(first, config.folder, tmp_path / f"{n}.tar.gz") for n in range(3)]
    finally:
        is_over.set()
        thread.join()
    for count in counts:  # each new tune came with a comment
        assert count["tune"] - 3 == count["comment"] - 1
    assert counts[0]["tune"] < counts[2]["tune"]
    assert not list(tmp_path.glob(".*"))


def test_only_an_empty_studio_is_filled(
    first: Database, config: StudioConfig, tmp_path: Path
) -> None:
    write_folder(first, config.folder, tmp_path / "out")
    before = read_all(first)
    with pytest.raises(StudioError, match="not empty"):
        read_folder(first, config.folder, tmp_path / "out")
    with pytest.raises(StudioError, match="not empty"):
        write_folder(first, config.folder, tmp_path / "out")
    assert read_all(first) == before


@pytest.mark.parametrize("damage", ["cut", "changed", "removed", "added", "format", "none"])
def test_what_is_damaged_is_refused_and_leaves_nothing(
    first: Database, config: StudioConfig, tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "out"
    write_folder(first, config.folder, out)
    rows, manifest = out / "rows" / "tune.jsonl", out / "manifest.json"
    if damage == "cut":
        os.truncate(rows, rows.stat().st_size // 2)
    elif damage == "changed":
        rows.write_text(rows.read_text().replace("Tune", "Toon"))
    elif damage == "removed":
        get_media_path(out, SOUND).unlink()
    elif damage == "added":
        (out / "media" / "more").write_text("x")
    elif damage == "format":
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 9}))
    else:
        shutil.rmtree(out)
        out.mkdir()
    empty = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    empty.create_tables()
    try:
        with pytest.raises(StudioError, match=r"damaged|manifest|format"):
            read_folder(empty, tmp_path / "second", out)
        assert not any(read_all(empty).values())
    finally:
        empty.close()


def test_a_file_that_is_no_backup_is_refused(database: Database, tmp_path: Path) -> None:
    for name, content in (("text", b"hello"), ("empty", b""), ("half", b"\x1f\x8b\x08" + b"0" * 9)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StudioError, match="no backup"):
            read_backup(database, tmp_path / "in", tmp_path / name)
    evil = tmp_path / "evil.tar.gz"
    with tarfile.open(evil, "w:gz") as archive:
        archive.add(tmp_path / "text", arcname="../../escaped")
    with pytest.raises(StudioError, match="no backup"):
        read_backup(database, tmp_path / "in", evil)
    assert not (tmp_path / "escaped").exists()


def test_the_commands_take_a_studio_from_folder_to_folder(
    config: StudioConfig, tmp_path: Path
) -> None:
    config.folder.mkdir()
    opened = Database(config.database_url)
    upgrade_database(opened)
    fill(opened, config.folder)
    opened.close()
    file, one, two = tmp_path / "b.tar.gz", tmp_path / "one", tmp_path / "two"
    said = run("studio", "backup", file, "--folder", config.folder)
    assert said.output.startswith("3 tunes, 1 members, 1 uploads written to"), said.output
    assert file.stat().st_mode & 0o077 == 0
    assert run("studio", "import", file, "--folder", one).exit_code == 0
    assert run("studio", "export", two, "--folder", one).exit_code == 0
    assert (two / "rows" / "tune.jsonl").read_text().count("\n") == 3
    assert "not empty" in sentence(run("studio", "import", two, "--folder", one))
    assert "no studio" in sentence(run("studio", "backup", file, "--folder", tmp_path / "none"))
    link = run("studio", "keeper", "Joe", "joe@example.org", "--folder", one)
    assert "/invitation/" in link.output, link.output
