import re
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.sequence import (
    Checkpoint,
    LanguageModel,
    LanguageModelConfig,
    SequenceError,
    Vocabulary,
)
from sluice.tunes.composition import composer as composing
from sluice.tunes.composition.inputs import find_checkpoint
from sluice.tunes.corpus import statistics
from sluice.tunes.errors import TuneError
from sluice.tunes.notation import abc_file
from sluice.tunes.tune import Tune, from_abc

BARS = ("|", "|:", ":|")
NOTES = ("C", "E", "G", "c", "_e", "e", "g")
HEAD = ("M:4/4", "M:6/8", "K:Cmaj", "K:Cdor")
FIGURES = {
    "corpus": statistics.to_dict(statistics.TuneStatistics(0.5, 0.5, 0.5, 3.0, 0.5)),
    "training": ["M:4/4 K:Cmaj C E G c |"],
}


def read(text: str) -> Tune:
    return from_abc(abc_file.split_blocks(f"X:1\nT:A\nM:4/4\nL:1/8\n{text}\n", "test")[0])


def checkpoint(*banned: str, end: float = -1.0) -> Checkpoint:
    """A memoryless model: all tokens have the same probability, except banned ones."""
    vocabulary = Vocabulary((*BARS, *NOTES, "2", *HEAD))
    model = LanguageModel(LanguageModelConfig(len(vocabulary), embedding_size=4, hidden_size=4))
    with torch.no_grad():
        model.readout.weight.zero_()
        model.readout.bias.zero_()
        model.readout.bias[2] = end
        model.readout.bias[vocabulary.encode([*HEAD, *banned])] = -50.0
    return Checkpoint(model.eval(), vocabulary, FIGURES)


@pytest.fixture
def composer(tmp_path: Path) -> composing.Composer:
    checkpoint("2").save(tmp_path / "weights")
    return composing.Composer.load(tmp_path / "weights")


def test_the_same_seed_gives_the_same_tunes(composer: composing.Composer) -> None:
    first = composer.compose(count=3, seed=5)
    assert first == composer.compose(count=3, seed=5)
    assert len({tune.tokens for tune in first}) == 3
    assert first[0].tokens != composer.compose(seed=6)[0].tokens


def test_seeds_of_any_size_and_what_is_none(composer: composing.Composer) -> None:
    large = composer.compose(seed=2**64)
    assert large == composer.compose(seed=2**64) != composer.compose(seed=0)
    assert composer.compose(seed=np.int64(5)) == composer.compose(seed=5)  # type: ignore[arg-type]
    tune = read("K:C\nC2E2G2c2|C2E2G2c2|C2*|C2E2G2c2|")
    for wrong in (-1, 1.5, True, "1"):
        for attempt in (
            composer.compose,
            partial(composer.vary, tune),
            partial(composer.fill, tune),
        ):
            with pytest.raises(SequenceError, match="whole number of at least 0, got"):
                attempt(seed=wrong)  # type: ignore[operator]


def test_the_precision_is_that_of_the_layers(tmp_path: Path) -> None:
    checkpoint("2").save(tmp_path / "weights")
    loaded = composing.Composer.load(tmp_path / "weights", "bfloat16")
    assert loaded.checkpoint.model.layers.precision == "bfloat16"
    with pytest.raises(ValueError, match="float32, bfloat16, int8"):
        composing.Composer.load(tmp_path / "weights", "float16")


def test_meter_mode_and_start_are_kept(composer: composing.Composer) -> None:
    for tune in composer.compose(count=3, meter="6/8", mode="dor", prompt="ceg | G"):
        assert tune.tokens[:7] == ("M:6/8", "K:Cdor", "c", "_e", "g", "|", "G")


def test_sampling_with_temperature_gives_tunes_that_parse(composer: composing.Composer) -> None:
    for tune in composer.compose(count=5, temperature=2.0):
        again = from_abc(abc_file.split_blocks(tune.abc(), "test")[0])
        assert again.meter == tune.meter
        assert again.score.events == tune.score.events


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"meter": "5/4"}, r"meter must be one .* on, 4/4, 6/8, got '5/4'\."),
        ({"mode": "lyd"}, r"mode must be one .* on, maj, dor, got 'lyd'\."),
        ({"prompt": "c ^f"}, r"not trained on '\^f'"),
        ({"key": "H"}, "key must be one such as D, G, .*got 'H'"),
        ({"key": "Em", "mode": "dor"}, "not of the mode 'dor'"),
        ({"dance": "tango"}, r"must be one of jig, slip jig, .*got 'tango'"),
        ({"dance": "jig", "meter": "4/4"}, "meter of a jig must be 6/8, got '4/4'"),
        ({"dance": "waltz"}, "on, 4/4, 6/8, got '3/4' or '3/8'"),
        ({"tempo": 5}, "20 to 400"),
        ({"swing": 0.5}, r"from 1 \(even\) to 4, got 0\.5"),
        ({"instrument": "kazoo"}, "instrument must be flute or fiddle, got 'kazoo'"),
        ({"prompt": "hello?"}, r"must be notes in ABC, got 'hello\?'"),
        ({"prompt": "[ce"}, "not closed"),
    ],
)
def test_impossible_options_are_refused(
    options: dict[str, str], message: str, composer: composing.Composer
) -> None:
    with pytest.raises(TuneError, match=message):
        composer.compose(**options)  # type: ignore[arg-type]


def test_a_model_that_never_ends_after_a_start_that_no_grammar_allows() -> None:
    composer = composing.Composer(checkpoint(end=-50.0), statistics.from_dict(FIGURES["corpus"]))
    with pytest.raises(TuneError, match="train longer"):
        composer.compose(prompt="C :| c :| c")


