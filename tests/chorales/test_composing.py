"""Composing with a small untrained model: what is given stays, seeds repeat, files read back."""

from __future__ import annotations

import copy
import io
import json
import math
import wave
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pytest
import torch

from command import run, sentence
from sluice.chorales.batches import RollBatches
from sluice.chorales.composer import ChoraleComposer, extract_melody
from sluice.chorales.errors import ChoraleError
from sluice.chorales.output import Presentation, name_pieces, write_pieces
from sluice.chorales.parts import separate_voices
from sluice.chorales.plan import Plan
from sluice.chorales.readers.files import read_roll
from sluice.chorales.readers.musicxml import read_musicxml
from sluice.chorales.roll import CLOCK_WIDTH, Roll, RollBar, RollNote, make_roll
from sluice.chorales.sound import to_midi
from sluice.chorales.training import compute_nats_per_step, name_columns
from sluice.sequence import Checkpoint
from sluice.sequence.errors import SequenceError
from sluice.sequence.models import BiaxialConfig, BiaxialModel


@pytest.fixture(scope="module")
def composer() -> ChoraleComposer:
    torch.manual_seed(2)
    config = BiaxialConfig(
        features=37, lowest=40, clock=CLOCK_WIDTH, hidden_size=8, note_hidden_size=8
    )
    model = BiaxialModel(config)
    model.readout.bias.data = torch.tensor([3.0, 0.0, 0.0])  # mostly silence, as in chords
    return ChoraleComposer(Checkpoint(model, metadata={"grid": 4}, columns=name_columns(model)))


def _make_melody() -> Roll:
    pitches = [67, 69, 71, 72, 71, 69, 67, 67]
    notes = [RollNote(Fraction(k), Fraction(k + 1), pitch) for k, pitch in enumerate(pitches)]
    bars = [RollBar(Fraction(4 * k), Fraction(4), Fraction(0), Fraction(4)) for k in range(2)]
    return make_roll(notes, bars, name="song")


def test_pieces_have_four_voices_at_most_and_repeat_with_their_seed(
    composer: ChoraleComposer,
) -> None:
    one, again, other = (composer.compose(Plan(1), seed=seed, particles=4) for seed in (5, 5, 6))
    assert np.array_equal(one.roll.states, again.roll.states)
    assert not np.array_equal(one.roll.states, other.roll.states)
    assert (one.roll.states > 0).sum(axis=1).max() <= 4
    held = one.roll.states[1:] == 1
    assert (one.roll.states[:-1][held] > 0).all()  # nothing is held that did not sound


def test_a_model_of_thick_chords_is_thinned_to_four_voices(composer: ChoraleComposer) -> None:
    thick = copy.deepcopy(composer)
    thick.model.readout.bias.data = torch.tensor([-9.0, 0.0, 0.0])
    found = thick.compose(Plan(1), seed=1, particles=2).roll
    assert (found.states > 0).sum(axis=1).tolist() == [4] * len(found)
    separate_voices(found)


def test_the_likelihood_of_what_was_composed_is_the_models(composer: ChoraleComposer) -> None:
    one = composer.compose(Plan(1), seed=1, particles=2)
    found = compute_nats_per_step(composer.model, (one.roll,))
    assert one.nats_per_step == pytest.approx(found["notes"], rel=1e-5)
    assert found["sounding"] < found["notes"]


def test_a_melody_stays_on_top(composer: ChoraleComposer) -> None:
    melody = _make_melody()
    found = composer.harmonise(melody, seed=3, particles=8).roll
    assert np.array_equal(extract_melody(found), melody.states)
    assert (found.states > 0).sum(axis=1).max() <= 4
    assert (found.states > 0).sum() > (melody.states > 0).sum()


