"""Tunes as files, over HTTP and through real job processes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from sampling import thin_out
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import (
    ArchiveTune,
    Book,
    BookEntry,
    Composition,
    Member,
    Setting,
)

pytest.importorskip("verovio")

JIG = """X:1
T:The Test Jig
C:Una
Q:3/8=120
M:6/8
L:1/8
K:Ddor
|:"Dm"{c}d2A FED|"C"EFG E2C|(3FED A2 A,D|d3-d3::
|:fga agf|e3 ^cde|1 D6:|2 d6|]
"""
WRITTEN = [74, 69, 65, 64, 62, 64, 65, 67, 64, 60, 65, 64, 62, 69, 57, 62, 74, 74,
           77, 79, 81, 81, 79, 77, 76, 73, 74, 76, 62, 74]  # fmt: skip
"""MIDI numbers of the jig's notes as written, without the grace note; read by hand."""
PLAYED_ONCE = 17 + 11
"""Notes that sound when nothing is repeated: the tied d is one."""


@pytest.fixture
def filled(client: TestClient, database: Database) -> Iterator[TestClient]:
    """A studio with a jig, as a composition, a tune, a setting and in a book."""
    with database.open_session(write=True) as session:
        una = Member(email="una@example.org", name="Una", password="x")
        tune = ArchiveTune(title="The Test Jig", abc=JIG, author=una)
        tune.settings.append(Setting(number=1, title="", abc=JIG.replace("Test", "Other")))
        hidden = ArchiveTune(title="Hidden", abc=JIG, visibility="hidden")
        book = Book(name='My "first" book\r\nó', owner=una)
        book.entries = [
            BookEntry(tune=tune, position=1),
            BookEntry(tune=tune, setting=tune.settings[0], position=2),
            BookEntry(tune=hidden, position=3),
        ]
        session.add_all([tune, hidden, book, Book(name="Empty", owner=una)])
        session.add(Composition(code="abcdefghij", model="m", options={}, seed=1, state="done",
                                abc=JIG, title="The Test Jig"))  # fmt: skip
        session.add(Composition(code="abcdefghik", model="m", options={}, seed=1))
    yield client


def get(client: TestClient, path: str) -> bytes:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    return answer.content


def test_abc_is_what_was_typed_and_says_where_it_comes_from(filled: TestClient) -> None:
    lines = get(filled, "/tunes/1.abc").decode().splitlines()
    assert [line for line in lines if line[:2] not in ("N:", "S:", "F:")] == JIG.splitlines()
    assert "F:http://testserver:80/tunes/1" in lines
    assert JIG.splitlines()[-1] in get(filled, "/c/abcdefghij.abc").decode()
    assert "T:The Other Jig" in get(filled, "/tunes/1/settings/1.abc").decode()


def test_midi_is_read_by_another_library(filled: TestClient) -> None:
    mido = pytest.importorskip("mido")
    file = mido.MidiFile(file=io.BytesIO(get(filled, "/c/abcdefghij.mid")))
    track = next(t for t in file.tracks if any(m.type == "note_on" for m in t))
    played = [m.note for m in track if m.type == "note_on" and m.velocity and m.channel == 0]
    assert played[:4] == [74, 69, 65, 64]


def test_a_score_has_every_note(filled: TestClient) -> None:
    root = ElementTree.fromstring(get(filled, "/tunes/1.svg"))
    groups = [str(g.get("class")).split()[:1] for g in root.iter("{http://www.w3.org/2000/svg}g")]
    assert groups.count(["note"]) == len(WRITTEN) + 1


