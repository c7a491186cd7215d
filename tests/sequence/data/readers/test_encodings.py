import codecs
import gzip
import os
from pathlib import Path

import pytest

from sluice.sequence import DataError
from sluice.sequence.data.readers import encodings
from sluice.sequence.data.readers.encodings import scan_text


def write_file(folder: Path, content: bytes) -> Path:
    path = folder / "a.txt"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "encoding", "characters"),
    [
        ("é\r\nb".encode(), "utf-8", "é\nb"),
        ("é".encode("utf-8-sig"), "utf-8-sig", "é"),
        ("é\n".encode("utf-16"), "utf-16", "é\n"),
        ("a\né".encode("latin-1"), "cp1252", "a\né"),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, encoding: str, characters: str) -> None:
    found = scan_text(write_file(tmp_path, content))
    assert found[:2] == (encoding, frozenset(characters))
    assert found.is_guess is (encoding == "cp1252")


@pytest.mark.parametrize("piece", [3, 1 << 18])
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["abc", "né".encode(), "foo", "né".encode("latin-1")], "UTF-8 up to line 3"),
        (["né".encode("latin-1"), "abc", "né".encode()], "another encoding up to line 2"),
        (["ééééé".encode(), "ééééé".encode()[:-1]], "UTF-8 up to line 1"),
    ],
)
def test_two_encodings(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    piece: int,
    lines: list[bytes | str],
    message: str,
) -> None:
    monkeypatch.setattr(encodings, "CHUNK_SIZE", piece)
    content = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    with pytest.raises(DataError, match=message):
        scan_text(write_file(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (b"", None, "is empty"),
        (b"a\nb\n\0c", None, "not text: line 3"),
        (b"a\n\xff\x01\xfe", None, "not text: line 2"),
        (b"ab\xe9", "utf-8", "is not UTF-8"),
        (b"ab", "utf-99", "no encoding named 'utf-99'"),
    ],
)
def test_invalid_files_are_refused(
    tmp_path: Path, content: bytes, encoding: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        scan_text(write_file(tmp_path, content), encoding)


def test_files_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_file(tmp_path, b"abc")
    path.chmod(0)
    if os.access(path, os.R_OK):

        def deny(*args: object, **kwargs: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(DataError, match=r"Cannot read .*a\.txt: Permission denied"):
        scan_text(path)


RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива.\n"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"
CHINESE = "道可道，非常道。名可名，非常名。无名天地之始；有名万物之母。\n"
ENGLISH = "“It’s a fine day” – naïve…\n"
FRENCH = "Le cœur a raison ; « voilà », dit-il, « où l’été mène ». Être élève, c’était rêver.\n"
POLISH = "Zażółć gęślą jaźń; pójdźże, kiń tę chmurność w głąb flaszy. Był ładny dzień.\n"
GERMAN = "Er ist schon weiß“\n„Größe heißt, für Süßes zu büßen“, sagte sie – Übermut tut gut.\n"


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        (ENGLISH, "cp1252", "Windows-1252"),
        (FRENCH, "cp1252", "Windows-1252"),
        (GERMAN, "cp1252", "Windows-1252"),  # its first line is UTF-8 as well
        (FRENCH, "mac-roman", "Mac Roman"),
        (POLISH, "cp1250", "Windows-1250"),
        (RUSSIAN, "cp1251", "Windows-1251"),
        (RUSSIAN, "koi8-r", "KOI8-R"),
        (RUSSIAN, "utf-16-le", "UTF-16-LE"),
        (JAPANESE, "cp932", "Shift-JIS"),
        (JAPANESE, "utf-16-be", "UTF-16-BE"),
        (CHINESE, "gb18030", "GB18030"),
        (CHINESE, "utf-32-le", "UTF-32-LE"),
    ],
)
def test_encodings_are_guessed_and_the_guess_is_noted(
    tmp_path: Path, text: str, encoding: str, name: str
) -> None:
    found = scan_text(write_file(tmp_path, (text * 5).encode(encoding)))
    assert found.characters == frozenset(text) and found.name == name
    assert found.note == (
        f"a.txt is read as {name}, which is a guess: if letters come out wrong, give encoding=."
    )


def test_a_fallback_stands_in_for_a_guess_alone(tmp_path: Path) -> None:
    path = write_file(tmp_path, (RUSSIAN * 3).encode("koi8-r"))
    assert scan_text(path, fallback="mac-roman").encoding == "mac-roman"
    path.write_text(RUSSIAN)
    assert scan_text(path, fallback="mac-roman").encoding == "utf-8"


@pytest.mark.parametrize("line", ["hello, this is fine\n", "ein schöner Tag – ja, wirklich\n"])
@pytest.mark.parametrize("byte", [0xFF, 0xE9, 0x80])
def test_one_bad_byte_of_many_is_damage(tmp_path: Path, line: str, byte: int) -> None:
    one = line.encode()
    content = bytearray(one * 3000)
    content[len(one) * 2000 + 3] = byte
    place = f"line 2001, byte {len(one) * 2000 + 4:,}: 0x{byte:02X}; 1 such byte"
    with pytest.raises(DataError, match=place):
        scan_text(write_file(tmp_path, bytes(content)))


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        ("né\n".encode("cp1252"), "shift-jis", r"not SHIFT_JIS \(line 1, byte 2: 0xE9\)"),
        ("é\n\udcff".encode("utf-8", "surrogateescape"), "utf-8", r"line 2, byte 4: 0xFF"),
        (codecs.BOM_UTF8 + b"a", "cp1252", "byte-order mark of UTF-8, but encoding= is 'cp1252'"),
        (codecs.BOM_UTF16_LE + b"a\0b", None, "not UTF-16 .*its byte-order mark says so"),
        (b"a", "zlib", "no encoding named 'zlib'"),
        (b"a", "a\0b", "no encoding named"),
    ],
)
def test_what_is_not_in_an_encoding_is_located(
    tmp_path: Path, content: bytes, encoding: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        scan_text(write_file(tmp_path, content), encoding)


def test_what_looks_wrong_in_the_encoding_asked_for_is_noted(tmp_path: Path) -> None:
    path = write_file(tmp_path, ENGLISH.encode("cp1252"))
    assert "such as '\\x85'; if these are quotes" in scan_text(path, "latin-1").note
    path.write_text(ENGLISH)
    assert "is UTF-8 as well" in scan_text(path, "cp1250", fallback=None).note
    marked = write_file(tmp_path, codecs.BOM_UTF8 + b"ab")
    assert scan_text(marked, "utf-8").characters == {"a", "b"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"to be", mtime=0), "no text but packed by gzip; unpack it first"),
        (b"%PDF-1.7\n", "but a PDF; extract its text"),
        (b"{\\rtf1 a}", "a document in RTF; save it as plain text"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><p>a", "a page in HTML"),
        (b"PK\x03\x04....word/document.xml", r"a Word document \(.docx\)"),
        (b"PK\x03\x04....a.txt", "a zip archive; unpack it and give the folder"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        scan_text(write_file(tmp_path, content))


def test_what_is_no_ordinary_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, message in (
        (tmp_path / "pipe", "is a pipe, not a file"),
        (tmp_path / "loop", "Cannot read"),
        (tmp_path, "is a folder"),
        (Path("/dev/zero"), "is a device or socket"),
        (tmp_path / "a\0b", "is no path"),
    ):
        with pytest.raises(DataError, match=message):
            scan_text(path)
