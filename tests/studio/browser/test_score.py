"""Scores in Chromium: bars selected, tablature, growing, and the editor."""

from __future__ import annotations

from typing import Any

import pytest

from studio.browser.conftest import Players
from studio.browser.sample_tunes import JIG, REEL

pytestmark = pytest.mark.browser
VIEWS = [{"viewport": {"width": width, "height": 800}} for width in (1280, 390)]


@pytest.mark.exhaustive
def test_selected_bars_are_looped(players: Players) -> None:
    page = players.show(JIG)
    page.locator("[data-control=tempo]").fill("200")
    page.evaluate("""() => {
        window.selected = [];
        document.addEventListener("bars-selected", event => window.selected.push(event.detail));
        window.heard = [];
        document.addEventListener("note-sounding", event => window.heard.push(event.detail.bar));
    }""")
    score = page.locator(".score")
    score.focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert page.evaluate("window.selected.at(-1)") == {"first": 1, "last": 2}
    assert page.locator(".score-notice").inner_text() == "Bars 2 to 3 selected"
    assert page.locator(".bar-selected").count() == 2
    page.locator("[data-control=loop]").click()
    page.locator("[data-control=play]").click()
    players.wait("window.heard.length > 18", seconds=8)
    assert set(page.evaluate("window.heard")) == {1, 2}
    assert page.evaluate("window.heard.filter((bar, at) => bar < window.heard[at - 1]).length") >= 1
    page.locator(".score").focus()
    page.keyboard.press("Escape")
    assert page.evaluate("window.selected.at(-1)") == {"first": None, "last": None}


def drag(page: Any, score: Any, first: int, last: int) -> None:
    """From the middle of one bar to that of another, in the score's own units."""
    places = find_middles(score, first, last)
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


def find_middles(players: Players, *bars: int) -> list[tuple[float, float]]:
    """The middles of bars on the screen."""
    found = players.ask(
        f"""[{",".join(map(str, bars))}].map(number => {{
            const bar = player.score.bars[number];
            const svg = player.element.querySelector("svg");
            const staff = svg.querySelector(`.abcjs-staff.abcjs-l${{bar.line}}`).getBBox();
            const middle = new DOMPoint((bar.left + bar.right) / 2, staff.y + staff.height / 2);
            const {{x, y}} = middle.matrixTransform(svg.getScreenCTM());
            return [x, y];
        }})"""
    )
    return [(x, y) for x, y in found]


@pytest.mark.exhaustive
def test_bars_are_selected_by_dragging_and_with_shift(players: Players) -> None:
    page = players.show(REEL)
    drag(page, players, 1, 3)
    assert players.ask("player.selected") == {"first": 1, "last": 3}
    (place,) = find_middles(players, 0)
    page.mouse.click(*place)
    assert players.ask("player.selected") == {"first": 0, "last": 0}
    (place,) = find_middles(players, 7)
    page.keyboard.down("Shift")
    page.mouse.click(*place)
    page.keyboard.up("Shift")
    assert players.ask("player.selected") == {"first": 0, "last": 7}
    assert page.locator(".bar-selected").count() == 8


def test_transposing_moves_score_and_sound(players: Players) -> None:
    page = players.show(JIG)
    page.locator("[data-control=transpose]").select_option("2")
    players.wait(
        "document.querySelectorAll('.abcjs-key-signature .abcjs-keysig, .abcjs-key-signature path')"
        ".length > 0"
    )
    page.evaluate("window.pitches = []")
    page.locator("[data-control=chords]").uncheck()
    page.locator("[data-control=play]").click()
    page.wait_for_selector(".is-sounding")
    # A4 and D4 two semitones up.
    names = {url.rsplit("/", 1)[1] for url in players.requests if url.endswith(".mp3")}
    assert {"B4.mp3", "E4.mp3"} <= names
    assert "A4.mp3" in names  # the G of the tune
    assert "D4.mp3" not in names


def test_the_editor_draws_what_is_written_and_finds_notes(players: Players) -> None:
    page = players.show(editor=JIG)
    field = page.locator("textarea")
    field.click()
    field.press("Control+End")
    page.keyboard.type("D2z A3|")
    players.wait("document.querySelectorAll('.abcjs-rest').length === 3")
    assert players.ask("player.score.bars.length") == 8
    page.locator(".abcjs-note").nth(1).locator("path").first.click(force=True)
    players.wait("document.activeElement.tagName === 'TEXTAREA'")
    chosen = page.evaluate(
        "(f => f.value.slice(f.selectionStart, f.selectionEnd))(document.querySelector('textarea'))"
    )
    assert chosen.strip() == "D"


