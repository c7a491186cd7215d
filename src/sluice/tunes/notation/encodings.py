"""The text of a file of tunes: its character set, and what is no text at all."""

from __future__ import annotations

import codecs
import re
import stat
from pathlib import Path
from typing import NamedTuple

from sluice.files import StrPath
from sluice.tunes.errors import NoTunesError, TuneError, make_read_error
from sluice.tunes.notation.remarks import Remark

_CHARSET = re.compile(rb"^(?:%%\s*abc-charset|I:\s*abc-charset)[ \t]+([\w.:-]+)", re.MULTILINE)
_CHARSETS = re.compile(r"iso8859-\d+|cp125\d|cp1252|utf-8|ascii|koi8-[ru]|mac-roman")
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive; unpack it and give the folder",
    b"PK\x05\x06": "an empty zip archive; give a file of tunes",
    b"\x1f\x8b": "packed by gzip; unpack it first",
    b"BZh": "packed by bzip2; unpack it first",
    b"\xfd7zXZ": "packed by xz; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it and give the folder",
    b"Rar!": "a rar archive; unpack it and give the folder",
    b"MThd": "MIDI; `sluice train` reads it as MIDI, and tunes must be in ABC",
    b"%PDF": "a PDF; give the ABC that it was made from",
    b"RIFF": "sound; give the tunes in ABC",
    b"OggS": "sound; give the tunes in ABC",
    b"ID3": "sound; give the tunes in ABC",
    b"<score-part": "MusicXML; convert it to ABC, as xml2abc does",
}
_XML = re.compile(rb"\s*<\?xml.{0,400}?<(?:!DOCTYPE )?(?:score-partwise|score-timewise)", re.DOTALL)


class Text(NamedTuple):
    """The characters of a file, and what of its character set was not as it says."""

    characters: str
    remarks: tuple[Remark, ...] = ()


def read_text(path: StrPath) -> Text:
    """The text of a file; see `decode` for its character set.

    Raises:
        NoTunesError: it is empty, or no text.
        TuneError: it cannot be opened, or is a folder or a device.
    """
    content = _read_bytes(Path(path))
    if not content.strip():
        raise NoTunesError(f"{path} is empty; give a file of tunes in ABC notation.")
    kind = _find_other_kind(content)
    if kind is not None:
        raise NoTunesError(f"{path} is {kind}.")
    text = decode(content)
    if "\0" in text.characters:
        raise NoTunesError(f"{path} is not text; give a file of tunes in ABC notation.")
    return text


def decode(content: bytes) -> Text:
    """Bytes as text: by the byte-order mark, else by `%%abc-charset`, else UTF-8 or Windows-1252.

    A character set that is not known, or that the bytes are not in, is remarked and passed over.

    >>> decode(b"T:Caf\\xe9").characters
    'T:Café'
    >>> decode("%%abc-charset iso-8859-2\\nT:Dvořák".encode("iso-8859-2")).characters[-6:]
    'Dvořák'
    """
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return Text(content.removeprefix(mark).decode(encoding, "replace"))
    # Without a mark, every other byte of Latin text in UTF-16 is zero.
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(content) > 3 and content[first::2].count(0) > 0.8 * (len(content) // 2):
            return Text(content.decode(encoding, "replace"))
    match = _CHARSET.search(content)
    if match is None:
        return Text(_decode_without_name(content))
    charset = _find_encoding(match[1].decode("ascii", "replace"))
    problem = "that is not known"
    if charset is not None:
        try:
            return Text(content.decode(charset))
        except UnicodeDecodeError:
            problem = "that the file is not in"
    line = content.count(b"\n", 0, match.start()) + 1
    remark = Remark(f"a character set {problem}, left out", line)
    return Text(_decode_without_name(content), (remark,))


def _decode_without_name(content: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")  # any bytes


def _find_encoding(name: str) -> str | None:
    """Python's name of a character set, of those that ABC and its programs know."""
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    return found if _CHARSETS.fullmatch(found) else None


def _read_bytes(path: Path) -> bytes:
    """The content of a file or pipe (a shell's `<(...)`); a device may have no end."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
            return path.read_bytes()
    except OSError as error:
        raise make_read_error(path, error) from None
    except ValueError:  # a NUL in the name
        raise TuneError(f"{str(path)!r} is no path; check it.") from None
    raise TuneError(f"{path} is no file; give a file of tunes in ABC notation.")


def _find_other_kind(content: bytes) -> str | None:
    for start, kind in _OTHER_KINDS.items():
        if content.startswith(start):
            return kind
    return _OTHER_KINDS[b"<score-part"] if _XML.match(content[:1000]) else None
