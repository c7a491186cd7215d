"""Tunes in the forms of thesession.org: its table of tunes as JSON or CSV, and a tune's page.

A row of the table has `name`, `type`, `meter`, `mode` (`Gmajor`) and `abc`, which is music alone. A
tune's page (`?format=json`) has `name`, `type` and `settings`, each with `key` and `abc`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sluice.tunes.errors import NoTunesError
from sluice.tunes.notation.abc_file import split_lines
from sluice.tunes.notation.abc_lines import Line

_METERS = {
    "jig": "6/8",
    "slip jig": "9/8",
    "slide": "12/8",
    "polka": "2/4",
    "waltz": "3/4",
    "mazurka": "3/4",
    "three-two": "3/2",
    **dict.fromkeys(("reel", "hornpipe", "strathspey", "barndance", "march"), "4/4"),
}
"""What a page does not say of each type, and the site gives for it."""

_REQUIRED_COLUMNS = {"abc", "mode"}
_DELIMITERS = ",;\t"
_JSON_START = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[{\]])")
_LINE_BREAK_SIGN = re.compile(r"(?:(?<=[|\]:])|(?<=\s)|^)!(?=\s|$)")
_ESCAPED_BREAK = re.compile(r"\\r\\n|\\n")
_NO_TUNE = "an entry without abc and mode"
EXPECTED = (
    "JSON must be a list of tunes with name, type, meter, mode and abc, or one tune with name, "
    "type and settings, as The Session writes them"
)


class Record(NamedTuple):
    """A tune's lines in ABC; or its title and why there are none."""

    line: int
    lines: tuple[Line, ...] = ()
    title: str = ""
    problem: str = ""


def looks_like_json(text: str) -> bool:
    """Whether a text is JSON and not music: `[` begins a chord, too."""
    return _JSON_START.match(text) is not None


def read_json(text: str, source: str) -> list[Record]:
    """The tunes of a table or of a tune's page.

    Raises:
        NoTunesError: no JSON, or JSON of another form.
    """
    try:
        return list(_read_items(text, source))
    except NoTunesError:
        raise
    except json.JSONDecodeError as error:
        raise NoTunesError(
            f"{source}, line {error.lineno}: no complete JSON ({error.msg})."
        ) from None
    except (RecursionError, ValueError):  # a number of thousands of digits
        raise NoTunesError(f"{source} is JSON of another form: {EXPECTED}.") from None


def _read_items(text: str, source: str) -> Iterator[Record]:
    """Item by item, so that each has its line."""
    decoder, place = json.JSONDecoder(), _skip_blanks(text, 0)
    if text[place] == "{":
        page, end = decoder.raw_decode(text, place)
        _require_end(text, end)
        yield from _read_page(page, 1, source)
        return
    place, number = _skip_blanks(text, place + 1), 1
    seen = 0
    while text[place : place + 1] != "]":
        number += text.count("\n", seen, place)
        seen = place
        item, place = decoder.raw_decode(text, place)
        yield from _read_item(item, number, source)
        place = _skip_blanks(text, place)
        if text[place : place + 1] == ",":
            place = _skip_blanks(text, place + 1)
        elif text[place : place + 1] != "]":
            raise json.JSONDecodeError("a comma or a bracket is missing", text, place)
    _require_end(text, place + 1)


def _skip_blanks(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t", "\n", "\r"):
        place += 1
    return place


def _require_end(text: str, place: int) -> None:
    if text[place:].strip():
        raise json.JSONDecodeError("more after the end", text, place)


def _read_item(item: object, number: int, source: str) -> Iterator[Record]:
    if isinstance(item, dict) and "settings" in item:
        yield from _read_page(item, number, source)
    elif isinstance(item, dict) and item.keys() & {"abc", "mode", "key"}:
        yield _make_record(item, number)
    else:
        title = _clean(item.get("name")) if isinstance(item, dict) else ""
        yield Record(number, (), title, _NO_TUNE)


def _read_page(page: object, number: int, source: str) -> Iterator[Record]:
    settings = page.get("settings") if isinstance(page, dict) else None
    if isinstance(page, dict) and settings is None and "abc" in page:
        yield _make_record(page, number)
        return
    if not isinstance(page, dict) or not isinstance(settings, list):
        raise NoTunesError(f"{source} holds no tune: {EXPECTED}.")
    for setting in settings:
        if isinstance(setting, dict):
            shared = {name: page[name] for name in ("name", "type", "meter") if name in page}
            yield _make_record({**shared, **setting}, number)
        else:
            yield Record(number, (), _clean(page.get("name")), _NO_TUNE)


def find_delimiter(text: str) -> str | None:
    """What separates the columns, if the first line names those of a table of tunes."""
    head = next((line for line in text.splitlines() if line.strip()), "").lower()
    for delimiter in _DELIMITERS:
        names = {name.strip().strip('"') for name in head.split(delimiter)}
        if names >= _REQUIRED_COLUMNS:
            return delimiter
    return None


def read_csv(text: str, delimiter: str, source: str) -> list[Record]:
    """The tunes of a table whose first line names its columns.

    Raises:
        NoTunesError: it cannot be read as a table.
    """
    reader = csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter)
    skipped = len(text) - len(text.lstrip("\r\n"))
    before = text.count("\n", 0, skipped)
    records, first = [], 1
    try:
        names = [name.strip().lower() for name in next(reader)]
        first = reader.line_num + 1
        for row in reader:
            number, first = before + first, reader.line_num + 1
            if not any(map(str.strip, row)):
                continue
            fields = dict(zip(names, row, strict=False))
            if len(row) < len(names):
                title = _clean(fields.get("name"))
                records.append(Record(number, (), title, "a row with too few columns"))
            else:
                records.append(_make_record(fields, number))
    except csv.Error as error:
        line = before + reader.line_num
        raise NoTunesError(f"{source}, line {line}: no table ({error}).") from None
    return records


def _make_record(fields: Mapping[str, object], number: int) -> Record:
    """A tune's header from the columns, above its music."""
    title = _clean(fields.get("name"))
    abc, mode = fields.get("abc"), _clean(fields.get("mode") or fields.get("key"))
    rhythm = _clean(fields.get("type"))
    meter = _clean(fields.get("meter")) or _METERS.get(rhythm.lower(), "")
    if not isinstance(abc, str) or not abc.strip():
        return Record(number, (), title, "no music in the column abc")
    for value, what in ((mode, "mode or key"), (meter, "meter, and none known for its type")):
        if not value:
            return Record(number, (), title, f"no {what}")
    music = _LINE_BREAK_SIGN.sub("\n", _ESCAPED_BREAK.sub("\n", abc))
    identity = _clean(fields.get("setting_id") or fields.get("tune_id") or fields.get("id"))
    head = [f"X:{identity or 1}", f"T:{title}" if title else "", f"R:{rhythm}" if rhythm else ""]
    head += [f"C:{_clean(fields['composer'])}" if fields.get("composer") else ""]
    head += [f"M:{meter}", "L:1/8", f"K:{mode}"]
    written = [line.text for line in split_lines(music) if line.text.strip()]
    return Record(number, tuple(Line(number, text) for text in (*filter(None, head), *written)))


def _clean(value: object) -> str:
    """A value on one line: a line break in a name would begin another field."""
    return " ".join(str(value).split()) if isinstance(value, str | int) else ""
