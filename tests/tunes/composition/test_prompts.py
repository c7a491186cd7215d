from dataclasses import replace
from typing import Any

import pytest
import torch

from sampling import thin_out
from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.prompts import Prompt
from sluice.tunes.corpus.statistics import TuneStatistics
from sluice.tunes.errors import TuneError
from sluice.tunes.theory.keys import Key
from sluice.tunes.tune import Tune

NOTES = (*"CDEFGABcdefg", "_E", "_B", "_e", "^F", "z")
LINES = ("|", "|:", ":|", "::")
LENGTHS = ("2", "3", "/2", "3/2", "4")
HEAD = ("M:4/4", "M:6/8", "K:Cmaj", "K:Cmin", "K:Cdor")
PLAIN = Vocabulary((*LINES, "(3", "[", "]", "-", *LENGTHS, *NOTES, *HEAD))
COUNTED = Vocabulary(
    ("R:jig", "R:reel", *PLAIN.tokens, *(f"{line}{{{n}}}" for line in LINES for n in range(5)))
)


@pytest.fixture(params=[PLAIN, COUNTED], ids=["plain", "counted"])
def composer(request: pytest.FixtureRequest) -> Composer:
    torch.manual_seed(1)
    model = LanguageModel(LanguageModelConfig(len(request.param), hidden_size=16))
    return Composer(Checkpoint(model.eval(), request.param), TuneStatistics(0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("prompt", "meter", "key", "body"),
    [
        ("M:6/8\nK:Em\nG2E FED", "6/8", "Em", "_E 2 C D C _B,"),
        ("[M:6/8][K:Em] G2E FED|", "6/8", "Em", "_E 2 C D C _B, |"),
        ("X:1\nT:A\nM:C\nL:1/16\nK:Ador\nA4c4 % words", "4/4", "Ador", "c 2 _e 2"),
        ("L:1/4\nc/ de", "4/4", "C", "c d 2 e 2"),
        ("K:D clef=treble-8\ndf", "4/4", "D", "C E"),
        ("K:G exp ^c\nGc", "4/4", "G", "C ^F"),
        ("[ce]2 (3cde", "4/4", "C", "[ c e ] 2 (3 c d e"),
        ("c>d- | d/ |1", "4/4", "C", "c 3/2 d /2 - | d /2 |1"),
    ],
)
def test_fields_in_front_say_meter_key_and_lengths(
    prompt: str, meter: str, key: str, body: str
) -> None:
    """Worked out by hand: the same notes on a root of C, in eighths."""
    found = Prompt.parse(prompt)
    assert found.meter in (meter, None)
    read = found.read(meter, found.key or Key.parse(key))
    assert found.key is None or found.key.name == key
    assert " ".join(read.tokens[2:]) == body and not read.gaps


def test_a_gap_is_a_note_of_the_length_behind_it() -> None:
    read = Prompt.parse("G2 *2 | *A (3B*c *>d *").read("4/4", Key.parse("C"))
    without = [t if n not in read.gaps else "*" for n, t in enumerate(read.tokens)]
    assert " ".join(without[2:]) == "G 2 * 2 | * A (3 B * c * 3/2 d /2 *"


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "prompt is empty"),
        (" \n % nothing", "prompt is empty"),
        ("|", "has no note"),
        ("|: :|", "has no note"),
        ("z4 x2", "has no note"),
        ("[M:6/8] |", "has no note"),
        ("hello", "'hello': at character 1 words and no music"),
        ("GAB hello", "at character 1 words and no music"),
        ("GAB\nhello world", "at character 1 of line 2 words and no music"),
        ("xyz!", "has no note"),
        ("K:D mixed abc\nG", "K:D mixed abc is not a value of K:"),
        ("K:G a\nG", "K:G a is not a value of K:"),
        ("G2 A?", r"at character 5 '\?', which means nothing here"),
        ("GAB w", "at character 5 'w', which is no note"),
        ("GAB ^", "at character 5 an accidental with no note"),
        ("G 3 A", "at character 3 '3', which means nothing here"),
        ("[ce", "chord that is not closed"),
        ("[c*]", r"at character 3 a \* within a chord"),
        ("c *-c", r"at character 3 a tie from a \*"),
        ("c & d", "at character 3 an overlay"),
        ("M:6/8 GAB", r"at character 1 M:6/8 GAB is not a value of M:.*as in \[M:6/8\]"),
        ("K:Em GAB", r"K:Em GAB is not a value of K:, .*as in \[K:Em\]"),
        ("M:x\nGAB", "M:x is not a value of M:"),
        ("L:1\nL:0/8\nc", "L:0/8 is not a note length"),
        ("K:H\nGAB", "K:H is not a value of K:"),
        ("C:me\nGAB", r"a field \(C:\) that a prompt cannot have; it may have X:, T:, R:, M:"),
        ("GAB\nw:la", r"line 2 a field \(w:\) that a prompt cannot have; it may have K:, L:, M:"),
        ("[V:2]GAB", r"a field \(V:\)"),
        ("Q:fast\nGAB", "Q: in the prompt must be as in Q:1/4=120, got 'fast'"),
        ("A>B2", "broken rhythm between unequal notes"),
    ],
)
def test_what_is_no_music_is_refused_with_its_place(
    prompt: str, message: str, composer: Composer
) -> None:
    with pytest.raises(TuneError, match=message):
        composer.compose(prompt=prompt)
    with pytest.raises(TuneError, match=message):
        composer.stream(prompt=prompt)


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ("M:6/8\nG", {"meter": "4/4"}, "says M:6/8, but the meter given is 4/4"),
        ("K:Em\nG", {"key": "D"}, "says K:Em, but the key given is D"),
        ("K:Em\nG", {"mode": "maj"}, "says K:Em, but the mode given is maj"),
        ("R:jig\nG", {"dance": "reel"}, "says R:jig, but the dance given is reel"),
        ("Q:100\nG", {"tempo": 100}, "says Q:100, but the tempo given is 100"),
        ("M:4/4\nG", {"dance": "jig"}, "meter of a jig must be 6/8, got '4/4'"),
        ("R:tango\nG", {}, "dance must be one of"),
        ("M:9/8\nG", {}, "must be one that the model was trained on"),
    ],
)
def test_contradictions_are_refused(
    prompt: str, options: dict[str, Any], message: str, composer: Composer
) -> None:
    with pytest.raises(TuneError, match=message):
        composer.compose(prompt=prompt, **options)


