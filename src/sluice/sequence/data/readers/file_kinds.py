"""What a file is: of what kind by its first bytes, and whether it is one that has an end."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import NamedTuple

from sluice.files import StrPath
from sluice.sequence.data.report import make_read_error
from sluice.sequence.errors import DataError


class FileKind(NamedTuple):
    """A kind of file that is no text, and what to do with it."""

    name: str
    advice: str


_UNPACK = "unpack it first"
_EXPORT = "save it as plain text first"
_ZIP = FileKind("a zip archive", "unpack it and give the folder")
_KINDS = {
    b"\x1f\x8b": FileKind("packed by gzip", _UNPACK),
    b"BZh": FileKind("packed by bzip2", _UNPACK),
    b"\xfd7zXZ": FileKind("packed by xz", _UNPACK),
    b"\x28\xb5\x2f\xfd": FileKind("packed by zstd", _UNPACK),
    b"PK\x05\x06": FileKind("an empty zip archive", "give a file with content"),
    b"PK\x03\x04": _ZIP,
    b"7z\xbc\xaf": FileKind("a 7z archive", "unpack it and give the folder"),
    b"Rar!": FileKind("a rar archive", "unpack it and give the folder"),
    b"%PDF": FileKind("a PDF", "extract its text first, with pdftotext for one"),
    b"{\\rtf": FileKind("a document in RTF", _EXPORT),
    b"\xd0\xcf\x11\xe0": FileKind("an old document of an office program", _EXPORT),
    b"\x89PNG": FileKind("a picture", "give a file of text"),
    b"\xff\xd8\xff": FileKind("a picture", "give a file of text"),
    b"GIF8": FileKind("a picture", "give a file of text"),
    b"RIFF": FileKind("sound or film", "give a file of text"),
    b"OggS": FileKind("sound", "give a file of text"),
    b"ID3": FileKind("sound", "give a file of text"),
    b"SQLite format 3": FileKind("a database", "export a table as CSV first"),
    b"\x7fELF": FileKind("a program", "give a file of text"),
}
_IN_ZIP = {
    b"word/": FileKind("a Word document (.docx)", _EXPORT),
    b"xl/": FileKind("an Excel file (.xlsx)", "save it as CSV first"),
    b"ppt/": FileKind("a presentation (.pptx)", _EXPORT),
    b"application/epub": FileKind("an e-book (.epub)", _EXPORT),
    b"opendocument": FileKind("a document of LibreOffice", _EXPORT),
}
_HTML = (b"<!doctype html", b"<html")
HEAD_SIZE = 1 << 13
"""Bytes by which a kind is known."""


def find_file_kind(head: bytes) -> FileKind | None:
    """The kind of a file that is no text, by its first `HEAD_SIZE` bytes; None for others.

    >>> find_file_kind(b"%PDF-1.7").name, find_file_kind(b"To be")
    ('a PDF', None)
    """
    for start, kind in _KINDS.items():
        if head.startswith(start):
            inner = (found for mark, found in _IN_ZIP.items() if kind is _ZIP and mark in head)
            return next(inner, kind)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:20].lower().startswith(_HTML):
        return FileKind("a page in HTML", "extract its text first")
    return None


def require_text_file(path: StrPath) -> None:
    """Refuse a file that is known to be no text.

    Raises:
        DataError: of which kind it is, and what to do; or it cannot be read.
    """
    kind = find_file_kind(read_head(path, HEAD_SIZE))
    if kind is not None:
        raise DataError(f"{path} is no text but {kind.name}; {kind.advice}.")


def read_head(path: StrPath, size: int) -> bytes:
    """The first bytes of a file.

    Raises:
        DataError: it cannot be read, or is a pipe or a device, which may have no end.
    """
    require_regular_file(path)
    try:
        with Path(path).open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise make_read_error(path, error) from None


def require_regular_file(path: StrPath) -> None:
    """Refuse folders, pipes and devices.

    Raises:
        DataError: what is not an ordinary file, or cannot be found.
    """
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise make_read_error(path, error) from None
    except ValueError:  # a NUL in the name
        raise DataError(f"{str(path)!r} is no path; check it.") from None
    if stat.S_ISDIR(mode):
        raise DataError(f"{path} is a folder; give a file.")
    if not stat.S_ISREG(mode):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
        raise DataError(f"{path} is {kind}, not a file; save what it holds to a file first.")
