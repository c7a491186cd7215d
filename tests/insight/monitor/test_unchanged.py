"""A training with a monitor is bit for bit the one without."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.insight import Monitor
from sluice.sequence import BucketBatches, LanguageModel, LanguageModelConfig, TrainingConfig, train


class Model(nn.Module):
    """Two layers in both directions with dropout, lengths and resets."""

    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.layers = kind(4, 6, 2, bidirectional=True, dropout=0.3)
        self.readout = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        lengths = torch.tensor([9, 5, 7])
        resets = torch.zeros(9, 3, dtype=torch.bool)
        resets[4, 0] = True
        return self.readout(self.layers(x, lengths=lengths, resets=resets)[0])


def train_plainly(
    kind: Callable[..., nn.Module], backend: str | None, watched: bool
) -> list[Tensor]:
    """Outputs, gradients and weights of some steps, and a random number after them."""
    torch.manual_seed(0)
    model = Model(kind)
    model.layers.backend = backend
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    monitor = Monitor(model, every=2, on_message=lambda message: None)
    found = []
    for _ in range(5):
        optimizer.zero_grad()
        with monitor.observe() if watched else nullcontext():
            output = model(torch.randn(9, 3, 4))
            output.square().mean().backward()
        found += [output.detach(), *(p.grad.clone() for p in model.parameters())]
        optimizer.step()
    assert [one.step for one in monitor.observations] == ([1, 3, 5] if watched else [])
    return [*found, *model.state_dict().values(), torch.rand(1)]


@pytest.mark.parametrize("kind", [sluice.nn.LSTM, sluice.nn.GRU, sluice.nn.RNN])
@pytest.mark.parametrize("backend", [None, "reference"])
def test_outputs_gradients_and_random_numbers(
    kind: Callable[..., nn.Module], backend: str | None
) -> None:
    plain, watched = (train_plainly(kind, backend, one) for one in (False, True))
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))


@pytest.mark.parametrize(
    "settings",
    [{"bptt": 3}, {"bptt": (2, 5), "accumulation_steps": 2}, {"precision": "bfloat16"}],
    ids=str,
)
def test_the_trainer(settings: dict[str, object]) -> None:
    words = [[3 + (a * b) % 8 for b in range(4 + a % 5)] for a in range(24)]
    data = BucketBatches(words, batch_size=8, seed=0)
    found = []
    for monitor in (None, lambda model: Monitor(model, every=1, on_message=print)):
        torch.manual_seed(0)
        config = LanguageModelConfig(
            vocabulary_size=11, hidden_size=8, num_layers=2, dropout=0.2, recurrent_dropout=0.1
        )
        model = LanguageModel(config)
        result = train(model, data, data, TrainingConfig(steps=6, **settings), monitor=monitor)
        found.append([result.validation_loss, *(p.detach() for p in model.parameters())])
    plain, watched = found
    assert plain[0] == watched[0]
    assert all(torch.equal(a, b) for a, b in zip(plain[1:], watched[1:], strict=True))
