"""Learning a made collection and composing from it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sluice.sequence import CheckpointError
from sluice.tunes import abc, compose, learn
from sluice.tunes.errors import TuneError
from sluice.tunes.tokens import from_abc


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Jigs of four bars over a scale, learnt by a small model."""
    chance, folder = random.Random(0), tmp_path_factory.mktemp("tunes")
    text = ""
    for number in range(1, 41):
        bars = ["".join(chance.choice("CDEFGAB") for _ in range(6)) for _ in range(4)]
        mode = ("C", "Cdor")[number % 2]
        text += (
            f"X:{number}\nT:Made {number}x{number}\nM:6/8\nL:1/8\nK:{mode}\n{'|'.join(bars)}|\n\n"
        )
    (folder / "made.abc").write_text(text)
    prepared = learn.prepare([folder / "made.abc"])
    path = folder / "w.safetensors"
    outcome = learn.train(prepared, path, learn.plan(epochs=60), hidden_size=32)
    assert outcome.validation < 2.2  # the seven notes alone cost 1.9 each
    return path


def test_a_seed_is_a_tune_and_reads_back(weights: Path, tmp_path: Path) -> None:
    composer = compose.Composer.load(weights)
    tunes = composer.compose(count=2, seed=5, meter="6/8", mode="dor")
    assert tunes == compose.Composer.load(weights).compose(count=2, seed=5, meter="6/8", mode="dor")
    assert tunes[0].tokens != tunes[1].tokens
    assert {(t.meter, t.mode) for t in tunes} == {("6/8", "dor")}
    files = compose.write(tunes, tmp_path)
    assert sorted(f.suffix for f in files) == [".abc", ".mid", ".mid"] and all(
        map(Path.is_file, files)
    )
    (text,) = [f.read_text() for f in files if f.suffix == ".abc"]
    assert [from_abc(block).tokens for block in abc.blocks(text, "composed")] == [
        from_abc(abc.blocks(tune.abc(), "one")[0]).tokens for tune in tunes
    ]


def test_it_goes_on_from_given_notes(weights: Path) -> None:
    composer = compose.Composer.load(weights)
    (tune,) = composer.compose(seed=1, meter="6/8", mode="maj", start="GFE C")
    assert tune.tokens[2:6] == ("G", "F", "E", "C")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"meter": "7/8"}, "it learnt 6/8"),
        ({"mode": "loc"}, "it learnt dor, maj"),
        ({"start": "??"}, "not notes in ABC"),
        ({"start": "c''2"}, "never met"),
    ],
)
def test_what_it_never_learnt(weights: Path, options: dict[str, str], told: str) -> None:
    with pytest.raises(TuneError, match=told):
        compose.Composer.load(weights).compose(**options)  # type: ignore[arg-type]


def test_truncated_weights(weights: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.safetensors"
    short.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a complete"):
        compose.Composer.load(short)
