"""Held-out data of every kind: the model's own loss by torch alone, parts, and what is right."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from report.kinds import save_chorale, save_classifier, save_forecaster, save_pairs, save_tagger
from sluice.report.ablation import AblationError
from sluice.report.held_out import HeldOutData, load_held_out
from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary


def letters(tokens: str | tuple[str, ...], **more: object) -> Checkpoint:
    vocabulary = Vocabulary(tuple(tokens))
    config = LanguageModelConfig(len(vocabulary), embedding_size=6, hidden_size=8)
    torch.manual_seed(0)
    return Checkpoint(LanguageModel(config).eval(), vocabulary, **more)  # type: ignore[arg-type]


def loss_by_torch(model: LanguageModel, pairs: list[tuple[list[int], list[int]]]) -> float:
    """One sequence after another, on torch's own layers with the same weights."""
    layer = torch.nn.LSTM(6, 8, 2)
    layer.load_state_dict(model.layers.state_dict())
    total, count = 0.0, 0
    with torch.no_grad():
        for read, wanted in pairs:
            logits: Tensor = model.readout(layer(model.embedding(torch.tensor(read)))[0])
            targets = torch.tensor(wanted)
            total += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
            count += len(targets)
    return total / count


def test_parts_of_a_text_begin_in_the_middle_and_only_the_last_one_ends(tmp_path: Path) -> None:
    checkpoint, text = letters("abz"), tmp_path / "data.txt"
    text.write_text("ab" * 200 + "z" + "ab" * 200)
    data = load_held_out(checkpoint, text, 10_000)
    assert [(first, stop) for _, first, stop in data.parts] == [
        (0, 256), (256, 512), (512, 768), (768, 802),
    ]  # fmt: skip
    ids = [3 + "abz".index(letter) for letter in text.read_text()]
    whole = ([1, *ids], [*ids, 2])
    pairs = [(whole[0][first:stop], whole[1][first:stop]) for _, first, stop in data.parts]
    assert data.loss(checkpoint.model) == pytest.approx(
        loss_by_torch(checkpoint.model, pairs), rel=1e-5
    )
    assert len(load_held_out(checkpoint, text, 300).parts) == 2  # every third
    fewer = load_held_out(letters("ab"), text, 10_000)
    assert (len(fewer.parts), fewer.skipped) == (3, 1)
    text.write_text("to be or not to be")
    words = load_held_out(letters(("be", "not", "or", "to")), text, 10_000)
    batch = next(words.batches(0))
    assert batch.inputs[:, 0].tolist() == [1, 6, 3, 5, 4, 6, 3]


def test_lines_that_were_learnt_as_sequences_are_read_whole(tmp_path: Path) -> None:
    text = tmp_path / "data.txt"
    text.write_text("ab\n\nbab\n")
    lines = {"load_options": {"kind": "text", "per": "line"}}
    data = load_held_out(letters("ab", preprocessing=lines), text, 100)
    batch = next(data.batches(0))
    assert batch.inputs.T.tolist() == [[1, 3, 4, 0], [1, 4, 3, 4]]
    assert batch.targets.T.tolist() == [[3, 4, 2, 0], [4, 3, 4, 2]]


def test_data_that_cannot_be_read(tmp_path: Path) -> None:
    checkpoint, file = letters("ab"), tmp_path / "data.txt"
    for content, message in (
        (None, "There is no file or folder"),
        (b"\xff\xfe\x00", "is not"),
        (b"", "is empty"),
        (b"xyz", "of which the model knows every token"),
    ):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load_held_out(checkpoint, file, 10)
    path, _ = save_tagger(tmp_path)
    (tmp_path / "bare.csv").write_text("id,up\n1,0\n1,1\n")
    with pytest.raises(AblationError, match="has no labels"):
        load_held_out(Checkpoint.load(path), tmp_path / "bare.csv", 10)


def test_means_are_taken_where_nothing_is_padding(tmp_path: Path) -> None:
    seen = []
    checkpoint, text = letters("abc"), tmp_path / "data.txt"
    checkpoint.model.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    text.write_text("\n".join(["a", "bca", *["cb"] * 63]))
    lines = {"load_options": {"kind": "text", "per": "line"}}
    checkpoint = Checkpoint(checkpoint.model, checkpoint.vocabulary, preprocessing=lines)
    load_held_out(checkpoint, text, 10_000).run_longest(checkpoint.model)
    (tokens,) = seen
    assert tokens.shape == (3, 64) and bool((tokens != 0).all())
    assert tokens[:, -1].tolist() == [1, 4, 5]


def test_what_a_classifier_and_a_tagger_get_right(tmp_path: Path) -> None:
    for save in (save_classifier, save_tagger):
        path, file = save(tmp_path)
        checkpoint = Checkpoint.load(path)
        data = load_held_out(checkpoint, file, 10_000)
        right = count = 0
        for part in data.parts:
            batch = data.data.make_batch([part])
            logits = checkpoint.model(batch.inputs)[0]
            targets = batch.targets if save is save_classifier else batch.targets - 1
            right += int((logits.argmax(-1) == targets).sum())
            count += int((targets >= 0).sum())
        quality = data.measure_quality(checkpoint.model)
        assert quality == ("accuracy", pytest.approx(right / count))


def test_the_error_of_forecasts_and_the_keys_of_chords(tmp_path: Path) -> None:
    path, file = save_forecaster(tmp_path)
    model, data = Checkpoint.load(path).model, load_held_out(Checkpoint.load(path), file, 10_000)
    batches = [data.data.make_batch([part]) for part in data.parts]
    with torch.no_grad():
        errors = [(model(b.inputs)[0] - b.targets).abs().flatten() for b in batches]
    known = torch.cat(errors)
    quality = data.measure_quality(model)
    assert quality is not None and quality.name == "MAE"
    assert quality.value == pytest.approx(float(known[~known.isnan()].mean()), rel=1e-5)
    path, file = save_chorale(tmp_path)
    checkpoint = Checkpoint.load(path)
    found = load_held_out(checkpoint, file, 10_000).measure_quality(checkpoint.model)
    assert found is not None and found.name == "frame accuracy" and 0 <= found.value <= 1


def test_exact_outputs_of_pairs(tmp_path: Path) -> None:
    path, file = save_pairs(tmp_path)
    checkpoint = Checkpoint.load(path)
    data = load_held_out(checkpoint, file, 10_000)
    model = checkpoint.model
    with torch.no_grad():  # it always gives "1" and ends: the readout reads its own bias alone
        model.readout.weight.zero_()
        model.readout.bias.fill_(-9.0)
        model.readout.bias[3 + checkpoint.target_vocabulary.tokens.index("1")] = 9.0
    assert data.measure_quality(model) == ("exact outputs", 0.0)
    with torch.no_grad():
        model.readout.bias[2] = 20.0  # END at once: right where the target is empty
    empty = sum(line.endswith("\t") for line in file.read_text().splitlines())
    assert empty == 1
    assert data.measure_quality(model) == ("exact outputs", pytest.approx(1 / len(data.parts)))
    assert isinstance(data, HeldOutData) and data.loss(model) > 0