@pytest.mark.exhaustive
@pytest.mark.parametrize("players", [{"viewport": {"width": 360, "height": 740}}], indirect=True)
def test_a_narrow_screen_shows_all(players: Players) -> None:
    page = players.show(REEL, editor=JIG)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in page.locator("[data-control]").all():
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    assert page.evaluate("document.querySelector('.score svg').getBBox().width") > 300


# A whistle in D: D E F♯ G A B C♯, C natural by the fork, and the octave.
FINGERINGS = {
    62: ("xxxxxx", 0), 64: ("xxxxxo", 0), 66: ("xxxxoo", 0), 67: ("xxxooo", 0),
    69: ("xxoooo", 0), 71: ("xooooo", 0), 72: ("oxxooo", 0), 73: ("oooooo", 0),
    74: ("oxxxxx", 1), 76: ("xxxxxo", 1), 85: ("oooooo", 1), 86: ("xxxxxx", 2),
}  # fmt: skip


@pytest.mark.exhaustive
def test_fingerings_of_a_whistle(players: Players) -> None:
    page = players.show("X:1\nK:C\nCDEF|\n")
    found = page.evaluate(
        """async pitches => {
            const address = document.querySelector('script[src$="own/player.js"]').src;
            const place = address.replace("player.js", "score/tablature.js");
            const {findFingering} = await import(place);
            return pitches.map(findFingering);
        }""",
        [61, *FINGERINGS, 87],
    )
    assert found[0] is None and found[-1] is None
    shown = [(each["holes"], each["octave"]) for each in found[1:-1]]
    assert shown == list(FINGERINGS.values())


@pytest.mark.exhaustive
def test_a_tune_grows_at_bar_lines_only(players: Players) -> None:
    page = players.show("X:1\nM:4/4\nL:1/8\nK:G\nG8|\n")
    page.evaluate("""() => {
        window.drawn = 0;
        document.addEventListener("score-drawn", () => (window.drawn += 1));
    }""")
    for music, drawings in (("G8|A", 0), ("G8|A8", 0), ("G8|A8|", 1), ("G8|A8|B2|]", 2)):
        players.page.evaluate("abc => (window.abc = abc)", f"X:1\nM:4/4\nL:1/8\nK:G\n{music}\n")
        players.ask("player.score.grow(window.abc)")
        players.wait(f"window.drawn >= {drawings}")
        page.wait_for_timeout(60)  # what should not be drawn would be by now
        assert page.evaluate("window.drawn") == drawings
    assert players.ask("player.score.bars.length") == 3


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "players", [{"has_touch": True, "viewport": {"width": 390, "height": 800}}], indirect=True
)
def test_bars_are_selected_by_tapping(players: Players) -> None:
    page = players.show(REEL)
    first, last, inside = find_middles(players, 1, 3, 2)
    page.touchscreen.tap(*first)
    assert players.ask("player.selected") == {"first": 1, "last": 1}
    page.touchscreen.tap(*last)
    assert players.ask("player.selected") == {"first": 1, "last": 3}
    page.touchscreen.tap(*inside)
    assert players.ask("player.selected") == {"first": None, "last": None}


PART = "dAF DED|FAd cAG|FDD D2A|FAd AFA|dAd cAG|FAd AFA|FDD D2A|FDD D2"


@pytest.mark.exhaustive
@pytest.mark.parametrize("players", VIEWS, indirect=True)
def test_lines_hold_as_many_bars_each_and_parts_begin_lines(players: Players) -> None:
    abc = f"X:1\nM:6/8\nL:1/8\nK:D\n|:f/e/|{PART}::g|{PART}:|\n"
    page = players.show(abc)
    lines = players.ask("player.score.bars.map(bar => bar.line)")
    counts = [lines.count(line) for line in dict.fromkeys(lines)]
    # An upbeat stands before the first bar of each part.
    each = 4 if page.viewport_size["width"] > 1000 else 2
    part = [each + 1] + [each] * (8 // each - 1)
    assert counts == part * 2
    # What stands there keeps its line while the tune grows.
    bars = abc.split("|")
    for stop in range(8, len(bars)):
        page.evaluate("abc => (window.abc = abc)", "|".join(bars[:stop]) + "|")
        players.ask("player.score.grow(window.abc)")
        page.wait_for_timeout(50)
        grown = players.ask("player.score.bars.map(bar => bar.line)")
        assert grown == lines[: len(grown)]


def test_a_score_says_in_words_what_it_is(players: Players) -> None:
    players.show(JIG, REEL)
    labels = [each.get_attribute("aria-label") for each in players.page.locator(".score").all()]
    assert labels == [
        "Score Tune 1: 7 bars, 6/8, D dorian. The arrow keys select bars.",
        "Score Tune 2: 10 bars, 4/4, G major. The arrow keys select bars.",
    ]
