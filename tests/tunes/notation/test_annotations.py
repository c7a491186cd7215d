"""What stands around the notes and words below them: read from ABC and written back."""

import pickle
from dataclasses import replace

import pytest

from sluice.tunes.errors import TuneError
from sluice.tunes.notation import abc_file
from sluice.tunes.notation.annotations import Annotation, Annotations
from sluice.tunes.tune import Tune, from_abc

_SONG = """X:1
T:Mine
T:Also mine
C:Me Myself
S:my book
R:jig
M:6/8
L:1/8
K:Gmaj
"G"~G3 {ga}GAB|"D"TA3 .A.B.c|"C"(c2B) !trill!A2G|"G"G3 "^slow"G2z||
w: 1.~Of all the mon-ey_ that~e'er * I
w: 2.~Of all the com-rades
W:And all I've done
"""


def read(text: str) -> Tune:
    return from_abc(abc_file.split_blocks(text, "text")[0])


def read_body(body: str, key: str = "C", meter: str = "4/4") -> Tune:
    return read(f"X:1\nT:t\nM:{meter}\nL:1/8\nK:{key}\n{body}\n")


def body_of(tune: Tune) -> str:
    return tune.abc().split("\nK:")[1].split("\n", 1)[1].strip()


def test_a_tune_comes_back_as_it_was_written():
    assert read(_SONG).abc() == _SONG


def test_annotations_are_on_a_root_of_c_by_event():
    tune = read_body('"Em7"~{^c}e2 (3(fga "A/C#"[ce]2)z2|', key="D")
    assert tune.annotations == {
        0: Annotation('"Dm7"~{B}'),
        1: Annotation("("),
        4: Annotation('"G/B"', ")"),
    }
    assert tune.tokens[2:6] == ("d", "2", "(3", "e")


@pytest.mark.parametrize(
    ("written", "body"),
    [
        ("H A2 B2| +trill+c4", "HA2B2|!trill!c4|"),
        ("!segno!|:A4 !fine!|B4:|", "|:!segno!A4!fine!|B4:|"),
        ('A4 "^Fine"O|]', 'A4"^Fine"O||'),
        ('"G"|A4 "D"|B4|', '"G"A4|"D"B4|'),
        ("{/g}A2 {g2f}B2 {[ce]}c4|", "{/g}A2{g2f}B2 {[ce]}c4|"),
        ("A2).(B2 c2)(d2|", "A2.(B2 c2)d2|"),
        ("(f4{ef})|(T^d4{^cd}|e4)", "(f4{ef})|(T^d4{^cd}|e4)|"),
        ("A2 ({ed}) (c2B2) c2|", "A2{ed}(c2 B2)c2|"),
        ("A2) B2 (c4|uAvBkckd kAkBkckd|", "A2B2 c4|uAvBkckd kAkBkckd|"),
        ("[~A!4!c]2 A.-A y2 B!|", "~!4![Ac]2A-A B|"),
        ('""A "Am""_low"B {~}c2|', 'A"Am""_low"Bc2|'),
        ("A2 B2 c2 d2|!p!A4 B4", "A2B2 c2d2|!p!A4 B4|"),
    ],
)
def test_annotations_keep_their_place(written, body):
    tune = read_body(written)
    assert body_of(tune) == body
    assert body_of(read_body(body)) == body


def test_an_accidental_of_a_grace_note_holds_in_its_bar():
    # As abc2midi plays it: F sharp, then F natural after the bar line.
    tune = read_body("{^f}e2 f2 F4|f8|")
    assert [event.pitches for event in tune.score.events] == [(76,), (78,), (66,), (77,)]
    assert body_of(tune) == "{^f}e2^f2 ^F4|f8|"


def test_another_key_moves_chord_symbols_and_grace_notes_with_the_notes():
    tune = read_body('"G"G2 {a^c}"A7/C#"A2 "Fine"B4|"(Em C)"e8|"N.C."G8|', key="G")
    in_e_flat = replace(tune, tonic="Eb")
    assert body_of(in_e_flat) == '"Eb"E2{f=A}"F7/A"F2 "Fine"G4|"(Cm Ab)"c8|"N.C."E8|'
    assert replace(in_e_flat, tonic="G").abc() == tune.abc()
    assert body_of(replace(tune, octave=1)).startswith("\"G\"g2{a'^c'}")


def test_symbol_lines_stand_above_their_notes():
    tune = read_body('C2 D2 E2 F2|G8|\ns: "C" * !trill! | "G7"', key="C")
    assert body_of(tune) == '"C"C2D2 !trill!E2F2|"G7"G8|'
    assert [r.kind for r in read_body("C8|\ns: $%!").remarks] == [
        "a symbol line (s:) that is not understood"
    ]


def test_fields_of_the_file_and_of_the_body_are_kept():
    text = "C:All of us\nO:Here\n\nX:1\nT:t\nO:There\nM:4/4\nK:C\nA8|\nN:slowly\nA8|\n"
    tune = read(text)
    assert tune.fields == (("C", "All of us"), ("O", "There"), ("N", "slowly"))


def test_text_stays_text():
    tune = Tune(
        tuple("M:4/4 K:Cmaj c 8 |".split()),
        title="A\nK:D",
        fields=(("C", "me\r\nX:2\n\nX:3"), ("N", "50% more"), ("W", "la\nK:E")),
        lyrics=(("a b\nK:F%",),),
    )
    assert tune.abc().splitlines() == [
        "X:1",
        "T:A K:D",
        "C:me X:2  X:3",
        r"N:50\% more",
        "M:4/4",
        "L:1/8",
        "K:Cmaj",
        "c8|",
        r"w: a~b~K:F\%",
        "W:la K:E",
    ]
    with pytest.raises(TuneError, match="no field of text"):
        replace(tune, fields=(("K", "D"),)).abc()
    with pytest.raises(TuneError, match="no chord symbol"):
        replace(tune, annotations={0: Annotation("|\nK:D")}).abc()


def test_a_tune_with_annotations_is_a_value():
    tune = read(_SONG)
    assert hash(tune) == hash(read(_SONG))
    assert pickle.loads(pickle.dumps(tune)) == tune
    plain = replace(tune, annotations={})
    assert plain != tune and plain.annotations == Annotations()
    with pytest.raises(TypeError):
        tune.annotations[0] = Annotation()  # type: ignore[index]


def test_words_after_the_tune_come_last_and_endings_begin_no_line() -> None:
    tune = read("X:1\nT:t\nM:4/4\nK:C\n|:A8|B8|c8|1d8:|2e8||f8|\nW:words\nN:a note\n")
    assert tune.fields == (("N", "a note"), ("W", "words"))
    assert tune.abc().splitlines()[-3:] == ["|:A8|B8|c8|1 d8:|[2 e8||", "f8|", "W:words"]
