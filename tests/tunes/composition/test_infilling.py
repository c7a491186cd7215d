import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary
from sluice.tunes.composition import infilling
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.infilling import Gap
from sluice.tunes.composition.inputs import read_tune
from sluice.tunes.corpus.statistics import TuneStatistics
from sluice.tunes.errors import TuneError
from sluice.tunes.notation import abc_file
from sluice.tunes.tune import Tune, from_abc

TOKENS = ("|", "|:", ":|", "C", "E", "G", "c", "e", "g", "2", "3", "6", "M:6/8", "K:Cmaj")


def read(body: str, meter: str = "6/8") -> Tune:
    text = f"X:1\nT:A\nM:{meter}\nL:1/8\nK:G\n{body}\n"
    return from_abc(abc_file.split_blocks(text, "test")[0], gaps=True)


@pytest.fixture(scope="module")
def composer() -> Composer:
    """A model with random weights that never draws the end of a tune."""
    torch.manual_seed(0)
    vocabulary = Vocabulary(TOKENS)
    config = LanguageModelConfig(len(vocabulary), embedding_size=8, hidden_size=16, num_layers=2)
    model = LanguageModel(config).eval()
    with torch.no_grad():
        model.readout.bias[2] = -30.0
    return Composer(Checkpoint(model, vocabulary, {}), TuneStatistics(1, 1, 1, 1, 1))


def lengths(tune: Tune) -> list[Fraction]:
    return [part.length for part in infilling.split_at_gaps(tune) if isinstance(part, Gap)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("g3 g3|*|g6|", [6]),
        ("g2 *|g6|", [4]),
        ("d|g3 g3|*|", [5]),
        ("|:d|g3 g3|g2*:|", [3]),
        ("g3 g3|*|[M:9/8]*g|g6|", [6, 8]),
    ],
)
def test_a_gap_lasts_as_long_as_its_bar_lacks(body: str, expected: list[int]) -> None:
    assert lengths(read(body)) == expected


@pytest.mark.parametrize(
    ("body", "message"), [("g**|", "2 gaps"), ("g3 g3*|g6|", "full"), ("|*2|", "means|which|note")]
)
def test_invalid_gaps_are_refused(body: str, message: str) -> None:
    with pytest.raises(TuneError, match=message):
        infilling.split_at_gaps(read(body))


def test_filling_keeps_the_input_and_completes_the_bars(composer: Composer) -> None:
    source = read("g3 g3|*|gbd' *|g6|")
    tune = composer.fill(source, seed=4)
    bars = tune.score.bars
    assert [bar.duration for bar in bars] == [6, 6, 6, 6]
    assert tune.tokens[:7] == source.tokens[:7]
    assert tune.tokens[-3:] == source.tokens[-3:]
    assert tune.tonic == "G"
    assert tune == composer.fill(source, seed=4)
    assert len({composer.fill(source, seed=seed).tokens for seed in range(4)}) > 1


def test_the_sample_most_likely_in_context_is_chosen(composer: Composer) -> None:
    """The probabilities of the tokens after the gap, one whole sequence at a time."""
    source = read("g3 g3|*|gbg g3|")
    parts = infilling.split_at_gaps(source)
    offered = [
        ["C", "3", "E", "3"],
        ["c", "3", "e", "3"],
        ["G", "2", "E", "C", "3"],
        ["e", "3", "e", "3"],
    ]

    def draw(prefix: object, seeds: object, longest: int) -> list[list[str]]:
        return [[*tokens, "|"] for tokens in offered]

    def weight(filling: list[str]) -> float:
        ids = composer.checkpoint.vocabulary.encode([*parts[0], *filling, *parts[2]])
        with torch.no_grad():
            logits, _ = composer.checkpoint.model(torch.tensor([1, *ids])[:, None])
        odds = logits[:, 0].log_softmax(1)
        after = len(parts[0]) + len(filling)
        targets = [*ids[after:], 2]
        return float(sum(odds[after + n, token] for n, token in enumerate(targets)))

    found = infilling.fill_gaps(composer.checkpoint, parts, draw, seed=0)
    assert list(found[len(parts[0]) : -len(parts[2])]) == max(offered, key=weight)


