"""Reading text files in chunks, and detecting their encoding."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn, TextIO

from sluice.extras import MissingExtraError
from sluice.files import StrPath
from sluice.option_names import name_option
from sluice.sequence.data.readers.encoding_damage import locate_invalid_byte, survey_bytes
from sluice.sequence.data.readers.encoding_guess import MULTIBYTE, guess_narrow, guess_wide
from sluice.sequence.data.readers.file_kinds import (
    read_head,
    require_regular_file,
    require_text_file,
)
from sluice.sequence.data.report import make_read_error, pluralize
from sluice.sequence.errors import DataError

CHUNK_SIZE = 1 << 18
"""Characters read at a time; never more of a file is in memory."""

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # starts with the mark of UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r\f\v\x1a\x1b")
_HIGH_CONTROLS = frozenset(map(chr, range(0x80, 0xA0)))
_NAMES = {
    "utf-8-sig": "UTF-8",
    "iso8859-1": "Latin-1",
    "koi8-r": "KOI8-R",
    "mac-roman": "Mac Roman",
    "mac-cyrillic": "Mac Cyrillic",
    "cp932": "Shift-JIS",
    "cp949": "EUC-KR",
    "euc_jp": "EUC-JP",
}
_SAMPLE = 1 << 16
_FEW, _RARE, _SMALL = 3, 50_000, 4096
"""In a file that is not small, fewer odd bytes, or rarer ones, are damage and no encoding."""
_LONG = 6
"""Characters of a line that are no chance in an encoding of several bytes a character."""
_MEND = "mend it, or name its encoding with {option}"
OnBytes = Callable[[int], None]


class TextScan(NamedTuple):
    """A text file's encoding, the set of its characters, and what was assumed of it, if anything.

    `is_guess` says that neither a mark nor the bytes themselves prove the encoding.
    """

    encoding: str
    characters: frozenset[str]
    note: str = ""
    is_guess: bool = False

    @property
    def name(self) -> str:
        """The usual name of the encoding."""
        return name_encoding(self.encoding)


def name_encoding(encoding: str) -> str:
    """The usual name of an encoding.

    >>> name_encoding("cp1252"), name_encoding("utf-16-le"), name_encoding("shift_jis")
    ('Windows-1252', 'UTF-16-LE', 'SHIFT_JIS')
    """
    name = codecs.lookup(encoding).name
    if name in _NAMES:
        return _NAMES[name]
    if name.startswith("cp125"):
        return f"Windows-{name[2:]}"
    return name.upper().replace("ISO8859", "ISO 8859")


def open_text(path: StrPath, encoding: str) -> TextIO:
    """Open a text file; every kind of line break is read as `\\n`.

    Raises:
        DataError: it cannot be opened, or there is no such encoding.
    """
    require_regular_file(path)
    try:
        return Path(path).open(encoding=encoding)
    except OSError as error:
        raise make_read_error(path, error) from None
    except (LookupError, ValueError):
        raise DataError(
            f"There is no encoding named {encoding!r}; {name_option('encoding')} is one such as "
            "utf-8, windows-1252 or shift-jis."
        ) from None


def read_chunks(
    path: StrPath, encoding: str, on_bytes: OnBytes = lambda read: None
) -> Iterator[str]:
    """The text in chunks of `CHUNK_SIZE` characters; `on_bytes` gets the bytes read so far.

    Raises:
        DataError: the file cannot be read.
        UnicodeDecodeError: bytes that are invalid in this encoding.
    """
    with open_text(path, encoding) as file:
        try:
            while piece := file.read(CHUNK_SIZE):
                yield piece
                on_bytes(file.buffer.tell())
        except OSError as error:
            raise make_read_error(path, error) from None


def scan_text(
    path: StrPath,
    encoding: str | None = None,
    on_bytes: OnBytes = lambda read: None,
    *,
    fallback: str | None = None,
) -> TextScan:
    """Read a file once: in `encoding`, or by its byte-order mark, or as UTF-8, else by a guess.

    Args:
        path: the file.
        encoding: of the file, if it is known.
        on_bytes: called with the bytes read so far.
        fallback: in place of a guess, if the file is neither marked nor UTF-8.

    Raises:
        DataError: it cannot be read, is empty, is not text, is in two encodings, is not in
            `encoding`, or is damaged: at which line and byte.
        MissingExtraError: a guess is needed, and charset-normalizer is not installed.
    """
    path = Path(path)
    require_text_file(path)
    marked = _detect_bom(path)
    if encoding is not None:
        found = _scan_as_asked(path, encoding, marked, on_bytes)
    else:
        found = _scan_detected(path, marked, fallback, on_bytes)
    if not found.characters:
        raise DataError(f"{path} is empty; give a file with content.")
    return found


def _scan_as_asked(path: Path, encoding: str, marked: str | None, on_bytes: OnBytes) -> TextScan:
    with open_text(path, encoding):
        name = codecs.lookup(encoding).name
    if marked is not None and not marked.startswith(name.removesuffix("-sig")):
        raise DataError(
            f"{path} starts with the byte-order mark of {name_encoding(marked)}, but "
            f"{name_option('encoding')} is {encoding!r}; leave that out."
        )
    found = _collect(path, marked or encoding, on_bytes)
    if isinstance(found, UnicodeError):
        _refuse_bytes(path, marked or encoding, "give another {option}")
    note = ""
    if name == "iso8859-1" and found & _HIGH_CONTROLS:
        note = (
            f"{path.name} has control characters in Latin-1, such as "
            f"{min(found & _HIGH_CONTROLS)!r}; if these are quotes and dashes, "
            f"{name_option('encoding')} is windows-1252."
        )
    elif not name.startswith("utf") and _is_utf8_too(path):
        note = (
            f"{path.name} is read as {name_encoding(name)}, but is UTF-8 as well: if letters come "
            f"out wrong, leave {name_option('encoding')} out."
        )
    return TextScan(marked or encoding, _require_text(path, found, {"\0"}), note)


def _is_utf8_too(path: Path) -> bool:
    """Whether the beginning of a file has characters beyond ASCII, all of them in UTF-8."""
    head = read_head(path, _SAMPLE)
    try:
        return not codecs.getincrementaldecoder("utf-8")().decode(head).isascii()
    except UnicodeDecodeError:
        return False


def _scan_detected(
    path: Path, marked: str | None, fallback: str | None, on_bytes: OnBytes
) -> TextScan:
    found = _collect(path, marked or "utf-8", on_bytes)
    if marked is not None and isinstance(found, UnicodeError):
        _refuse_bytes(path, marked, "mend it", "its byte-order mark says so")
    head = b"" if marked else read_head(path, _SAMPLE)
    wide = guess_wide(head) if b"\0" in head else None
    if not wide and not isinstance(found, UnicodeError):
        return TextScan(marked or "utf-8", _require_text(path, found, {"\0"}))
    if not wide:
        _require_text(path, frozenset(head.decode("latin-1")), _CONTROLS)
    chosen = wide or fallback or _guess_checked(path)
    found = _collect(path, chosen, on_bytes)
    if isinstance(found, UnicodeError):
        _refuse_bytes(path, chosen, _MEND, "nor is it UTF-8")
    how = "as the model's own data" if chosen == fallback else "which is a guess"
    note = (
        f"{path.name} is read as {name_encoding(chosen)}, {how}: "
        f"if letters come out wrong, give {name_option('encoding')}."
    )
    return TextScan(chosen, _require_text(path, found, _CONTROLS), note, is_guess=True)


def _collect(path: Path, encoding: str, on_bytes: OnBytes) -> frozenset[str] | UnicodeError:
    """The file's characters, or why they cannot be read."""
    found: set[str] = set()
    try:
        for piece in read_chunks(path, encoding, on_bytes):
            found.update(piece)
    except UnicodeError as error:
        return error
    return frozenset(found)


