"""Weights that are packed once, and never stale."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch

from sluice.sequence import (
    LanguageModel,
    LanguageModelConfig,
    PackedLanguageModel,
    Sampling,
    beam_search,
    generate,
    stream_tokens,
)
from sluice.sequence.generation import packed_model
from sluice.sequence.generation.kernel_engine import KernelWeights

SAMPLING = Sampling(max_length=12)


def make_model() -> LanguageModel:
    torch.manual_seed(7)
    model = LanguageModel(LanguageModelConfig(11, "lstm", 8, 8, num_layers=2)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


@pytest.fixture
def packings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Weak references to all that is packed during a test."""
    found: list[Any] = []

    class Counted(KernelWeights):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            found.append(weakref.ref(self))

    monkeypatch.setattr(packed_model, "KernelWeights", Counted)
    return found


def test_streams_that_live_share_what_is_packed(packings: list[Any]) -> None:
    model = make_model()
    expected = generate(model, range(5), sampling=SAMPLING)
    packings.clear()
    streams = [stream_tokens(model, seed, sampling=SAMPLING) for seed in range(5)]
    assert len(packings) == 1
    assert generate(model, range(5), sampling=SAMPLING) == expected and len(packings) == 1
    assert beam_search(model, 2, max_length=9) and len(packings) == 1
    other = make_model()
    generate(other, [1], sampling=SAMPLING)
    assert len(packings) == 2
    assert [list(stream) for stream in streams] == expected
    del streams
    gc.collect()
    assert packings[0]() is None
    generate(model, [1], sampling=SAMPLING)
    assert len(packings) == 3


class Free:
    """Allows everything but to end."""

    def start(self) -> int:
        return 0

    def get_allowed_tokens(self, state: int) -> range:
        return range(3, 11)

    def advance(self, state: int, token: int) -> int:
        return state + 1


def run_threads(count: int, job: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=job, args=(seed,)) for seed in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_that_begin_together_pack_once(packings: list[Any]) -> None:
    model = make_model()
    barrier, streams = threading.Barrier(12), dict[int, Any]()

    def begin(seed: int) -> None:
        barrier.wait(30)
        streams[seed] = stream_tokens(model, seed, sampling=SAMPLING)

    run_threads(12, begin)
    assert len(packings) == 1
    drawn = [list(streams[seed]) for seed in range(12)]
    assert drawn == generate(model, range(12), sampling=SAMPLING)


def test_calls_of_many_threads_pack_twice_at_most(packings: list[Any]) -> None:
    model, barrier = make_model(), threading.Barrier(8)
    expected = generate(model, range(8), sampling=SAMPLING, grammar=Free())
    found: dict[int, list[list[int]]] = {}
    packings.clear()

    class Meeting(Free):
        """Lets the threads go on when all are in their calls."""

        def advance(self, state: int, token: int) -> int:
            if state == 0:
                barrier.wait(30)
            return state + 1

    def call(seed: int) -> None:
        found[seed] = generate(model, [seed], sampling=SAMPLING, grammar=Meeting())

    run_threads(8, call)
    assert [found[seed][0] for seed in range(8)] == expected
    assert len(packings) <= 2


def change_precision(model: LanguageModel) -> None:
    model.layers.precision = "bfloat16"


def train_a_step(model: LanguageModel) -> None:
    loss = model(torch.tensor([[3, 4], [5, 6]]))[0].square().sum()
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.5).step()


CHANGES = {
    "in place": lambda model: model.readout.bias.data.neg_(),
    "one number": lambda model: model.embedding.weight.data[5].add_(3.0),
    "a training step": train_a_step,
    "precision": change_precision,
    "backend": lambda model: setattr(model.layers, "backend", "reference"),
    "dtype": lambda model: model.double(),
    "another parameter": lambda model: setattr(
        model.readout, "bias", torch.nn.Parameter(-model.readout.bias.detach())
    ),
    "half of a state dict": lambda model: model.load_state_dict(
        {"readout.weight": -model.readout.weight}, strict=False
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_that_has_changed_is_packed_anew(change: str) -> None:
    model, untouched = make_model(), make_model()
    packed = PackedLanguageModel(model)
    (old,) = generate(untouched, [2], sampling=SAMPLING)
    begun = stream_tokens(model, 2, sampling=SAMPLING)
    next(begun, None)
    CHANGES[change](model)
    assert not packed.is_current(model)
    CHANGES[change](untouched)
    expected = generate(untouched, range(6), sampling=SAMPLING)
    assert generate(model, range(6), sampling=SAMPLING) == expected
    assert list(stream_tokens(model, 3, sampling=SAMPLING)) == expected[3]
    assert list(begun) == old[1:]  # it has the weights that it began with


def test_a_packed_model_lets_its_model_go() -> None:
    model = make_model()
    reference, packed = weakref.ref(model), PackedLanguageModel(model)
    assert packed.is_current(model)
    del model
    gc.collect()
    assert reference() is None
