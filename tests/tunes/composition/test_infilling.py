from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary
from sluice.tunes.composition.composer import Composer
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
