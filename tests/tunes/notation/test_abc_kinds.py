"""What session players' files have besides notes and bars: read, or reported with its line.

Pitches (MIDI) and lengths (eighths) are worked out by hand from ABC 2.1; where it leaves them
open, they are what abc2midi plays.
"""

import pytest

from sluice.tunes.errors import AbcSyntaxError
from sluice.tunes.export.midi import build_melody
from sluice.tunes.notation.abc_file import split_blocks
from sluice.tunes.notation.parts import parse_part_order
from sluice.tunes.tune import Tune, from_abc

HEAD = "X:1\nT:t\nM:4/4\nL:1/8\n"


def read(text: str) -> Tune:
    return from_abc(split_blocks(text, "t")[0])


def play(tune: Tune) -> str:
    return " ".join(f"{note.pitch}:{note.length}" for note in build_melody(tune))


def check(text: str, expected: str, **remarks: int) -> Tune:
    """Play what is read, and play it again from the ABC that is written of it."""
    tune = read(text)
    assert play(tune) == expected
    again = read(tune.abc())
    assert (again.tokens, again.parts, again.part_order) == (
        tune.tokens,
        tune.parts,
        tune.part_order,
    )
    assert play(again) == expected
    assert again.abc() == tune.abc()
    return tune


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("[C-E-]4 [CE]4|", "60:8 64:8"),
        ("[C-E]4 [CE]4|", "64:4 60:8 64:4"),
        ("[CE]4-[CG]4|", "64:4 60:8 67:4"),
        ("C4-[CE]4|", "60:8 64:4"),
        ("[C-E-G-]2 [CEG]2-|[CEG]4|", "60:8 64:8 67:8"),
        ("^F4-|F4 F4|", "66:8 65:4"),
        ("[^F-A]4|[FA]2 F2|", "69:4 66:6 69:2 65:2"),
    ],
)
def test_ties_of_single_notes_of_chords(body: str, expected: str) -> None:
    check(f"{HEAD}K:C\n{body}\n", expected)


def test_a_chord_with_one_tie_has_tokens_of_its_own() -> None:
    tune = read(f"{HEAD}K:C\n[C-E]4 [CE]4-|[CE]8|\n")
    assert " ".join(tune.tokens[2:]) == "[ C - E ] 4 [ C E ] 4 - | [ C E ] 8 |"


@pytest.mark.parametrize(
    ("key", "body", "expected"),
    [
        ("E\u266d", "E4 B4|", "63:4 70:4"),
        ("F\u266fm", "F4 G4|", "66:4 68:4"),
        ("Am octave=-1", "A4 B4|", "57:4 59:4"),
        ("D octave=-1", "D8|", "50:8"),
        ("D octave = 1 clef=treble", "D8|", "74:8"),
        ("C clef=treble-8", "C8|", "48:8"),
        ("C treble+8", "C8|", "72:8"),
        ("C clef=bass middle=d", "C8|", "60:8"),
        ("C transpose=-2", "C4 B4|", "58:4 69:4"),
        ("G transpose=-12", "F8|", "54:8"),
        ("D stafflines=1", "D8|", "62:8"),
        ('Em clef=alto name="My viola"', "F8|", "66:8"),
        ("none", "F8|", "65:8"),
        ("", "F8|", "65:8"),
        ("clef=bass", "F8|", "65:8"),
        ("bass", "F8|", "65:8"),
        ("C exp _b ^f", "F2 B2 E4|", "66:2 70:2 64:4"),
        ("D exp _b_e^f", "F2 B2 E4|", "66:2 70:2 63:4"),
        ("D Phr ^f", "F4 E4|", "66:4 63:4"),
        ("HP", "F2 C2 G4|", "66:2 61:2 67:4"),
        ("Hp", "F2 C2 G4|", "66:2 61:2 67:4"),
        ("E", "F4|\nK:clef=bass\nF4|", "66:4 66:4"),
        ("E", "F4|[K:]F4|[K:none]F4|", "66:4 66:4 65:4"),
        ("C octave=-1", "C4|[K:G]F4|[K:octave=0]F4|", "48:4 54:4 66:4"),
    ],
)
def test_keys_and_clefs(key: str, body: str, expected: str) -> None:
    check(f"{HEAD}K:{key}\n{body}\n", expected)


