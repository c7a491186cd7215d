"""Ornaments, chord symbols, grace notes, slurs and words in MEI, read back element by element."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from sluice.tunes.export.mei import to_mei
from sluice.tunes.notation import abc_file
from sluice.tunes.tune import from_abc

NS = "{http://www.music-encoding.org/ns/mei}"
ID = "{http://www.w3.org/XML/1998/namespace}id"


def mei(body: str, fields: str = "", key: str = "C") -> Element:
    text = f"X:1\nT:t\n{fields}M:4/4\nL:1/8\nK:{key}\n{body}\n"
    return ElementTree.fromstring(to_mei(from_abc(abc_file.split_blocks(text, "text")[0])))


def pitch_of(music: Element, name: str) -> str:
    """The pitch of the note that a `startid` or `endid` refers to."""
    (sign,) = [element for element in music.iter() if element.get(ID) == name.removeprefix("#")]
    return str(sign.get("pname"))


@pytest.mark.parametrize(
    ("written", "tag", "attributes"),
    [
        ("~d2", "turn", {"form": "upper"}),
        ("Td2", "trill", {}),
        ("!trill!d2", "trill", {}),
        ("Md2", "mordent", {"form": "lower"}),
        ("Pd2", "mordent", {"form": "upper"}),
        ("Hd2", "fermata", {}),
        ("+fermata+d2", "fermata", {}),
        ("!Fermata!d2", "fermata", {}),
        ("!mf!d2", "dynam", {"place": "below"}),
        ('"Dm7"d2', "harm", {"place": "above"}),
        ('"^slow"d2', "dir", {"place": "above"}),
        ('"_slow"d2', "dir", {"place": "below"}),
        ("!3!d2", "fing", {}),
        ("!slide!d2", "dir", {}),
    ],
)
def test_signs_refer_to_their_note(written: str, tag: str, attributes: dict[str, str]) -> None:
    music = mei(f"c2 {written} e4|")
    (sign,) = music.iter(NS + tag)
    assert pitch_of(music, str(sign.get("startid"))) == "d"
    assert attributes.items() <= sign.attrib.items()


@pytest.mark.parametrize(
    ("written", "articulation"),
    [(".", "stacc"), ("L", "acc"), ("u", "upbow"), ("v", "dnbow"), (".L", "stacc acc")],
)
def test_articulations_are_of_the_note(written: str, articulation: str) -> None:
    notes = {n.get("pname"): n.get("artic") for n in mei(f"c2 {written}d2 e4|").iter(f"{NS}note")}
    assert notes == {"c": None, "d": articulation, "e": None}


def test_a_symbol_means_what_its_user_says() -> None:
    music = mei("Tc8|", fields="U:T=!fermata!\n")
    assert [*music.iter(f"{NS}fermata")] and not [*music.iter(f"{NS}trill")]


def test_slurs_over_bars_and_dynamics_that_grow() -> None:
    music = mei("c2 (d2 e4|f8-|f4) !<(!g2 !<)!a2|")
    (slur,) = music.iter(f"{NS}slur")
    assert pitch_of(music, str(slur.get("startid"))) == "d"
    (last,) = [n for n in music.iter(f"{NS}note") if n.get(ID) == str(slur.get("endid"))[1:]]
    assert (last.get("pname"), last.get("tie")) == ("f", "t")
    (hairpin,) = music.iter(f"{NS}hairpin")
    ends = [pitch_of(music, str(hairpin.get(side))) for side in ("startid", "endid")]
    assert (hairpin.get("form"), ends) == ("cres", ["g", "a"])


def test_grace_notes_in_another_key() -> None:
    music = mei("{/^c}d2 {^ga}b^gab|", key="D")
    graces = [
        (n.get("pname"), n.get("accid"), n.get("accid.ges"), n.get("grace"), n.get("dur"))
        for n in music.iter(f"{NS}note")
        if n.get("grace")
    ]
    # C sharp is in the key of D; G sharp is not.
    assert graces == [
        ("c", None, "s", "unacc", "8"),
        ("g", "s", None, "acc", "16"),
        ("a", None, None, "acc", "16"),
    ]
    layer = next(music.iter(f"{NS}layer"))
    # Before a beam and not within, where they would be beamed with the notes of the tune.
    assert [element.tag.removeprefix(NS) for element in layer] == [
        "graceGrp",
        "note",
        "graceGrp",
        "beam",
        "beam",
    ]


def test_syllables_of_two_verses() -> None:
    music = mei("c2 d2 e2 f2|g8|\nw: Ju-ly_ of~the day\nw: sun")
    found = [
        (verse.get("n"), syl.text, syl.get("wordpos"), syl.get("con"))
        for verse in music.iter(f"{NS}verse")
        for syl in verse
    ]
    assert found == [
        ("1", "Ju", "i", "d"),
        ("2", "sun", None, None),
        ("1", "ly", "t", "u"),
        ("1", "of\u00a0the", None, None),
        ("1", "day", None, None),
    ]


def test_the_head_names_composer_origin_source_and_titles() -> None:
    music = mei("c8|", fields=f"T:Also\nC:Me\nO:Here\nS:{'a book ' * 20}\nW:50\\% of it\n")
    head, foot = (
        [" ".join(line.itertext()) for line in next(music.iter(NS + tag))]
        for tag in ("pgHead", "pgFoot")
    )
    assert "t Also" in head and "Me (Here)" in head
    source = next(line for line in head if line.startswith("a book"))
    assert source.endswith("…") and len(source) <= 50  # more would run into its neighbour
    assert foot == ["\u00a0 50% of it"]


def test_labels_of_parts_stand_at_their_bars() -> None:
    music = mei("P:A\nc8|d8|\nP:B\ne8|")
    measures = [[label.text for label in m.iter(f"{NS}reh")] for m in music.iter(f"{NS}measure")]
    assert measures == [["A"], [], ["B"]]


def test_long_words_leave_fewer_bars_to_a_line() -> None:
    body = "c2d2e2f2|" * 4
    assert not [*mei(body).iter(f"{NS}sb")]
    broken = mei(f"{body}\nw: {'weather ' * 16}")
    lines, bars = [], 0
    for element in next(broken.iter(f"{NS}section")):
        if element.tag == f"{NS}sb":
            lines.append(bars)
        bars = 0 if element.tag == f"{NS}sb" else bars + 1
    assert [*lines, bars] == [2, 2]
