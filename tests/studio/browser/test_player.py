"""Scores and players in Chromium."""

from __future__ import annotations

import re
from typing import Any

import pytest

from studio.browser.conftest import Players

pytestmark = pytest.mark.browser

REEL = """X:1
T:A Reel
M:4/4
L:1/8
Q:1/4=180
K:G
D2|:"G"G2BG DGBG|"C"c2ec "G"BGBd|"Am"cBAG "D7"FGAB|[1 "G"G4 G2D2:|[2 "G"G4 G4||
|:"Em"e2ge "Bm"dBGB|"C"c2ec "G"B2Bd|"D"~f3e dcAF|"G"G4 z4:|
"""
# A triplet, a tie, a bar of rest, an upbeat; each eighth is half a beat of 240 a minute.
JIG = """X:1
M:6/8
L:1/8
Q:1/8=480
K:Ddor
A|DED FED|(3ABc A GFE|D2-D2 z2|z6|A2B c2B|d3 d2:|
"""


def test_bars_are_those_of_the_library_and_repeats_are_unfolded(players: Players) -> None:
    from sluice.tunes.notation.tune_files import split_tunes
    from sluice.tunes.tune import from_abc

    players.show(REEL, JIG)
    for number, abc in enumerate((REEL, JIG)):
        score = from_abc(split_tunes(abc, "").blocks[0]).score
        bars = players.ask("player.score.bars.map(bar => bar.duration)", number)
        assert bars == pytest.approx([float(bar.duration) / 8 for bar in score.bars])
    players.ask("player.prepare()")
    played = players.ask("player.timeline.passages.map(each => each.bar)")
    assert played == [0, 1, 2, 3, 4, 1, 2, 3, 5, 6, 7, 8, 9, 6, 7, 8, 9]
    # The bar of rest has its place, and the whole its length.
    players.ask("player.prepare()", 1)
    passages = players.ask("player.timeline.passages.map(each => [each.bar, each.start])", 1)
    starts = [0, 1, 7, 13, 19, 25, 31]
    expected = [[bar, start / 8] for bar, start in enumerate(starts)]
    expected += [[bar, (36 + start) / 8] for bar, start in enumerate(starts)]
    assert [bar for bar, _ in passages] == [bar for bar, _ in expected]
    assert [at for _, at in passages] == pytest.approx([at for _, at in expected], abs=1e-4)


LISTEN = """() => {
    window.heard = [];
    document.addEventListener("note-sounding", event => window.heard.push(event.detail));
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function (...all) {
        window.start ??= performance.now() + 1000 * (all[0] - this.context.currentTime);
        start.apply(this, all);
    };
    document.querySelector("[data-control=play]").addEventListener(
        "click", () => (window.pressed = performance.now()), {capture: true});
}"""


def test_play_lights_the_notes_and_loads_what_the_tune_needs(players: Players) -> None:
    page = players.show(REEL)
    assert not any(url.endswith(".mp3") for url in players.requests)
    page.evaluate(LISTEN)
    page.click("[data-control=play]")
    players.wait("window.heard.length > 3")
    notes = page.evaluate("window.heard.slice(0, 4)")
    written = [REEL[note["startChar"] : note["endChar"]].strip() for note in notes]
    assert written == ["D2", '"G"G2', "B", "G"]
    assert [note["bar"] for note in notes] == [0, 1, 1, 1]
    assert [note["mark"] for note in notes] == [0, 1, 2, 3]
    assert notes[0]["seconds"] == pytest.approx(60 / 180)
    assert page.locator(".is-sounding").count() > 0
    assert page.locator("[data-control=play]").get_attribute("aria-pressed") == "true"
    sounds = {re.sub(".*/sound/", "", url) for url in players.requests if url.endswith(".mp3")}
    assert {name.split("/")[0] for name in sounds} == {"flute-mp3", "acoustic_guitar_steel-mp3"}
    assert len(sounds) < 40, "only what the tune needs"


def test_play_sounds_within_half_a_second(players: Players) -> None:
    # The best of three: other processes of the machine take their turns.
    delays = []
    for _ in range(3):
        page = players.show(REEL)
        page.evaluate(LISTEN)
        page.click("[data-control=play]")
        players.wait("window.start !== undefined")
        delays.append(page.evaluate("window.start - window.pressed"))
        if delays[-1] < 500:
            break
    assert 0 < min(delays) < 500


