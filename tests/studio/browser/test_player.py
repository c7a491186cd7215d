"""Players in Chromium: what sounds, when, and how it is steered."""

from __future__ import annotations

import re
from typing import Any

import pytest

from studio.browser.conftest import Players
from studio.browser.sample_tunes import JIG, REEL

pytestmark = pytest.mark.browser


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
def test_one_player_sounds_at_a_time(players: Players) -> None:
    page = players.show(REEL, JIG)
    page.locator("[data-control=play]").nth(0).click()
    page.wait_for_selector(".player.is-playing .is-sounding")
    page.locator("[data-control=play]").nth(1).click()
    players.wait("document.querySelectorAll('.is-playing').length === 1")
    assert players.ask("player.isPlaying", 0) is False
    players.wait("document.querySelectorAll('.is-playing .is-sounding').length === 1")


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
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


def test_without_script_the_abc_stands_there(
    player_site: tuple[str, dict[str, Any]], browser: Any
) -> None:
    address, shown = player_site
    shown.update(tunes=[REEL], editor=JIG)
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(f"{address}/players")
    assert page.locator("pre[data-abc]").inner_text().strip() == REEL.strip()
    assert page.locator("[data-controls]").first.is_hidden()
    assert page.locator("textarea").input_value() == JIG
    context.close()


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
def test_a_tune_is_counted_in(players: Players) -> None:
    page = players.show(REEL)
    page.locator("[data-control=count-in]").check()
    page.locator("[data-control=tempo]").fill("200")
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
    # A bar of four and the three beats before the upbeat, a sixth of a second each.
    beats = [round(6 * (first - at), 3) for at in clicks]
    assert beats == pytest.approx([7, 6, 5, 4, 3, 2, 1], abs=0.01)


@pytest.mark.exhaustive
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
                await new Promise(resolve => setTimeout(resolve, 400));
                const after = [player.position, performance.now()];
                return (after[0] - before[0]) / (after[1] - before[1]) * 1000;
            })()""")
        )
    # A whole note lasts 4/3 of a second at 180 quarters a minute.
    assert rates == pytest.approx([2 * 3 / 4, 0.3 * 3 / 4], rel=0.1)