def test_no_filling_that_fits(composer: Composer) -> None:
    parts = infilling.split_at_gaps(read("g3 g3|*|g6|"))
    with pytest.raises(TuneError, match="another seed"):
        infilling.fill_gaps(composer.checkpoint, parts, lambda *_: [["C", "2", "|"], ["C", "3"]], 0)


@pytest.mark.parametrize(
    ("sampled", "cut"),
    [
        ("C 2 E", "C 2 E"),
        ("C 2 E 2", None),
        ("C 3 -", None),
        ("C E G c", "C E G"),
        ("C | E", None),
        ("(3 C E G C", "(3 C E G C"),
        ("C ( G", None),
    ],
)
def test_samples_are_cut_where_the_gap_ends(sampled: str, cut: str | None) -> None:
    found = list(infilling._find_fitting_prefix(sampled.split(), Gap(Fraction(3), "6/8", 0)))
    assert found == ([] if cut is None else [tuple(cut.split())])


def test_varying_keeps_structure_and_cadences(composer: Composer) -> None:
    source = read("|:gbg gbg|d3 d3|gbg gbg|g6:|gbd' b3|g6|")
    tune = composer.vary(source, strength=1.0, seed=2)
    old, new = source.score.bars, tune.score.bars
    assert [(b.duration, b.opens, b.closes) for b in old] == [
        (b.duration, b.opens, b.closes) for b in new
    ]
    assert (old[3].events, old[5].events) == (new[3].events, new[5].events)
    assert new[0].events == new[2].events != old[0].events
    assert old[1].events != new[1].events


def test_edits_keep_what_stands_around_the_music(composer: Composer) -> None:
    music = """ "G"~g3 (g3|{g}bgb) .g3|"D"g3 b3|"G"gbd' Tb3|"G"~g6|"""
    source = read(f"{music}\nw: la la lu-na la la")
    source = replace(source, fields=(("C", "Me"),))
    varied = composer.vary(source, strength=0.5, seed=1)
    filled = composer.fill(read('"G"~g3 g3|"D"*|g6|'), seed=1)
    assert varied.fields == (("C", "Me"),)
    assert '"D"' in filled.abc() and '"G"~g3' in filled.abc()
    assert varied.lyrics[0][-1] == source.lyrics[0][-1]
    text = varied.abc()
    assert text.count('"') == source.abc().count('"') == 8
    assert text.count("(") == text.count(")")


def test_a_weak_variation_changes_one_bar_of_many(composer: Composer) -> None:
    source = read("gbg g3|d3 d3|bgb g3|g3 b3|gbd' b3|g6|")
    tune = composer.vary(source, strength=0.01, seed=1)
    pairs = zip(source.score.bars, tune.score.bars, strict=True)
    assert sum(old.events != new.events for old, new in pairs) == 1


@pytest.mark.parametrize("strength", [0.0, -1.0, 1.1, float("nan")])
def test_strengths_out_of_range(strength: float) -> None:
    with pytest.raises(TuneError, match="at most 1"):
        infilling.mask_bars(read("gbg g3|g6|"), strength, random.Random(0))


def test_a_tune_without_a_bar_to_vary() -> None:
    with pytest.raises(TuneError, match="longer one"):
        infilling.mask_bars(read("g6|"), 0.5, random.Random(0))


def test_an_unknown_note_is_reported(composer: Composer) -> None:
    with pytest.raises(TuneError, match=r"not trained on '\^G'"):
        composer.fill(read("g3 ^d3|*|g6|"))


def test_tunes_from_files(tmp_path: Path) -> None:
    path = tmp_path / "a.abc"
    path.write_text("X:1\nT:A\nM:6/8\nK:D\nd2f afd|*|d3")
    assert read_tune(path, gaps=True).tokens.count("*") == 1
    assert read_tune(path, complete=False).tokens[-2:] == ("c", "3")
    assert read_tune(path).tokens[-1] == "|"
    assert read_tune(path).tonic == "D"
    path.write_text("X:1\nT:A\nM:6/8\nK:D\nd2f\n?|")
    with pytest.raises(TuneError, match=r"a\.abc, line 6: "):
        read_tune(path)
    path.write_text("X:1\nT:A\nM:6/8\nK:D\nd3|")
    with pytest.raises(TuneError, match=r"has no gap; write a \*"):
        read_tune(path, gaps=True)
