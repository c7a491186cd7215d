"""Held-out data for language models, their loss by torch alone, and samples of an ablated model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from sluice.report.ablation import AblationError, ablate
from sluice.report.generation_samples import HeldOutData, generate_continuations, load_held_out
from sluice.sequence import (
    Checkpoint,
    LanguageModel,
    LanguageModelConfig,
    Sampling,
    Vocabulary,
    generate,
)


def checkpoint(tokens: str | tuple[str, ...], cell: str = "lstm") -> Checkpoint:
    vocabulary = Vocabulary(tuple(tokens))
    config = LanguageModelConfig(len(vocabulary), cell, embedding_size=6, hidden_size=8)  # type: ignore[arg-type]
    return Checkpoint(LanguageModel(config).eval(), vocabulary, {})


def loss_by_torch(model: LanguageModel, sequences: list[list[int]]) -> float:
    """One sequence after another, on torch's own layers with the same weights."""
    layer = torch.nn.LSTM(6, 8, 2)
    layer.load_state_dict(model.layers.state_dict())
    total, count = 0.0, 0
    with torch.no_grad():
        for ids in sequences:
            inputs, targets = torch.tensor([1, *ids]), torch.tensor([*ids, 2])
            logits: Tensor = model.readout(layer(model.embedding(inputs))[0])
            total += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
            count += len(targets)
    return total / count


def test_the_loss_is_that_of_every_next_token() -> None:
    model = checkpoint("abc").model
    sequences = [[3, 4, 5, 4], [5], [3, 3]]
    data = HeldOutData(sequences, 0)
    assert data.loss(model) == pytest.approx(loss_by_torch(model, sequences), rel=1e-5)
    assert data.tokens == 5 + 2 + 3


def test_text_is_tokenized_by_the_vocabulary(tmp_path: Path) -> None:
    text = tmp_path / "data.txt"
    text.write_text("ab" * 200 + "z" + "ab" * 200)
    data = load_held_out(checkpoint("abz"), text, 10_000)
    assert [len(ids) for ids in data.sequences] == [256, 256, 256, 801 - 768]
    assert data.sequences[0][:2] == [3, 4] and data.skipped == 0
    fewer = load_held_out(checkpoint("ab"), text, 10_000)
    assert (len(fewer.sequences), fewer.skipped) == (3, 1)
    assert len(load_held_out(checkpoint("abz"), text, 300).sequences) == 2  # every third
    text.write_text("to be or not to be")
    words = load_held_out(checkpoint(("be", "not", "or", "to")), text, 10_000)
    assert words.sequences == [[6, 3, 5, 4, 6, 3]]


def test_data_that_cannot_be_read(tmp_path: Path) -> None:
    model, file = checkpoint("ab"), tmp_path / "data"
    with pytest.raises(AblationError, match="there is no file or folder"):
        load_held_out(model, file, 10)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AblationError, match="is not text in UTF-8"):
        load_held_out(model, file, 10)
    for text in ("", "xyz"):
        file.write_text(text)
        with pytest.raises(AblationError, match="of which the model knows every token"):
            load_held_out(model, file, 10)


def test_a_model_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("abc")
    other = SimpleNamespace(model=torch.nn.Linear(2, 2))
    with pytest.raises(AblationError, match="takes a language model, got a Linear"):
        load_held_out(other, tmp_path / "data", 10)  # type: ignore[arg-type]


def test_means_are_taken_where_nothing_is_padding() -> None:
    seen = []
    model = checkpoint("abc").model
    model.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    HeldOutData([[3], [4, 5, 3]] + [[5, 4]] * 63, 0).run_longest(model)
    (tokens,) = seen
    assert tokens.shape == (3, 64) and bool((tokens != 0).all())
    assert tokens[:, -1].tolist() == [1, 4, 5]


def test_samples_of_an_ablated_model() -> None:
    unchanged = checkpoint("abcdefgh")
    with torch.no_grad():
        unchanged.model.readout.bias[2] = -2.0  # an end is rare
    data = HeldOutData([[3, 4, 5, 6, 7]], 0)
    found = ablate(unchanged.model, lambda: data.loss(unchanged.model), group=8)
    cuts = {str(effect.intervention): effect.intervention for effect in found.effects}
    shut, still = cuts["layers.l1 output shut"], cuts["layers.l1 units 0–7"]
    whole, first, second = generate_continuations(unchanged, [shut, still], seed=3, length=50)
    (ids,) = generate(unchanged.model, [3], sampling=Sampling(max_length=50))
    assert whole.tokens == unchanged.vocabulary.decode(ids)
    assert (whole.label, whole.differs) == ("whole", None)
    assert whole.loss == pytest.approx(loss_by_torch(unchanged.model, [ids]), rel=1e-5)
    # Both remove the last layer's output: only the readout's bias is left.
    assert first.tokens == second.tokens != whole.tokens
    bias, drawn = unchanged.model.readout.bias.detach().double(), []
    uniforms = torch.rand(50, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    shares = bias.clone()
    shares[:2] = -torch.inf  # padding and start are not drawn
    for uniform in uniforms:
        drawn.append(int((shares.softmax(0).cumsum(0) <= uniform).sum()))
        if drawn[-1] == 2:
            break
    assert first.tokens == unchanged.vocabulary.decode(drawn)
    both = zip(whole.tokens, first.tokens, strict=False)
    assert first.differs == next(place for place, (a, b) in enumerate(both) if a != b)