def test_one_player_sounds_at_a_time(players: Players) -> None:
    page = players.show(REEL, JIG)
    page.locator("[data-control=play]").nth(0).click()
    page.wait_for_selector(".player.is-playing .is-sounding")
    page.locator("[data-control=play]").nth(1).click()
    players.wait("document.querySelectorAll('.is-playing').length === 1")
    assert players.ask("player.isPlaying", 0) is False
    players.wait("document.querySelectorAll('.is-playing .is-sounding').length === 1")


def test_keys_play_loop_step_and_change_the_tempo_but_not_in_a_field(players: Players) -> None:
    page = players.show(REEL, editor=JIG)
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert players.ask("player.position") == pytest.approx(1.25)
    page.keyboard.press("ArrowLeft")
    assert players.ask("player.position") == pytest.approx(0.25)
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("-")
    assert page.locator("[data-shown=tempo]").first.inner_text() == "105 %"
    page.keyboard.press("l")
    assert page.locator("[data-control=loop]").first.get_attribute("aria-pressed") == "true"
    page.keyboard.press(" ")
    page.wait_for_selector(".player.is-playing")
    page.keyboard.press(" ")
    page.wait_for_selector(".player.is-playing", state="detached")
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 1
    page.keyboard.press("Escape")
    page.locator("textarea").click()
    page.keyboard.type(" +l?")
    assert page.locator("dialog[open], .player.is-playing").count() == 0
    assert page.locator("[data-shown=tempo]").first.inner_text() == "105 %"


def test_selected_bars_are_looped(players: Players) -> None:
    page = players.show(JIG)
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
    places = players_places(score, first, last)
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


def players_places(players: Players, *bars: int) -> list[tuple[float, float]]:
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


def test_bars_are_selected_by_dragging_and_with_shift(players: Players) -> None:
    page = players.show(REEL)
    drag(page, players, 1, 3)
    assert players.ask("player.selected") == {"first": 1, "last": 3}
    (place,) = players_places(players, 0)
    page.mouse.click(*place)
    assert players.ask("player.selected") == {"first": 0, "last": 0}
    (place,) = players_places(players, 7)
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


def test_settings_are_kept(players: Players) -> None:
    page = players.show(JIG)
    page.locator("[data-control=instrument]").select_option("fiddle")
    page.locator("[data-control=count-in]").check()
    page.locator("[data-control=tablature]").select_option("whistle")
    page.locator("[data-control=tempo]").fill("60")
    page = players.show(JIG)
    assert page.locator("[data-control=instrument]").input_value() == "fiddle"
    assert page.locator("[data-control=count-in]").is_checked()
    assert page.locator("[data-shown=tempo]").inner_text() == "60 %"
    assert page.locator(".whistle-fingering").count() == 21
    page.evaluate('localStorage.setItem(\'sluice.player\', \'{"tempo": "x", "transpose": 99}\')')
    page = players.show(JIG)
    assert page.locator("[data-shown=tempo]").inner_text() == "100 %"
    assert page.locator("[data-control=transpose]").input_value() == "12"


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


@pytest.mark.parametrize("players", [{"viewport": {"width": 360, "height": 740}}], indirect=True)
def test_a_narrow_screen_shows_all(players: Players) -> None:
    page = players.show(REEL, editor=JIG)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in page.locator("[data-control]").all():
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    assert page.evaluate("document.querySelector('.score svg').getBBox().width") > 300


def test_without_script_the_abc_stands_there(
    player_site: tuple[str, dict[str, Any]], player_browser: Any
) -> None:
    address, shown = player_site
    shown.update(tunes=[REEL], editor=JIG)
    context = player_browser.new_context(java_script_enabled=False)
    context.set_default_timeout(5000)
    page = context.new_page()
    page.goto(f"{address}/players")
    assert page.locator("pre[data-abc]").inner_text().strip() == REEL.strip()
    assert page.locator("[data-controls]").first.is_hidden()
    assert page.locator("textarea").input_value() == JIG
    context.close()


