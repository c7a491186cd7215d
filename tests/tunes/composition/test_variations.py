"""Varying and filling tunes of every form with a model whose bar lines count."""

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch

from sampling import thin_out
from sluice.sequence import (
    Checkpoint,
    GenerationCancelledError,
    LanguageModel,
    LanguageModelConfig,
    Vocabulary,
)
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.inputs import read_tune
from sluice.tunes.corpus.statistics import TuneStatistics
from sluice.tunes.errors import TuneError
from sluice.tunes.notation.model_tokens import MAX_COUNT
from sluice.tunes.tune import Tune

HEAD = "X:1\nT:A\nR:jig\nM:6/8\nL:1/8\nK:C\n"
TUNES = {
    "endings": "|:GEG c2e|dBd g2f|ege cBc|1dBG c2A:|2dBG c3||gag e2c|ded B2G|c3 c3|]",
    "pickups": "|:G|GEG c2e|dBd g2f|GEG c2e|c3 c2:|e|ege cBc|dBd g2f|c3 c2|]",
    "meters": "GEG c2e|dBd g2f|ege cBc|[M:9/8]GEG c2e g3|dBd g2f e3|[M:6/8]ege c2e|c3 c3|",
    "parts": "P:A\n|:GEG c2e|dBd g2f|GEG c2e|c3 c3:|\nP:B\n|:ege cBc|dBd g2f|ege c2c|c3 c3:|",
    "double bars": "GEG c2e|dBd g2f|ege cBc|c3 c3||efg c2e|dBd g2f|c3 c3|]",
    "third endings": "|:GEG c2e|dBd g2f|1,3ege cBc:|2gec c3|]",
    "a tie": "GEG c2e|dBd g2f|ege c3-|c2e g2e|ceg c2e|c3 c3|",
}


@pytest.fixture(scope="module")
def composer() -> Composer:
    """A model with random weights that knows dances and lines that count."""
    torch.manual_seed(1)
    meters = (["M:6/8"], ["M:9/8"], ["K:Cmaj"], ["R:jig"])
    lines = [
        f"{line}{{{count}}}" for line in ("|", "|:", ":|", "::") for count in range(MAX_COUNT + 1)
    ]
    ends = [f"{line}{{{count}}}" for line in ("|1", "|2", "||") for count in (0, 1)]
    words = "| |: :| C D E F G A B c d e f g a 2 3 z -".split()
    vocabulary = Vocabulary.of([*meters, lines, ends, words])
    config = LanguageModelConfig(len(vocabulary), embedding_size=8, hidden_size=16, num_layers=2)
    return Composer(
        Checkpoint(LanguageModel(config).eval(), vocabulary, {}), TuneStatistics(1, 1, 1, 1, 1)
    )


def read(body: str, *, gaps: bool = False) -> Tune:
    return read_tune(f"{HEAD}{body}\n", gaps=gaps)


def add_durations(tokens: tuple[str, ...]) -> list[Fraction]:
    """The length of each bar of notes, rests and durations: no tuplet, no chord."""
    totals, last = [Fraction(0)], Fraction(0)
    for token in tokens[2:]:
        if token[0] in "|:":
            totals.append(Fraction(0))
        elif token[0] in "123456789":
            totals[-1] += Fraction(token) - last
        elif token[0].isalpha() and not token.startswith("M:"):
            last = Fraction(1)
            totals[-1] += last
    return totals


def keep_lines(tokens: tuple[str, ...]) -> list[str]:
    return [token for token in tokens if token[0] in "|:" or token[:2] in ("M:", "K:")]


def list_bars(tokens: tuple[str, ...]) -> list[str]:
    text = "_".join("|" if token[0] in "|:" else token for token in tokens[2:])
    return [bar.strip("_") for bar in text.split("|")]


@pytest.mark.parametrize("body", thin_out(TUNES.values(), 3), ids=TUNES)
def test_form_and_meter_stay(composer: Composer, body: str) -> None:
    source = read(body)
    for seed in range(3):
        varied = composer.vary(source, strength=0.7, seed=seed)
        assert keep_lines(varied.tokens) == keep_lines(source.tokens)
        assert add_durations(varied.tokens) == add_durations(source.tokens)
        before, after = list_bars(source.tokens), list_bars(varied.tokens)
        assert before != after
        for one in range(len(before)):
            for other in range(one):
                if before[one] == before[other]:
                    assert after[one] == after[other]
        assert before[-2] == after[-2]
        assert varied.parts == source.parts
        assert varied == composer.vary(source, strength=0.7, seed=seed)


