import re
from xml.etree import ElementTree

import pytest

from sluice.extras import MissingExtraError
from sluice.tunes.export import engraving
from sluice.tunes.tune import Tune

SVG = "{http://www.w3.org/2000/svg}"
LINE = "c d e f g a b c' | "


def tune(lines: int = 1) -> Tune:
    body = "|: " + LINE * 4 * lines + "c 8 :|"
    return Tune(tuple(f"M:4/4 K:Cmaj {body}".split()), title="A & B", rhythm="reel", chords=True)


def kinds(picture: ElementTree.Element) -> list[str]:
    return [str(part.get("class")).split()[0] for part in picture.iter(f"{SVG}g")]


def test_the_picture_holds_every_note_and_word_and_no_foreign_font() -> None:
    svg = tune().svg()
    picture = ElementTree.fromstring(svg)
    found = kinds(picture)
    assert (found.count("note"), found.count("beam"), found.count("measure")) == (33, 8, 5)
    assert {"clef", "keySig", "meterSig", "harm"} <= set(found)
    words = " ".join("".join(text.itertext()).strip() for text in picture.iter(f"{SVG}text"))
    for label in ("A & B", "Reel", "= 112"):
        assert label in " ".join(words.replace("\u00a0", " ").split())
    assert engraving._FONT not in svg
    assert picture[0].tag == f"{SVG}rect" and "fill:white" in str(picture[0].get("style"))


@pytest.mark.parametrize("lines", [1, 16])
def test_a_tune_fits_on_one_page_of_a4(lines: int) -> None:
    svg = engraving._engrave(tune(lines))
    assert kinds(ElementTree.fromstring(svg)).count("measure") == 4 * lines + 1
    width, height = map(float, re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+)", tune().pdf())[0])
    assert (width, height) == pytest.approx((210 / 25.4 * 72, 297 / 25.4 * 72), abs=1)


def test_without_verovio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "verovio", None)
    with pytest.raises(MissingExtraError, match="verovio"):
        tune().svg()