def test_a_beginning_stays_and_the_bars_go_on(composer: ChoraleComposer) -> None:
    beginning = _make_melody()
    found = composer.extend(beginning, Plan(1), seed=3, particles=4).roll
    assert np.array_equal(found.states[:32], beginning.states)
    # Its notes end with it: what follows holds none of them.
    assert not (found.states[32] == 1).any()
    # The plan's pickup is a bar's last quarter note; the beginning ends with its bar.
    assert len(found) == 32 + 28
    assert found.places.tolist() == [step % 16 for step in range(60)]
    with pytest.raises(ChoraleError, match="has bars of 4 quarter notes, the plan of 3"):
        composer.extend(beginning, Plan(1, "3/4"))


def test_what_does_not_fit_the_model_is_refused(composer: ChoraleComposer) -> None:
    with pytest.raises(ChoraleError, match="knows 40 to 76; transpose it"):
        composer.harmonise(_make_melody().transpose(12))
    with pytest.raises(ChoraleError, match="4 steps in a quarter note, the piece 2"):
        composer.harmonise(replace(_make_melody(), grid=2))
    low = make_roll(
        [*_make_melody().list_notes(), RollNote(Fraction(0), Fraction(8), 30)],
        [RollBar(Fraction(0), Fraction(8), Fraction(0), Fraction(4))],
    )
    composer.harmonise(low, particles=2)  # only its highest notes are read
    with pytest.raises(ChoraleError, match="knows 40 to 76"):
        composer.extend(low)
    with pytest.raises(ChoraleError, match="1 to 64 phrases"):
        Plan(0)
    with pytest.raises(SequenceError, match="temperature must be above 0"):
        composer.compose(Plan(1), temperature=0.0)


def test_a_model_of_another_clock_is_refused_wherever_it_is_read(
    composer: ChoraleComposer, tmp_path: Path
) -> None:
    config = replace(composer.model.config, clock=CLOCK_WIDTH - 4)
    old = Checkpoint(BiaxialModel(config), columns=name_columns(composer.model))
    path, song = tmp_path / "old.safetensors", tmp_path / "song.mid"
    old.save(path)
    song.write_bytes(to_midi(separate_voices(_make_melody())))
    for command in (
        ("compose", "--voices", "--checkpoint", path, "--out", tmp_path / "out"),
        ("evaluate", path, song),
    ):
        assert f"this version of Sluice gives {CLOCK_WIDTH}; train it anew" in sentence(
            run(*command)
        )
    with pytest.raises(ChoraleError, match="train it anew"):
        compute_nats_per_step(old.model, (_make_melody(),))
    wrong = replace(old, model=composer.model, metadata={"grid": "4"})
    with pytest.raises(ChoraleError, match="a quarter note has '4' steps"):
        ChoraleComposer(wrong)


