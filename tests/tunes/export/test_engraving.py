import multiprocessing
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from xml.etree import ElementTree

import pytest

from sampling import thin_out
from sluice.extras import MissingExtraError
from sluice.tunes.errors import TuneError
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


@pytest.mark.parametrize("lines", thin_out([1, 12, 20], 3, 2))
def test_a_tune_fits_on_one_page_of_a4(lines: int) -> None:
    """As many lines as fit, in smaller notes if need be: every note head lies on the page."""
    page = ElementTree.fromstring(engraving._draw_page(tune(lines)))
    assert kinds(page).count("measure") == 4 * lines + 1
    inner = next(part for part in page.iter(f"{SVG}svg") if part is not page)
    _, _, width, height = map(float, str(inner.get("viewBox")).split())
    assert height / width == pytest.approx(297 / 210, abs=1e-3)
    heads = [group[0] for group in page.iter(f"{SVG}g") if group.get("class") == "notehead"]
    places = [
        [float(number) for number in re.findall(r"[\d.]+", str(head.get("transform")))[:2]]
        for head in heads
    ]
    assert len(places) == 32 * lines + 1
    assert all(0 < x < width and 0 < y < height for x, y in places)


def test_a_tune_of_one_line_has_its_title_and_no_warning(capfd: pytest.CaptureFixture[str]) -> None:
    short = Tune(tuple("M:2/4 K:Cmaj c 4 | d 4 | e 4 |".split()), title="Short")
    picture = ElementTree.fromstring(short.svg())
    assert "Short" in " ".join(picture.itertext())
    assert capfd.readouterr() == ("", "")


def test_a_page_is_as_large_as_a4() -> None:
    width, height = map(float, re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+)", tune().pdf())[0])
    assert (width, height) == pytest.approx((210 / 25.4 * 72, 297 / 25.4 * 72), abs=1)


def test_a_long_tune_is_one_picture_but_no_page() -> None:
    long = tune(50)
    assert kinds(ElementTree.fromstring(long.svg())).count("note") == 50 * 32 + 1
    with pytest.raises(TuneError, match="'A & B' does not fit on a page; write svg"):
        long.pdf()


def draw(drawn: Tune) -> tuple[str, int]:
    """The picture, and how large the page is."""
    return drawn.svg(), len(drawn.pdf())


def test_scores_are_the_same_in_every_thread() -> None:
    """Another thread has drawn before, and eight draw at once."""
    tunes = [tune(lines) for lines in (1, 2)] * 4
    expected = [draw(one) for one in tunes[:2]] * 4
    assert [kinds(ElementTree.fromstring(svg)).count("note") for svg, _ in expected[:2]] == [33, 65]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(draw, tunes)) == expected
    assert draw(tunes[0]) == expected[0]


_WORKER_FIRST = """
import threading
from sluice.tunes.tune import Tune

def draw():
    return Tune(tuple("M:2/4 K:Cmaj c 2 d 2 | e 4 |".split())).svg().count('class="note"')

found = []
worker = threading.Thread(target=lambda: found.append(draw()))
worker.start()
worker.join()
print(found, draw())
"""


def test_a_worker_may_draw_before_the_main_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WORKER_FIRST], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["[3]", "3"], done.stderr


@pytest.mark.parametrize("method", thin_out(["fork", "spawn"], 2, 1))
def test_processes_draw_too(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system does not {method}")
    expected = tune().svg()
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, context) as pool:
        assert list(pool.map(Tune.svg, [tune()] * 4)) == [expected] * 4


def test_a_score_that_lacks_notes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without its resources: Verovio then draws an empty page."""
    verovio = pytest.importorskip("verovio")
    monkeypatch.setattr(verovio.toolkit, "setResourcePath", lambda toolkit, path: False)
    with ThreadPoolExecutor(1) as pool, pytest.raises(TuneError, match="drew 0 of the 33 notes"):
        pool.submit(tune().svg).result()


def test_without_verovio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "verovio", None)
    with pytest.raises(MissingExtraError, match="verovio"):
        tune().svg()
