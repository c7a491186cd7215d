import pytest

from sluice.tunes.errors import AbcSyntaxError
from sluice.tunes.notation import abc_file
from sluice.tunes.tune import Tune, from_abc


def tune(body: str, meter: str = "4/4", key: str = "C", unit: str = "1/8") -> Tune:
    return from_abc(
        abc_file.split_blocks(f"X:1\nT:A\nM:{meter}\nL:{unit}\nK:{key}\n{body}\n", "test")[0]
    )


def test_a_jig_in_d_is_transposed_to_c() -> None:
    jig = tune("|: A | d2f afd :|", meter="6/8", key="D")
    assert " ".join(jig.tokens) == "M:6/8 K:Cmaj |: G | c 2 e g e c :|"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C D/ E// F3/2 G/3|", "C D /2 E /4 F 3/2 G /3 |"),
        ("A>B c<d|", "A 3/2 B /2 c /2 d 3/2 |"),
        ("(3ABc d2|", "(3 A B c d 2 |"),
        ("(3:2:4A2Bcd|", "(3:2:4 A 2 B c d |"),
        ("[CEG]2 z2|", "[ C E G ] 2 z 2 |"),
        ("A-A B-c|", "A - A B c |"),
        ("^FF f|F|", "^F ^F ^f | F |"),
        ("^F-|F F|", "^F - | ^F F |"),
        ('"Am"~A {g}!trill!B (cd) |', "A B c d |"),
        ("A|1 B:|2 c||", "A |1 B :| |2 c ||"),
        ("||A|]B[|c||d|", "A || B || c || d |"),
        ("A||:B:||c||\n|:d|]", "A |: B :| c |: d ||"),
        ("A|\n|B[|]c|", "A | B | c |"),
        ("A||[1B:|2c|]", "A || |1 B :| |2 c ||"),
        ("AB::cd:|", "A B :: c d :|"),
        ("A[M:3/4]B|", "A M:3/4 B |"),
        ("Z2|A|", "z 8 | z 8 | A |"),
        ("A B", "A B |"),
        ("A B|=20\nc|=\nd|", "A B | c | d |"),
        ("A|\n: B:|", "A |: B :|"),
        ("A4|\nz:|", "A 4 | z :|"),
    ],
)
def test_bodies(body: str, expected: str) -> None:
    assert " ".join(tune(body).tokens[2:]) == expected


def test_the_unit_length_becomes_an_eighth() -> None:
    assert tune("A B/ |", unit="1/4").tokens[2:] == ("A", "2", "B", "|")


def test_flats_of_the_key_are_written_into_the_tokens() -> None:
    assert tune("E =E E|E|", key="Cm").tokens[2:] == ("_E", "E", "E", "|", "_E", "|")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("A |\n[CE |", "not closed"),
        ("A |\n^/A B|", "microtone, which is unsupported"),
        ("A |\n+CEG+ B|", "chord between . signs, which is unsupported"),
        ("A |\n\u266dB|", "printed accidental"),
        ("A |\n[3-1 B|", "counts backwards"),
        ("A |\nA > |", "no second note"),
        ("A |\n(3AB|", "too few notes"),
        ("A |\n? B|", "means nothing"),
        ("A |\nB0|", "takes no time"),
        ("A |\nB c: d|", "belongs to no bar line"),
    ],
)
def test_faults_name_their_line(body: str, message: str) -> None:
    with pytest.raises(AbcSyntaxError, match=message) as caught:
        tune(body)
    assert caught.value.line == 7


def test_a_tune_of_rests_has_no_notes() -> None:
    with pytest.raises(AbcSyntaxError, match="no notes"):
        tune("z4|")


def test_written_abc() -> None:
    tokens = ("M:6/8", "K:Cdor", "|:", "c", "_e", "g", "_a", "2", "a", ":|")
    written = Tune(tokens, "Two words", rhythm="jig")
    assert written.abc(number=3) == (
        "X:3\nT:Two words\nR:jig\nM:6/8\nL:1/8\nK:Cdor\n|:ceg _a2=a:|\n"
    )


@pytest.mark.parametrize(
    "body",
    [
        "|:^F F f =f|1 A>B (3cde:|2 [CE]-[CE] z2|]",
        "_B,2 (3:2:2A2B | ^c'-|c' c [M:3/4] d6|",
        "G,A,::B c/4d3/4|1,3 e:|2,4 f:|",
        "A||B|]c||[1d:|2e||f|]",
    ],
)
def test_round_trip_changes_nothing(body: str) -> None:
    first = tune(body, key="Gmix")
    second = from_abc(abc_file.split_blocks(first.abc(), "test")[0])
    assert second.tokens == first.tokens
    assert second.abc() == first.abc()
