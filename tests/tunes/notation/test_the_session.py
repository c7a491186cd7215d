"""The forms of The Session's tables and pages, with tunes invented here."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from sluice.tunes.errors import NoTunesError
from sluice.tunes.notation.tune_files import TuneFile, split_tunes
from sluice.tunes.tune import Tune, from_abc

ROWS: list[dict[str, Any]] = [
    {
        "tune_id": "901", "setting_id": "1801", "name": "The Invented, Part One",
        "type": "slip jig",
        "meter": "9/8", "mode": "Gmajor", "abc": "|:GAB c2d e3|\r\nd2B A3 G3:|\r\n",
        "date": "2026-01-02 03:04:05", "username": "nobody",
    },
    {
        "tune_id": "902", "setting_id": "1802", "name": "A \"Quoted\" Reel", "type": "reel",
        "meter": "4/4", "mode": "Edorian", "abc": "|:EFGA B2c2|d4 e4:|",
        "date": "2026-01-02 03:04:06", "username": "nobody",
    },
]  # fmt: skip
EXPECTED = [
    ("The Invented, Part One", "slip jig", "G", "|: C D E F 2 G A 3 | G 2 E D 3 C 3 :|"),
    ('A "Quoted" Reel', "reel", "E", "|: C D _E F G 2 A 2 | _B 4 c 4 :|"),
]


def read(text: str) -> list[Tune]:
    return [from_abc(block) for block in split_tunes(text, "data").blocks]


def summarize(tunes: list[Tune]) -> list[tuple[str, str, str, str]]:
    return [(tune.title, tune.rhythm, tune.tonic, " ".join(tune.tokens[2:])) for tune in tunes]


def write_csv(rows: list[dict[str, Any]], **options: Any) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), **options)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize("indent", [None, 1])
def test_the_table_as_json(indent: int | None) -> None:
    tunes = read(json.dumps(ROWS, indent=indent))
    assert summarize(tunes) == EXPECTED
    assert [tune.meter for tune in tunes] == ["9/8", "4/4"]
    assert [tune.mode for tune in tunes] == ["maj", "dor"]
    assert [tune.line for tune in tunes] == ([1, 1] if indent is None else [2, 13])


@pytest.mark.parametrize(
    "options", [{}, {"quoting": csv.QUOTE_ALL}, {"delimiter": ";"}, {"delimiter": "\t"}]
)
def test_the_table_as_csv(options: dict[str, Any]) -> None:
    tunes = read(write_csv(ROWS, **options))
    assert summarize(tunes) == EXPECTED
    assert [tune.line for tune in tunes] == [2, 5]  # the first row's music takes three lines


def test_a_tunes_page() -> None:
    page = {
        "format": "json", "id": 901, "name": "The Invented", "type": "jig",
        "settings": [
            {"id": 1801, "key": "Dmajor", "abc": "|:DEF G2A|B3 A3|! A2F D3:|"},
            {"id": 1802, "key": "Gmajor", "abc": "|:GAB c2d|e3 d3|! d2B G3:|"},
        ],
    }  # fmt: skip
    tunes = read(json.dumps(page))
    music = "|: C D E F 2 G | A 3 G 3 | G 2 E C 3 :|"
    assert summarize(tunes) == [
        ("The Invented", "jig", "D", music),
        ("The Invented", "jig", "G", music),
    ]
    assert [tune.meter for tune in tunes] == ["6/8", "6/8"]


def find_problems(found: TuneFile) -> list[tuple[int, str, str]]:
    return [(one.line, one.title, one.reason) for one in found.problems]


def test_entries_without_a_tune_are_named() -> None:
    rows = [ROWS[0], {"name": "Empty", "mode": "Dmajor", "abc": " "}, {"name": "No key"}, 7]
    found = split_tunes(json.dumps(rows), "data")
    assert len(found.blocks) == 1
    assert find_problems(found) == [
        (1, "Empty", "no music in the column abc"),
        (1, "No key", "an entry without abc and mode"),
        (1, "", "an entry without abc and mode"),
    ]
    table = write_csv([ROWS[0]]) + "1,2,Short,reel\r\n"
    assert find_problems(split_tunes(table, "data")) == [(5, "Short", "a row with too few columns")]


def test_a_line_break_in_a_name_begins_no_field() -> None:
    row = {**ROWS[1], "name": "Bad\nK:Fmajor", "type": "reel\nM:6/8"}
    (tune,) = read(json.dumps([row]))
    assert (tune.title, tune.rhythm, tune.key.name, tune.meter) == (
        "Bad K:Fmajor", "reel m:6/8", "Edor", "4/4",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"tunes": []}', "JSON must be a list of tunes"),
        ('[{"name": "x"}]', "JSON must be a list of tunes"),
        ('[{"abc": "C"},', "no complete JSON"),
        ('[{"abc": "C"}] more', "no complete JSON"),
        ('{"settings": [', "no complete JSON"),
        ("[]", "a table without tunes"),
        ("name,abc,mode\n", "a table without tunes"),
        ("[" + '{"a":' * 100_000, "JSON of another form|no complete JSON"),
        ('[{"abc": ' + "1" * 5000 + "}]", "JSON"),
        ('abc,mode,name\n"' + "x" * 200_000 + '",C,a\n', "no table"),
    ],
)
def test_other_forms_are_refused_by_what_is_expected(text: str, message: str) -> None:
    with pytest.raises(NoTunesError, match=message) as caught:
        split_tunes(text, "data")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