@pytest.mark.parametrize("key", ["Hm", "C octave=low", "C transpose=999", "A foo"])
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(AbcSyntaxError) as caught:
        read(f"{HEAD}K:{key}\nC|\n")
    assert caught.value.line == 5


@pytest.mark.parametrize(
    ("text", "meter", "expected"),
    [
        ("X:1\nM:none\nK:C\nC8 D|E|\n", "none", "60:8 62:1 64:1"),
        ("X:1\nM:\nK:C\nC|\n", "none", "60:1"),
        ("X:1\nK:C\nC|\n", "none", "60:1"),
        ("X:1\nL:1/8\nK:G\nM:C|\nG8|\n", "2/2", "67:8"),
        ("X:1\nK:C\nM:2/4\nC4|\n", "2/4", "60:4"),
        ("X:1\nM:2/4\nK:C\nC|\n", "2/4", "60:1/2"),
        ("X:1\nM:2/4\nL:auto\nK:C\nC|\n", "2/4", "60:1/2"),
        ("X:1\nM:3/4\nL:1\nK:C\nC|\n", "3/4", "60:8"),
        ("X:1\nM:none\nK:C\nC|[M:3/4]D6|[M:none]E|\n", "none", "60:1 62:6 64:1"),
    ],
)
def test_meters(text: str, meter: str, expected: str) -> None:
    assert check(text, expected).meter == meter


def test_bars_of_free_meter_are_as_long_as_they_are() -> None:
    bars = read("X:1\nM:none\nL:1/8\nK:C\nC5 D|E3|\n").score.bars
    assert [(bar.duration, bar.length) for bar in bars] == [(6, 6), (3, 3)]


@pytest.mark.parametrize(
    ("order", "body", "expected"),
    [
        ("AAB", "P:A\nC8|\nP:B\nD8|\n", "60:8 60:8 62:8"),
        ("A2(BA)2", "P:A\nC8:|\nP:B\nD8|\n", " ".join(["60:8"] * 4 + ["62:8", "60:8", "60:8"] * 2)),
        ("BA", "G8|\nP:A\nC8|\n[P:B]D8|\n", "67:8 62:8 60:8"),
        ("AC", "P:A\nC8|\nP:B\nD8|\n", "60:8"),
        ("AB", "C8|D8|\n", "60:8 62:8"),
        ("what?", "P:A\nC8|\nP:B\nD8|\n", "60:8 62:8"),
        ("AB", "P:A\n|:C8|1D8:|2E8||\nP:B\nF8|G8:|\n", "60:8 62:8 60:8 64:8 65:8 67:8 65:8 67:8"),
    ],
)
def test_parts_are_played_in_their_order(order: str, body: str, expected: str) -> None:
    check(f"{HEAD}P:{order}\nK:C\n{body}", expected)


@pytest.mark.parametrize("order", ["A9999999", "((((A9)9)9)9)", "(A", "A)", "A-B", "A0"])
def test_orders_of_parts_that_are_none(order: str) -> None:
    with pytest.raises(ValueError, match="P:"):
        parse_part_order(order)