def _require_text(
    path: Path, characters: frozenset[str], refused: frozenset[str] | set[str]
) -> frozenset[str]:
    invalid = characters & refused
    if invalid:
        place = _find_line(path, min(invalid).encode())
        raise DataError(f"{path} is not text: line {place} has a control character.")
    return characters


def _detect_bom(path: Path) -> str | None:
    head = read_head(path, 4)
    return next((name for mark, name in _BOMS.items() if head.startswith(mark)), None)


def _guess_checked(path: Path) -> str:
    """A guess of the encoding of a file that is not UTF-8; refuses damage and mixtures."""
    survey = survey_bytes(path, CHUNK_SIZE)
    guess = _guess(path, survey.sample)
    is_rare = survey.size > _SMALL and survey.invalid < max(_FEW, survey.size // _RARE)
    if survey.change is not None and not is_rare:
        line, utf8_first, longest = survey.change
        if guess not in MULTIBYTE or longest >= _LONG or survey.valid > survey.invalid:
            names = ("UTF-8", "another encoding")
            before, after = names if utf8_first else names[::-1]
            raise DataError(
                f"{path} is in {before} up to line {line - 1} and in {after} from line {line} on; "
                f"save it in one encoding, or give {name_option('encoding')}."
            )
    if survey.valid >= survey.invalid or is_rare:
        _refuse_bytes(path, "utf-8", _MEND, pluralize(survey.invalid, "such byte"))
    if guess is None:
        _refuse_bytes(path, "utf-8", _MEND, "nor in another encoding that is known here")
    return guess


def _guess(path: Path, sample: bytes) -> str | None:
    try:
        # A character may be cut at the end of the sample.
        found = (guess_narrow(sample[: len(sample) - cut]) for cut in range(4))
        return next(filter(None, found), None)
    except ImportError:
        raise MissingExtraError("charset-normalizer", "data") from None


def _refuse_bytes(path: Path, encoding: str, advice: str, more: str = "") -> NoReturn:
    place = locate_invalid_byte(path, encoding, CHUNK_SIZE)
    raise DataError(
        f"{path} is not {name_encoding(encoding)} ({place}{more and '; '}{more}); "
        f"{advice.format(option=name_option('encoding'))}."
    )


def _find_line(path: Path, byte: bytes) -> int:
    """The first line with this byte, counted from 1."""
    line = 1
    with path.open("rb") as file:
        while piece := file.read(CHUNK_SIZE):
            at = piece.find(byte)
            line += piece.count(b"\n", 0, at if at >= 0 else len(piece))
            if at >= 0:
                break
    return line
