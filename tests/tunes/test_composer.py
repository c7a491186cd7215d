from pathlib import Path

import mido
import pytest
import torch

from sluice.sequence import Checkpoint, LanguageModel, ModelConfig, Vocabulary
from sluice.tunes import abc, compose, measures
from sluice.tunes.errors import TuneError
from sluice.tunes.tokens import from_abc

BARS = ("|", "|:", ":|")
NOTES = ("C", "E", "G", "c", "_e", "e", "g")
HEAD = ("M:4/4", "M:6/8", "K:Cmaj", "K:Cdor")
FIGURES = {
    "corpus": measures.as_figures(measures.Measures(0.5, 0.5, 0.5, 3.0, 0.5)),
    "training": ["M:4/4 K:Cmaj C E G c |"],
}


def checkpoint(*banned: str, end: float = -1.0) -> Checkpoint:
    """A model of no memory: every token alike but for what is banned."""
    vocabulary = Vocabulary((*BARS, *NOTES, "2", *HEAD))
    model = LanguageModel(ModelConfig(len(vocabulary), embedding_size=4, hidden_size=4))
    with torch.no_grad():
        model.readout.weight.zero_()
        model.readout.bias.zero_()
        model.readout.bias[2] = end
        model.readout.bias[vocabulary.encode([*HEAD, *banned])] = -50.0
    return Checkpoint(model.eval(), vocabulary, FIGURES)


@pytest.fixture
def composer(tmp_path: Path) -> compose.Composer:
    checkpoint("2").save(tmp_path / "weights")
    return compose.Composer.load(tmp_path / "weights")


def test_the_same_seed_gives_the_same_tunes(composer: compose.Composer) -> None:
    first = composer.compose(count=3, seed=5)
    assert first == composer.compose(count=3, seed=5)
    assert len({tune.tokens for tune in first}) == 3
    assert first[0].tokens != composer.compose(seed=6)[0].tokens


def test_a_precision_is_the_layers(tmp_path: Path) -> None:
    checkpoint("2").save(tmp_path / "weights")
    loaded = compose.Composer.load(tmp_path / "weights", "bfloat16")
    assert loaded.checkpoint.model.layers.precision == "bfloat16"
    with pytest.raises(ValueError, match="float32, bfloat16, int8"):
        compose.Composer.load(tmp_path / "weights", "float16")


def test_meter_mode_and_start_are_kept(composer: compose.Composer) -> None:
    for tune in composer.compose(count=3, meter="6/8", mode="dor", start="ceg | G"):
        assert tune.tokens[:7] == ("M:6/8", "K:Cdor", "c", "_e", "g", "|", "G")


def test_a_tempered_model_still_spells_tunes_that_read_back(composer: compose.Composer) -> None:
    for tune in composer.compose(count=5, temperature=2.0):
        again = from_abc(abc.blocks(tune.abc(), "test")[0])
        assert again.meter == tune.meter
        assert again.score.events == tune.score.events


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"meter": "5/4"}, r"no meter '5/4'; it learnt 4/4, 6/8\."),
        ({"mode": "lyd"}, r"no mode 'lyd'; it learnt maj, dor\."),
        ({"start": "c ^f"}, r"never met '\^f'"),
        ({"start": "hello?"}, "is not notes in ABC"),
        ({"start": "[ce"}, "not closed"),
    ],
)
def test_wishes_that_cannot_be_met(
    wish: dict[str, str], said: str, composer: compose.Composer
) -> None:
    with pytest.raises(TuneError, match=said):
        composer.compose(**wish)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "model",
    [checkpoint(*NOTES), checkpoint(end=-50.0)],
    ids=["only bar lines", "never ends"],
)
def test_a_model_that_spells_no_tune(model: Checkpoint) -> None:
    composer = compose.Composer(model, measures.from_figures(FIGURES["corpus"]))
    with pytest.raises(TuneError, match="train longer"):
        composer.compose()


def test_written_files(composer: compose.Composer, tmp_path: Path) -> None:
    tunes = composer.compose(count=2, seed=8)
    files = compose.write(tunes, tmp_path / "out")
    assert sorted(files) == sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == ["tune-8.abc", "tune-8.mid", "tune-9.mid"]
    assert [block.title for block in abc.read(files[0])] == ["Tune 8", "Tune 9"]
    assert mido.MidiFile(files[1]).length > 0


def test_weights_of_something_else(tmp_path: Path) -> None:
    other = checkpoint()
    Checkpoint(other.model, other.vocabulary, {}).save(tmp_path / "weights")
    with pytest.raises(TuneError, match="no measures"):
        compose.Composer.load(tmp_path / "weights")