def test_a_model_is_judged_on_scores(composer: ChoraleComposer, tmp_path: Path) -> None:
    path, song = tmp_path / "model.safetensors", tmp_path / "song.mid"
    checkpoint = Checkpoint(
        composer.model, metadata={"grid": 4}, columns=name_columns(composer.model)
    )
    checkpoint.save(path)
    song.write_bytes(to_midi(separate_voices(_make_melody())))
    result = run("evaluate", path, song, "--out", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    model, baseline = json.loads((tmp_path / "report.json").read_text())["tables"]["scores"]
    expected = compute_nats_per_step(composer.model, (read_roll(song),))["notes"]
    assert model["nats per step"] == pytest.approx(expected)
    # The file ends with its last note: quarter notes of a struck and three held steps.
    counts = [[0] * 3 for _ in range(3)]
    for pitch in range(40, 77):
        before = 0
        for now in _make_melody().states[:, pitch].tolist():
            counts[before][now] += 1
            before = now
    nats = -sum(n * math.log(n / sum(row)) for row in counts for n in row if n)
    assert baseline["nats per step"] == pytest.approx(nats / 32)
    for command in (("look", path, song), ("ablate", path, song)):
        assert "cannot be looked into or ablated" in sentence(run(*command))
    assert "a page is written of language models" in sentence(run("export", path, "--to", "html"))
    assert "expected a LanguageModel" in sentence(run("compose", "--checkpoint", path))


def test_files_hold_the_piece(composer: ChoraleComposer, tmp_path: Path) -> None:
    piece = composer.harmonise(_make_melody(), seed=4, particles=4).roll
    parts = separate_voices(piece)
    formats = ["musicxml", "mid", "svg", "wav"]
    written = write_pieces([parts], tmp_path, formats, [Presentation("A song", 120.0, "choir")])
    assert [path.name for path in written] == [f"a-song.{one}" for one in formats]
    score = read_roll(written[0])
    assert np.array_equal(score.states, piece.states)
    assert score.tempo == 120
    played = read_roll(written[1])
    assert np.array_equal(played.states, piece.states[: len(played)])
    assert len(mido.MidiFile(written[1]).tracks) == 5
    notes = sum(len(parts.list_notes(voice)) for voice in range(4))
    assert written[2].read_text().count('class="note"') >= notes
    with wave.open(io.BytesIO(written[3].read_bytes())) as sound:
        # Eight quarter notes at 120, and the room's echo.
        assert 4 < sound.getnframes() / sound.getframerate() < 7


def test_names_of_files_differ() -> None:
    titles = ["A song", "a song!", "A song 2", "A song", "…"]
    names = [*name_pieces(map(Presentation, titles))]
    assert names == ["a-song", "a-song-2", "a-song-2-2", "a-song-3", "chorale"]


def test_windows_hold_every_step_once_an_epoch_and_keys_differ() -> None:
    roll = _make_melody()
    source = RollBatches([roll], 55, 84, 4, seed=1, steps=10, transposes=True)
    firsts = set()
    for epoch in range(4):
        (batch,) = source.batches(epoch)
        assert len(source) == 1
        lengths = batch.lengths if batch.lengths is not None else torch.tensor([10] * 4)
        assert int(lengths.sum()) == len(roll)
        windows = sorted(
            (batch.targets[: int(n), place] for place, n in enumerate(lengths)), key=len
        )
        firsts.add(tuple(int((one > 0).nonzero()[0, 1]) for one in windows))
    assert len(firsts) > 1
    with pytest.raises(SequenceError, match="notes from 67 to 72"):
        RollBatches([roll], 68, 84, 3, seed=1)


def test_the_command_trains_composes_and_harmonises(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number in range(3):
        melody = _make_melody()
        steps = np.random.default_rng(number).permutation(8)
        notes = [n._replace(pitch=60 + int(steps[k])) for k, n in enumerate(melody.list_notes())]
        bars = [RollBar(Fraction(0), Fraction(8), Fraction(0), Fraction(4))]
        parts = separate_voices(make_roll(notes, bars))
        write_pieces([parts], corpus, ["musicxml"], [Presentation(f"piece {number}")])
    out = tmp_path / "out"
    result = run(
        "train", "chorales", "--corpus", corpus, "--out", out, "--epochs", 1, "--hidden", 8
    )
    assert result.exit_code == 0, result.output
    assert "nats per step" in result.output
    weights = out / "model.safetensors"
    asked = ("--checkpoint", weights, "--formats", "musicxml", "--seed", 1, "--out", tmp_path)
    result = run("compose", "--voices", "--phrases", 1, *asked)
    assert result.exit_code == 0, result.output
    assert len(read_roll(tmp_path / "chorale.musicxml")) == 32
    song = next(corpus.glob("*.musicxml"))
    result = run("compose", "--harmonise", song, *asked)
    assert result.exit_code == 0, result.output
    found = read_roll(tmp_path / f"{song.stem}-harmonised.musicxml")
    assert np.array_equal(extract_melody(found), read_roll(song).states)
    sung = read_musicxml(tmp_path / f"{song.stem}-harmonised.musicxml").notes
    soprano = sorted(note._replace(part=0) for note in sung if note.part == 0)
    assert soprano == read_roll(song).list_notes()
    refused = run("compose", "--voices", "--chords", *asked)
    assert "--chords does not apply to --voices" in sentence(refused)
    refused = run("train", "chorales", "--corpus", song, "--from", weights, "--out", out / "b")
    assert "--from does not apply to chorales" in sentence(refused)
