from fractions import Fraction
from pathlib import Path

import pytest

from sluice.tunes.errors import AbcSyntaxError, NoTunesError, TuneError
from sluice.tunes.notation import abc_fields, abc_file, tune_files

TWO = """% a comment
M:3/4

X:1
T:First
K:D % of course
ABc|

words between tunes
X:7
M:C|
L:1/4
R:Reel
K:Ador
A:|B2
"""


def test_tunes_are_cut_apart_with_their_lines() -> None:
    first, second = abc_file.split_blocks(TWO, "book")
    assert (first.title, first.line, second.title, second.line) == ("First", 4, "X:7", 10)
    assert [line.text for line in second.music_lines()] == ["A:|B2"]


def test_a_bracket_in_a_field_makes_it_no_music() -> None:
    (block,) = abc_file.split_blocks("X:1\nC:[trad.]\nZ:|someone|\nM:4/4\nK:C\nC\n", "book")
    assert block.parse_header().meter == "4/4"


def test_headers() -> None:
    first, second = (block.parse_header() for block in abc_file.split_blocks(TWO, "book"))
    assert (first.meter, first.unit_length) == ("3/4", Fraction(1, 8))
    assert (second.meter, second.unit_length, second.rhythm) == ("2/2", Fraction(1, 4), "Reel")
    assert (second.key.tonic, second.key.mode) == ("A", "dor")


@pytest.mark.parametrize(
    ("written", "meter"),
    [
        ("C", "4/4"),
        ("C|", "2/2"),
        ("6/8", "6/8"),
        ("2+3/8", "5/8"),
        ("(3+2)/4", "5/4"),
        ("none", "none"),
        ("", "none"),
    ],
)
def test_meters(written: str, meter: str) -> None:
    assert abc_fields.parse_meter(written, 1) == meter


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("X:1\nM:C3/2\nK:C\nC\n", 2, "M:C3/2"),
        ("X:1\nM:4/4\nC\n", 1, "no K:"),
        ("X:1\nM:4/4\nL:x\nK:C\nC\n", 3, "L:x"),
        ("X:1\nM:4/4\nK:Hm\nC\n", 3, "K:Hm"),
        ("X:1\nM:4/4\nCDEF|\nK:C\nC\n", 3, "above K:"),
    ],
)
def test_bad_headers_name_their_line(text: str, line: int, message: str) -> None:
    with pytest.raises(AbcSyntaxError, match=message) as caught:
        abc_file.split_blocks(text, "book")[0].parse_header()
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("content", "message"),
    [(b" \n", "is empty"), (b"X:1\0", "is not text"), (b"Dear Sir,\n", "begins with X:")],
)
def test_files_without_tunes(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "tunes.abc"
    path.write_bytes(content)
    with pytest.raises(NoTunesError, match=message):
        tune_files.read_file(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TuneError, match=r"nowhere\.abc"):
        tune_files.read_file(tmp_path / "nowhere.abc")


def test_old_files_in_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "tunes.abc"
    path.write_bytes("X:1\r\nT:Là-bas\r\nM:4/4\r\nK:C\r\nC\r\n".encode("latin-1"))
    assert tune_files.read_file(path).blocks[0].title == "Là-bas"