def test_a_prompt_sets_what_the_tune_is(composer: Composer) -> None:
    prompt = 'T:Mine\nR:Jig\nM:6/8\nQ:1/4=120\nK:Em\n"Em"~G2E GAB|'
    (tune,) = composer.compose(prompt=prompt, key="Em", meter="6/8", dance="jig")
    assert (tune.title, tune.rhythm, tune.meter, tune.key.name) == ("Mine", "jig", "6/8", "Em")
    assert tune.tempo == 80  # of dotted quarters
    assert '"Em"~G2E GAB|' in tune.abc()


def test_fields_alone_leave_the_notes_to_the_model(composer: Composer) -> None:
    (tune,) = composer.compose(prompt="M:6/8\nK:Em", seed=3)
    (same,) = composer.compose(meter="6/8", key="Em", seed=3)
    assert tune == same


def test_a_gap_is_drawn_by_the_model(composer: Composer) -> None:
    options: dict[str, Any] = {"meter": "6/8", "key": "C"}
    found = set()
    for tune in composer.compose(12, prompt="G3 *3 | *", **options):
        body = [token for token in tune.tokens[2:] if token != "|:"]
        assert (body[:2], body[3:5]) == (["G", "3"], ["3", "|"])
        assert body[2] in NOTES and body[5] in NOTES
        found.add(body[2])
    assert len(found) > 2


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_model_of_tunes_that_are_never_repeated(count: int) -> None:
    """Nothing follows their only section, which therefore cannot be announced as too short."""
    lines = ("|", *(f"|{{{n}}}" for n in range(5)))
    vocabulary = Vocabulary((*lines, *LENGTHS, *NOTES, *HEAD))
    torch.manual_seed(count)
    model = LanguageModel(LanguageModelConfig(len(vocabulary), hidden_size=8))
    composer = Composer(Checkpoint(model.eval(), vocabulary), TuneStatistics(0.5, 0.5, 0.5))
    tunes = composer.compose(5, seed=count)
    tunes += composer.compose(5, seed=count, prompt="CDE", meter="6/8")
    tunes += [composer.extend(tune, seed=count) for tune in map(_cut, tunes)]
    for tune in tunes:
        assert len(tune.score.bars) >= 4
        assert all(bar.duration == bar.length for bar in tune.score.bars[1:-1])


def _cut(tune: Tune) -> Tune:
    """Its first bar."""
    return replace(tune, tokens=tune.tokens[: tune.score.bars[0].stop])


@pytest.mark.parametrize(
    ("prompt", "meter"),
    thin_out([("GAB cde|fed cBA|", "6/8"), ("GABc defg|c4 d4|", "4/4"), ("e|GAB cde|f", "6/8")], 3),
)
def test_without_a_meter_the_notes_say_which(prompt: str, meter: str, composer: Composer) -> None:
    for tune in composer.compose(3, prompt=prompt):
        assert tune.meter == meter


def test_notes_that_fill_no_bar_leave_the_meter_to_the_model(composer: Composer) -> None:
    assert len({tune.meter for tune in composer.compose(12, prompt="GAB")}) == 2
