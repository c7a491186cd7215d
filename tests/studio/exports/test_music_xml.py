"""Tunes as MusicXML, read back by a parser of XML alone."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from sluice.studio.exports.music_xml import to_music_xml
from sluice.tunes.notation import abc_file
from sluice.tunes.tune import from_abc

pytest.importorskip("music21")


def test_an_accidental_holds_for_its_bar() -> None:
    abc = "X:1\nT:Sharp\nM:4/4\nL:1/8\nK:Emin\n^DEFD G2ED|DEFD _B2BE|\n"
    tune = from_abc(abc_file.split_blocks(abc, "the test")[0])
    pitches = ElementTree.fromstring(to_music_xml(tune)).iter("pitch")
    found = [(p.findtext("step", ""), int(p.findtext("alter", "0"))) for p in pitches]
    names = "D#EF#D#GED#DEF#DBbBbE"
    shown = "".join(step + {1: "#", -1: "b"}.get(alter, "") for step, alter in found)
    assert shown == names
