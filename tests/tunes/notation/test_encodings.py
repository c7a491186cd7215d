import gzip
import io
import os
import zipfile
from pathlib import Path

import pytest

from sluice.tunes.errors import NoTunesError, TuneError
from sluice.tunes.notation.encodings import decode, read_text

TUNE = "X:1\nT:Là-bas – Dvořák\nM:4/4\nK:C\nCDEF|\n"
FRENCH = "X:1\nT:Là-bas\nM:4/4\nK:C\nCDEF|\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_unicode_with_and_without_a_byte_order_mark(encoding: str) -> None:
    text, remarks = decode(TUNE.encode(encoding))
    assert (text, remarks) == (TUNE, ())


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_other_bytes_are_windows_1252(encoding: str) -> None:
    assert decode(FRENCH.encode(encoding)).characters == FRENCH
    quoted = "T:The Piper’s “Reel”\n"
    assert decode(quoted.encode("cp1252")).characters == quoted


def test_bytes_that_windows_1252_lacks_are_latin_1() -> None:
    assert decode(b"T:\xe0\x81\n").characters == "T:à\x81\n"


@pytest.mark.parametrize(
    ("field", "encoding", "title"),
    [
        ("%%abc-charset iso-8859-2", "iso-8859-2", "Dvořák"),
        ("I:abc-charset iso-8859-2", "iso-8859-2", "Dvořák"),
        ("I: abc-charset  ISO-8859-5", "iso-8859-5", "Ой"),
        ("%%abc-charset windows-1251", "cp1251", "Ой"),
        ("%%abc-charset utf-8", "utf-8", "Dvořák Ой"),
        ("%%abc-charset us-ascii", "ascii", "Reel"),
    ],
)
def test_the_character_set_of_the_file(field: str, encoding: str, title: str) -> None:
    written = f"%abc-2.1\n{field}\nX:1\nT:{title}\nK:C\nC\n"
    assert decode(written.encode(encoding)) == (written, ())


@pytest.mark.parametrize("name", ["klingon", "zip", "utf-7", "rot13", "unicode_escape", "idna"])
def test_a_character_set_that_is_not_known_is_remarked(name: str) -> None:
    text, remarks = decode(f"%abc\n%%abc-charset {name}\nT:Dvořák\n".encode())
    assert "T:Dvořák" in text
    assert [(one.line, "not known" in one.kind) for one in remarks] == [(2, True)]


def test_a_character_set_that_the_bytes_are_not_in_is_remarked() -> None:
    text, remarks = decode("%%abc-charset us-ascii\nT:Dvořák\n".encode())
    assert "T:Dvořák" in text
    assert [(one.line, "not in" in one.kind) for one in remarks] == [(1, True)]


def make_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.abc", TUNE)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \r\n\t\n", "is empty"),
        (make_zip(), "zip archive; unpack it"),
        (gzip.compress(TUNE.encode(), mtime=0), "packed by gzip"),
        (b"MThd\0\0\0\6\0\1", "is MIDI"),
        (b"%PDF-1.7\n\xff\xfe", "is a PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\xff", "is not text"),
        (b"<?xml version='1.0'?>\n<!DOCTYPE score-partwise PUBLIC>\n", "is MusicXML"),
        (bytes(64), "is not text"),
    ],
)
def test_what_is_no_text_is_refused_by_what_it_is(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "tunes.abc"
    path.write_bytes(content)
    with pytest.raises(NoTunesError, match=message) as caught:
        read_text(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero"), tmp_path / "nowhere.abc", Path("a\0b")):
        with pytest.raises(TuneError):
            read_text(path)


def test_a_pipe_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, TUNE.encode())
    os.close(writing)
    try:
        assert read_text(f"/dev/fd/{reading}").characters == TUNE
    finally:
        os.close(reading)
