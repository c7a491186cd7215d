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
        ("a\né".encode("latin-1"), "latin-1", "a\né"),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, encoding: str, characters: str) -> None:
    assert scan_text(write_file(tmp_path, content)) == (encoding, frozenset(characters))


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
