"""Row-wise updates of embeddings against torch's own optimizers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from sequence.training.kill_and_resume import PLAN, Stream, model
from sequence.training.test_resume import last, same
from sluice.sequence import LanguageModel, LanguageModelConfig, SequenceError, train
from sluice.sequence.batch import Batch, Loss
from sluice.sequence.errors import TrainingDivergedError
from sluice.sequence.training import ConstantRate, TrainingConfig
from sluice.sequence.training.sparse_embeddings import SparseAdamW

TOKENS = [torch.tensor(ids) for ids in ([1, 4, 4], [2, 4, 5], [1, 2, 2], [0, 1, 5], [4, 4, 4])]


def embed(seed: int = 3, sparse: bool = True) -> nn.Embedding:
    torch.manual_seed(seed)
    return nn.Embedding(7, 3, dtype=torch.float64, sparse=sparse)


def run(
    embedding: nn.Embedding, optimizer: torch.optim.Optimizer, batches: list[Tensor] = TOKENS
) -> Tensor:
    for tokens in batches:
        optimizer.zero_grad()
        (embedding(tokens) - tokens[:, None]).pow(3).sum().backward()
        optimizer.step()
    return embedding.weight.detach()


def test_without_decay_it_is_torchs_sparse_adam() -> None:
    ours, theirs = embed(), embed()
    # torch adds its epsilon before it corrects the bias: it must not matter here.
    settings: dict[str, Any] = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-30}
    found = run(ours, SparseAdamW(ours.parameters(), weight_decay=0.0, fused=True, **settings))
    expected = run(theirs, torch.optim.SparseAdam(theirs.parameters(), **settings))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert found[[3, 6]].equal(embed().weight[[3, 6]])


def test_with_all_rows_in_each_step_it_is_torchs_adamw() -> None:
    rows = torch.arange(7)
    batches = [torch.cat((rows, rows[:n])) for n in range(4)]
    ours, theirs = embed(), embed(sparse=False)
    settings: dict[str, Any] = {"lr": 0.05, "weight_decay": 0.3}
    found = run(ours, SparseAdamW(ours.parameters(), **settings), batches)
    expected = run(theirs, torch.optim.AdamW(theirs.parameters(), **settings), batches)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_the_decay_is_that_of_rows_that_are_looked_up() -> None:
    embedding = embed()
    optimizer = SparseAdamW(embedding.parameters(), lr=0.05, weight_decay=0.3)
    before = embedding.weight.detach().clone()
    (0 * embedding(torch.tensor([2, 2, 5]))).sum().backward()  # no gradient, so only the decay
    optimizer.step()
    expected = before.clone()
    expected[[2, 5]] *= 1 - 0.05 * 0.3
    torch.testing.assert_close(embedding.weight, expected)


def test_other_parameters_are_updated_as_by_adamw() -> None:
    layers = [nn.Linear(3, 2, dtype=torch.float64) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    embedding = embed()
    both = [*embedding.parameters(), *layers[0].parameters()]
    optimizers = (
        SparseAdamW(both, lr=0.1, fused=True),
        torch.optim.AdamW(layers[1].parameters(), 0.1),
    )
    for tokens in TOKENS:
        x = embedding(tokens)
        for layer, optimizer in zip(layers, optimizers, strict=True):
            optimizer.zero_grad()
            layer(x if layer is layers[0] else x.detach()).square().sum().backward()
        for optimizer in optimizers:
            optimizer.step()
        assert embedding.weight.grad is not None and embedding.weight.grad.is_sparse
    torch.testing.assert_close(layers[0].state_dict(), layers[1].state_dict())


class Pairs(nn.Module):
    """A score for each token, from an embedding and a linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = embed(sparse=False)
        self.readout = nn.Linear(3, 7, dtype=torch.float64)

    def loss(self, batch: Batch, state: Any = None) -> tuple[Loss, Any]:
        logits = self.readout(self.embedding(batch.inputs)).flatten(0, 1)
        targets = batch.targets.flatten()
        return Loss(functional.cross_entropy(logits, targets, reduction="sum"), len(targets)), None