def test_music_xml_is_read_back_by_verovio(filled: TestClient) -> None:
    verovio = pytest.importorskip("verovio")
    toolkit = verovio.toolkit()
    assert toolkit.loadData(get(filled, "/tunes/1.musicxml").decode())
    mei = ElementTree.fromstring(toolkit.getMEI())
    space = "{http://www.music-encoding.org/ns/mei}"
    steps = dict(zip("cdefgab", (0, 2, 4, 5, 7, 9, 11), strict=True))
    found = []
    for note in mei.iter(f"{space}note"):
        if note.get("grace"):
            continue
        signs = [note, *note.iter(f"{space}accid")]
        sharp = any("s" in (one.get("accid.ges"), one.get("accid")) for one in signs)
        found.append(12 * (int(note.get("oct", "")) + 1) + steps[note.get("pname", "")] + sharp)
    assert found == WRITTEN
    assert len(list(mei.iter(f"{space}ending"))) == 2
    assert [words.text for words in mei.iter(f"{space}harm")] == ["Dm", "C"]


def test_sound_lasts_as_long_as_the_tune(filled: TestClient) -> None:
    soundfile = pytest.importorskip("soundfile")
    sound = soundfile.info(io.BytesIO(get(filled, "/tunes/1.ogg")))
    bars, seconds_per_bar = 4 + 4 + 3 + 3, 1.0
    assert bars * seconds_per_bar <= sound.duration < bars * seconds_per_bar + 4


def test_a_book_is_abc_with_numbers_and_a_pdf_of_pages(filled: TestClient) -> None:
    text = get(filled, "/books/1.abc").decode()
    assert re.findall(r"^[XT]:.*", text, re.MULTILINE) == [
        "X:1", "T:The Test Jig", "X:2", "T:The Other Jig",
    ]  # fmt: skip
    assert get(filled, "/books/1.pdf").startswith(b"%PDF")
    name = filled.get("/books/1.abc").headers["content-disposition"]
    assert (
        name == "attachment; filename=my-first-book-.abc; filename*=UTF-8''my-first-book-%C3%B3.abc"
    )
    assert filled.get("/books/2.pdf").status_code == 422


@pytest.mark.parametrize(
    "path",
    ["/c/abcdefghik.abc", "/c/nothing.mid", "/tunes/2.abc", "/tunes/99.abc", "/tunes/x.abc",
     "/tunes/1.exe", "/tunes/1/settings/9.abc", "/books/9.abc", "/books/1.ogg", "/tunes/-1.abc",
     "/tunes/99999999999999999999.abc", "/tunes/1%0d%0a.abc"],
)  # fmt: skip
def test_what_is_not_there_is_said_so(filled: TestClient, path: str) -> None:
    assert filled.get(path).status_code == 404


def test_an_unchanged_file_is_not_sent_again(filled: TestClient) -> None:
    tag = filled.get("/tunes/1.abc").headers["etag"]
    assert filled.get("/tunes/1.abc", headers={"if-none-match": tag}).status_code == 304
    assert filled.get("/tunes/1.mid", headers={"if-none-match": tag}).status_code == 200


def test_a_file_is_made_once(filled: TestClient, studio_app: FastAPI) -> None:
    folder = Path(studio_app.state.studio.config.folder) / "cache"
    first = get(filled, "/tunes/1.svg")
    (path,) = [path for path in folder.glob("*/*") if path.suffix == ".svg"]
    path.write_bytes(b"kept")
    assert get(filled, "/c/abcdefghij.svg") == b"kept" != first


@pytest.mark.parametrize(
    ("abc", "says"),
    [
        ("X:1\nT:Long\nK:C\n" + "abcd efga|" * 1000, "8192 bytes"),
        ("X:1\nT:None\nK:C\n", ""),
        ("no music at all", ""),
        ("X:1\nT:A\nK:C\nabc|\n\nX:2\nT:B\nK:C\nabc|\n", "more than one tune"),
    ],
)
@pytest.mark.parametrize("ending", thin_out(["mid", "svg"], 2))
def test_a_tune_that_cannot_be_written_so_is_refused_in_a_sentence(
    client: TestClient, database: Database, abc: str, says: str, ending: str
) -> None:
    with database.open_session(write=True) as session:
        session.add(ArchiveTune(title="Bad", abc=abc))
    answer = client.get(f"/tunes/1.{ending}", headers={"accept": "application/json"})
    assert answer.status_code == 422
    assert says in answer.json()["problem"]
    assert client.get("/tunes/1.abc").status_code == 200