@pytest.mark.parametrize(
    ("text", "expected", "remarks"),
    [
        (
            f"{HEAD}K:C\nC8|\n%%begintext\nGABc def G\n\n%%endtext\nD8|\n",
            "60:8 62:8",
            {("%%begintext, left out", 7)},
        ),
        (
            "X:1\n%%begintext\nSome words\n%%endtext\nM:4/4\nL:1/8\nK:C\n%%vskip 3\nC8|\n",
            "60:8",
            {("%%begintext, left out", 2), ("a directive (%%), left out", 8)},
        ),
        (f"{HEAD}K:C\nC8|\n\nD8|\n", "60:8 62:8", {("an empty line inside a tune", 7)}),
        (f"{HEAD}\nK:C\n\nC8|\n", "60:8", {(n, k) for k, n in ()} | {
            ("an empty line inside a tune", 5), ("an empty line inside a tune", 7)}),
        (
            f"{HEAD}K:C\nC8|\n\nA deed | a bead that fades\n\nD8|\n",
            "60:8",
            {("text after a tune, left out", 8)},
        ),
        (f"{HEAD}K:C\nC4&E4|D8|\n", "60:4 62:8", {("an overlay (&), left out", 6)}),
        (f"{HEAD}K:C\nD.C. al Fine\nC8|\nhello\n", "60:8", {
            ("a line of words, left out", 6), ("a line of words, left out", 8)}),
        (f"{HEAD}K:C\nC8|\nQ:1/4=90\nD8|\n", "60:8 62:8", {
            ("a field within the tune (Q:), left out", 7)}),
        (f"{HEAD}I:abc-charset utf-8\nK:C\nC8|\n", "60:8", {("a field (I:), left out", 5)}),
        (f"{HEAD}hello\nK:C\nC8|\n", "60:8", {("a line above K: that is no field, left out", 5)}),
        (f"{HEAD}H:one line\nand another\n+:and more\nK:C\nC8|\n", "60:8", set()),
        (f"{HEAD}K:C\n|:C8|1D8|2E8|]\n", "60:8 62:8 60:8 64:8", {
            ("an ending with no :| before the next, read as if it had one", 6)}),
        (f"{HEAD}K:C\nC8|:D8|\\\n1E8:|\\\n2F8|]\n", "60:8 62:8 64:8 62:8 65:8", set()),
        (f"{HEAD}m: ~G2 = {{A}}GF\nK:C\n~G2 \"~G2\"C6|\n", "67:1 65:1 60:6", set()),
        (f"{HEAD}K:C major and more\nC8|\n", "60:8", {
            ("words after a key (K:) that mean nothing, left out", 5)}),
        (f"{HEAD}K:C\nZ2|C8|X|\n", "60:8", set()),
        (f"{HEAD}K:C\n(3:2:2C4D2 y4 x4 .(C2.-C2)|\n", "60:8/3 62:4/3 60:4", set()),
    ],
)  # fmt: skip
def test_what_is_left_out_is_reported(text: str, expected: str, remarks: set) -> None:
    assert {*check(text, expected).remarks} == remarks


VOICES = """\
V:T1 clef=treble-8 name="Tenor"
V:B1 clef=bass octave=-2
K:C
"""


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("V:T1\nC8|\nV:B1\n^/ not read & at all\nw:la\nV:T1\nD8|\n", 10),
        ("[V:T1]C8|[V:B1]K? {|\n[V:T1]D8|\n", 8),
        ("C8|\n[V:B1][L:1/4]C4|\nV:T1\nD8|\n", 9),
        ("V:B1\nK:E\nFFFF|\nV:T1\nC8|D8|\n", 8),
    ],
)
def test_of_several_voices_the_first_is_read(body: str, line: int) -> None:
    tune = check(f"{HEAD}{VOICES}{body}", "48:8 50:8")
    assert [*tune.remarks] == [("another voice (V:), left out", line)]


def test_a_single_voice_may_be_named() -> None:
    assert check(f"{HEAD}K:C\nV:1 octave=-1\nC8|\n[V:1]D8|\n", "48:8 50:8").remarks == ()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("m: n2 = n/n/n\nC|", "unsupported"),
        ("^3/2C|", "microtone"),
        ("(3AB|c", "too few notes"),
        ("A12345|", "'A12345', whose length has more than four digits"),
        ("A2//3|", "'A2//3', whose length has a number after 2 slashes"),
        ("A/2/B|", "which means nothing here"),
        ("[M:none]Z|", "unsupported"),
        ("[C[E]G]|", "a chord within a chord"),
    ],
)
def test_what_is_unsupported_is_refused_by_name(body: str, reason: str) -> None:
    with pytest.raises(AbcSyntaxError, match=reason):
        read(f"{HEAD}K:C\n{body}\n")