class FixedBatches:
    stateful = False

    def __init__(self, count: int) -> None:
        generator = torch.Generator().manual_seed(0)
        draw = torch.randint(0, 6, (count, 2, 3, 2), generator=generator)
        self.given = [Batch(one[..., 0], one[..., 1]) for one in draw]

    def __len__(self) -> int:
        return len(self.given)

    def batches(self, epoch: int, first: int = 0) -> Any:
        return iter(self.given[first:])


def test_training_is_a_plain_loop_over_rows() -> None:
    """With accumulated batches, and one norm of all gradients that is clipped."""
    ours, data = Pairs(), FixedBatches(8)
    expected = Pairs()
    expected.load_state_dict(ours.state_dict())
    config = TrainingConfig(
        epochs=2, learning_rate=0.05, schedule=ConstantRate(), warmup=0.0, weight_decay=0.2,
        max_grad_norm=0.1, accumulation_steps=2, validations=1, sparse_embeddings=True,
    )  # fmt: skip
    train(ours, data, FixedBatches(1), config)
    assert not ours.embedding.sparse
    adamw = torch.optim.AdamW(expected.readout.parameters(), lr=0.05, weight_decay=0.2)
    weight = expected.embedding.weight
    means, squares = torch.zeros(2, *weight.shape, dtype=torch.float64)
    for step, first in enumerate([0, 2, 4, 6] * 2, 1):
        expected.zero_grad()
        both = data.given[first : first + 2]
        for batch in both:
            (expected.loss(batch)[0].total / 12).backward()
        clip_grad_norm_(expected.parameters(), 0.1)
        adamw.step()
        assert weight.grad is not None
        with torch.no_grad():
            for row in {int(token) for batch in both for token in batch.inputs.flatten()}:
                gradient = weight.grad[row]
                means[row] = 0.9 * means[row] + 0.1 * gradient
                squares[row] = 0.999 * squares[row] + 0.001 * gradient**2
                size = (squares[row] / (1 - 0.999**step)).sqrt() + 1e-8
                weight[row] *= 1 - 0.05 * 0.2
                weight[row] -= 0.05 * means[row] / (1 - 0.9**step) / size
    torch.testing.assert_close(ours.state_dict(), expected.state_dict())


def test_a_resumed_run_is_an_unbroken_one(tmp_path: Path) -> None:
    config = replace(PLAN, epochs=1, save_steps=2, sparse_embeddings=True, weight_decay=0.1)
    folders = [tmp_path / "unbroken", tmp_path / "broken"]
    train(model(), Stream(15), Stream(3), config, folder=folders[0])

    def interrupt(progress: Any) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    train(model(), Stream(15), Stream(3), config, folder=folders[1], on_progress=interrupt)
    assert last(folders[1])["trainer"]["steps"] == 3
    train(model(), Stream(15), Stream(3), config, folder=folders[1], resume=True)
    assert same(last(folders[0]), last(folders[1]))


def test_a_nan_gradient_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = Pairs()
    learner.embedding.weight.register_hook(lambda gradient: gradient * torch.nan)
    config = TrainingConfig(steps=1, sparse_embeddings=True)
    with pytest.raises(TrainingDivergedError, match=r"first in the gradient of embedding.weight"):
        train(learner, FixedBatches(2), FixedBatches(1), config)


def tied() -> nn.Module:
    return LanguageModel(LanguageModelConfig(12, "gru", 8, 8, 1, tied=True))


def by_frequency() -> nn.Module:
    learner = model()
    learner.embedding.scale_grad_by_freq = True
    return learner


class Constants(nn.Module):
    """A model without an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        (tied, "The gradient of embedding is dense, because its weights are not only looked up"),
        (by_frequency, "embedding has scale_grad_by_freq"),
        (Constants, "needs a model with a torch.nn.Embedding"),
    ],
)
def test_what_cannot_be_updated_by_rows_is_refused(learner: Any, message: str) -> None:
    made = learner()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    with pytest.raises(SequenceError, match=message):
        train(made, Stream(2), Stream(1), TrainingConfig(steps=1, sparse_embeddings=True))
    assert same(before, dict(made.state_dict()))