def test_a_dance_type_sets_meter_and_tempo(composer: composing.Composer) -> None:
    for options, meter, tempo in (
        ("Jig", "6/8", 112),
        ("reel", "4/4", 112),
        ("strathspey", "4/4", 56),
    ):
        (tune,) = composer.compose(dance=options)
        assert (tune.meter, tune.rhythm, tune.tempo) == (meter, options.lower(), tempo)


def test_a_tune_is_played_as_told(composer: composing.Composer) -> None:
    options = {"dance": "reel", "seed": 2}
    (plain,) = composer.compose(**options)  # type: ignore[arg-type]
    (tune,) = composer.compose(swing=1.5, instrument="fiddle", **options)  # type: ignore[arg-type]
    assert (tune.swing, tune.instrument) == (1.5, "fiddle")
    assert (plain.swing_ratio, plain.instrument) == (1, "flute")
    assert tune.abc() == plain.abc()


def test_a_key_sets_the_mode_and_is_written(composer: composing.Composer) -> None:
    (tune,) = composer.compose(key="Ador", title="Hers", tempo=90)
    assert (tune.mode, tune.tonic) == ("dor", "A")
    assert "\nT:Hers\n" in tune.abc()
    assert re.search(r"\nQ:(3/8|1/2)=90\nK:Ador\n", tune.abc())


def test_an_unknown_bar_line_is_named_as_written(composer: composing.Composer) -> None:
    with pytest.raises(TuneError, match=re.escape("no section with 1 full bar after '|:'; let")):
        composer.encode(["|:{1}"])


def test_a_prompt_is_read_in_the_key_and_kept_as_typed(composer: composing.Composer) -> None:
    (tune,) = composer.compose(key="D", prompt="dfa", meter="4/4")
    assert tune.tokens[:5] == ("M:4/4", "K:Cmaj", "c", "e", "g")
    assert tune.abc().splitlines()[-1].startswith("dfa") or "\ndfa" in tune.abc()


def test_continuing_keeps_the_tune_and_its_key(composer: composing.Composer) -> None:
    start = read("K:D\n|:dfa")
    tune = composer.extend(start, seed=3)
    assert tune.tokens[: len(start.tokens)] == start.tokens
    assert len(tune.tokens) > len(start.tokens)
    assert tune.tonic == "D"


def test_the_bundled_model_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TuneError, match="sluice train tunes"):
        composing.Composer.load()
    own = tmp_path / "tunes-out" / "tunes.safetensors"
    checkpoint().save(own)
    assert find_checkpoint().resolve() == own
    checkpoint("2").save(tmp_path / "model" / "tunes.safetensors")
    assert find_checkpoint() == tmp_path / "model" / "tunes.safetensors"
    assert composing.Composer.load().compose()


def test_weights_of_another_model(tmp_path: Path) -> None:
    other = checkpoint()
    Checkpoint(other.model, other.vocabulary, {}).save(tmp_path / "weights")
    with pytest.raises(TuneError, match="no measures"):
        composing.Composer.load(tmp_path / "weights")


def shape(tune: Tune) -> list[int]:
    """How many bars each part has."""
    counts = [0]
    for bar in tune.score.bars:
        counts[-1] += bar.duration == bar.length
        if bar.closes:
            counts.append(0)
    return counts


def test_a_form_is_imposed_by_default(composer: composing.Composer) -> None:
    tunes = composer.compose(count=4, mode="maj", meter="4/4")
    assert all(tune.tokens[2] == "|:" and tune.tokens[-1] == ":|" for tune in tunes)
    assert {len(shape(tune)) for tune in tunes} == {3}
    assert tunes[2:3] == composer.compose(seed=2, meter="4/4", mode="maj")
    free = composer.compose(count=4, mode="maj", meter="4/4", form=False)
    assert any(tune.tokens[2] != "|:" for tune in free)


def test_a_tune_ends_as_tunes_of_the_dance_that_the_model_chose() -> None:
    shipped = composing.Composer.load()
    endings: dict[str, dict[str, int]] = {
        name: {"other short": 1} for name in shipped.heads.list_dances()
    }
    endings |= {"all": {"other long": 1}, "air": {"tonic long": 1}, "reel": {"tonic short": 1}}
    metadata = {**shipped.checkpoint.metadata, "endings": endings}
    own = replace(shipped, checkpoint=replace(shipped.checkpoint, metadata=metadata))
    tunes = own.compose(16)
    assert {"air", "reel", "jig"} <= {tune.rhythm for tune in tunes}
    for tune in tunes:
        last = tune.score.events[-1]
        on_tonic = {pitch % 12 for pitch in last.pitches} == {0}
        found = f"{'tonic' if on_tonic else 'other'} {'long' if last.duration >= 2 else 'short'}"
        assert [found] == [*endings[tune.rhythm]], tune.abc()


def test_a_prompt_fills_the_first_bars_of_a_form_if_it_fits(composer: composing.Composer) -> None:
    for start, first in (("ceg", 2), ("CEGc CEGc|CEGc CEGc|CEGc", 2), ("|:CEGc CEGc|CE", 3)):
        (tune,) = composer.compose(prompt=start, meter="4/4", mode="maj", key="C", seed=3)
        assert tune.tokens[first] in ("c", "C")
        assert len(shape(tune)) == 3 and tune.tokens.count(":|") == 2
    (free,) = composer.compose(prompt="C E G c :| c", meter="4/4", key="C")
    assert free.tokens[2:7] == ("C", "E", "G", "c", ":|")