@pytest.mark.parametrize(
    ("rhythm", "meter", "music"),
    [
        ("hornpipe", "4/4", "DE|FGAB cAFA|G2 (3FGA B4|c2c2 dcBA|G4 z2DE|F3G AB c2:|"),
        ("Slip-Jig", "9/8", "D|GAB c2B ABc|d3 e3 dcB:|"),
        ("barndance", "2/4", "GABc dedB|c2 A2|G/2A/2B/2c/2 d2|G4|"),
    ],
)
def test_it_sounds_as_the_library_plays_it(
    players: Players, rhythm: str, meter: str, music: str
) -> None:
    from sluice.tunes.export.midi import build_melody
    from sluice.tunes.notation.tune_files import split_tunes
    from sluice.tunes.theory.dances import beat_length
    from sluice.tunes.tune import from_abc

    abc = f"X:1\nR:{rhythm}\nM:{meter}\nL:1/8\nK:G\n{music}\n"
    players.show(abc)
    players.ask("player.prepare()")
    played = players.ask(
        "player.timeline.notes.filter(note => !note.isChord)"
        ".map(note => [note.start, note.duration, note.pitch])"
    )
    tune = from_abc(split_tunes(abc, "").blocks[0])
    expected = build_melody(tune)
    assert [pitch for _, _, pitch in played] == [note.pitch for note in expected]
    assert [8 * start for start, _, _ in played] == pytest.approx(
        [float(note.start) for note in expected], abs=1e-4
    )
    assert [8 * length for _, length, _ in played] == pytest.approx(
        [float(note.length) for note in expected], abs=1e-4
    )
    second = 60 / tune.beats_per_minute / float(beat_length(tune.meter))
    assert players.ask("player.timeline.secondsPerWhole") == pytest.approx(8 * second)


# A whistle in D: D E F♯ G A B C♯, C natural by the fork, and the octave.
FINGERINGS = {
    62: ("xxxxxx", 0), 64: ("xxxxxo", 0), 66: ("xxxxoo", 0), 67: ("xxxooo", 0),
    69: ("xxoooo", 0), 71: ("xooooo", 0), 72: ("oxxooo", 0), 73: ("oooooo", 0),
    74: ("oxxxxx", 1), 76: ("xxxxxo", 1), 85: ("oooooo", 1), 86: ("xxxxxx", 2),
}  # fmt: skip


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


def test_a_tune_is_counted_in(players: Players) -> None:
    page = players.show(REEL)
    page.locator("[data-control=count-in]").check()
    page.evaluate("""() => {
        window.clicks = [];
        const start = OscillatorNode.prototype.start;
        OscillatorNode.prototype.start = function (at) {
            window.clicks.push(at);
            start.call(this, at);
        };
        const sound = AudioBufferSourceNode.prototype.start;
        AudioBufferSourceNode.prototype.start = function (at, ...rest) {
            window.first ??= at;
            sound.call(this, at, ...rest);
        };
    }""")
    page.click("[data-control=play]")
    players.wait("window.first !== undefined", seconds=8)
    clicks, first = page.evaluate("[window.clicks, window.first]")
    # A bar of four and the three beats before the upbeat, a third of a second each.
    beats = [round(3 * (first - at), 3) for at in clicks]
    assert beats == pytest.approx([7, 6, 5, 4, 3, 2, 1], abs=0.01)


def test_the_tempo_changes_while_it_plays(players: Players) -> None:
    page = players.show(REEL)
    page.click("[data-control=play]")
    players.wait("document.querySelectorAll('.is-sounding').length > 0")
    rates = []
    for tempo in (200, 30):
        page.locator("[data-control=tempo]").fill(str(tempo))
        page.wait_for_timeout(150)
        rates.append(
            players.ask("""(async () => {
                const {AudioContext} = window;
                const before = [player.position, performance.now()];
                await new Promise(resolve => setTimeout(resolve, 500));
                const after = [player.position, performance.now()];
                return (after[0] - before[0]) / (after[1] - before[1]) * 1000;
            })()""")
        )
    # A whole note lasts 4/3 of a second at 180 quarters a minute.
    assert rates == pytest.approx([2 * 3 / 4, 0.3 * 3 / 4], rel=0.1)


def test_a_tune_grows_at_bar_lines_only(players: Players) -> None:
    page = players.show("X:1\nM:4/4\nL:1/8\nK:G\nG8|\n")
    page.evaluate("""() => {
        window.drawn = 0;
        document.addEventListener("score-drawn", () => (window.drawn += 1));
    }""")
    for music, drawings in (("G8|A", 0), ("G8|A8", 0), ("G8|A8|", 1), ("G8|A8|B2|]", 2)):
        players.page.evaluate("abc => (window.abc = abc)", f"X:1\nM:4/4\nL:1/8\nK:G\n{music}\n")
        players.ask("player.score.grow(window.abc)")
        page.wait_for_timeout(60)
        assert page.evaluate("window.drawn") == drawings
    assert players.ask("player.score.bars.length") == 3