@pytest.mark.parametrize(
    ("body", "lengths"),
    [
        ("|:G|*|dBd g2f|1c3 *:|2*||gag e2c|*|]", [1, 6, 6, 5, 5, 6, 6]),
        ("GEG *|*|[M:9/8]*|c3 *|", [6, 6, 9, 9]),
        ("c3 c3|*|*|*|", [6, 6, 6, 6]),
    ],
)
def test_gaps_are_filled_to_their_length(composer: Composer, body: str, lengths: list[int]) -> None:
    source = read(body, gaps=True)
    filled = composer.fill(source, seed=2)
    assert [length for length in add_durations(filled.tokens) if length] == lengths
    assert keep_lines(filled.tokens) == keep_lines(source.tokens)
    given = iter(filled.tokens)
    assert all(token in given for token in source.tokens if token != "*")


def test_the_model_reads_dance_and_counts(
    composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read before, between and behind the gaps, lines that it does not know adapted."""
    segments: list[list[str]] = []
    encode = Composer.encode

    def record(self: Composer, tokens: list[str]) -> list[int]:
        segments.append(list(tokens))
        return encode(self, tokens)

    monkeypatch.setattr(Composer, "encode", record)
    composer.fill(read("|:G|*|dBd g2f|1,3c3 *:|2c3 c3|]", gaps=True), seed=2)
    assert [" ".join(part) for part in segments] == [
        "R:jig M:6/8 K:Cmaj |:{3} G |{3}",
        "|{2} d B d g 2 f |1{1} c 3",
        ":|{1} |2{1} c 3 c 3 ||{0}",
    ]


@pytest.mark.parametrize(
    ("edit", "text", "message"),
    [
        (Composer.vary, "M:7/8\nL:1/8\nK:C\nGEGc2c2|GGGGccd|e7|", "7/8"),
        (Composer.vary, "M:none\nL:1/8\nK:C\nGEG|GGGG|e7|", "free meter"),
        (Composer.vary, "M:6/8\nL:1/8\nK:C\n^G3 c3|GGG c3|c6|", r"\^G"),
    ],
)
def test_what_the_model_does_not_know_is_refused(
    composer: Composer, edit: Callable[..., Tune], text: str, message: str
) -> None:
    with pytest.raises(TuneError, match=f"not trained on.*{message}"):
        edit(composer, read_tune(f"X:1\nT:A\n{text}\n"))


def test_a_bar_that_changes_may_hold_what_the_model_does_not_know(composer: Composer) -> None:
    source = read("^G3 _d3|G3 c3|", gaps=False)
    assert "^G" not in composer.vary(source, strength=1.0).tokens


def test_progress_grows_to_one(composer: Composer) -> None:
    for edit, source in (
        (composer.vary, read(TUNES["endings"])),
        (composer.fill, read("GEG *|*|c3 c3|*|", gaps=True)),
    ):
        told: list[float] = []
        edited = edit(source, seed=3, on_progress=told.append)
        assert told == sorted(set(told))
        assert 0 <= told[0] < 0.2
        assert told[-1] == 1
        assert len(told) > 20
        assert edited == edit(source, seed=3)


@pytest.mark.parametrize("calls", [1, 2, 30])
def test_it_stops_when_asked_to(composer: Composer, calls: int) -> None:
    source = read(TUNES["pickups"])
    expected = composer.vary(source, seed=4)
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= calls

    with pytest.raises(GenerationCancelledError, match="cancelled"):
        composer.vary(source, seed=4, should_stop=should_stop)
    assert asked == calls
    assert composer.vary(source, seed=4) == expected


def test_the_number_of_threads_changes_nothing() -> None:
    torch.manual_seed(2)
    words = "M:6/8 K:Cmaj | |: :| C D E F G A B c d e f g 2 3".split()
    vocabulary = Vocabulary.of([words])
    config = LanguageModelConfig(len(vocabulary), embedding_size=64, hidden_size=256, num_layers=2)
    model = LanguageModel(config).eval()
    composer = Composer(Checkpoint(model, vocabulary, {}), TuneStatistics(1, 1, 1, 1, 1))
    source, threads = read("|:GEG c2e|dBd g2f|ege cBc|c3 c3:|"), torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append([composer.vary(source, 0.9, seed=seed).tokens for seed in range(3)])
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == 3
