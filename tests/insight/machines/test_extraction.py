"""Machines extracted from models whose weights were set by hand: what they must be is known."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.insight import (
    StateMachine,
    StateMachineError,
    classify_memory_operations,
    extract_state_machine,
)


class Steps(nn.Module):
    """Symbols as one-hot vectors into a layer; logits by a function of its output."""

    def __init__(self, layer: nn.Module, symbols: int) -> None:
        super().__init__()
        self.layer, self.symbols = layer, symbols

    def forward(self, ids: Tensor) -> Tensor:
        return self.answer(self.layer(nn.functional.one_hot(ids, self.symbols).float())[0])

    def answer(self, h: Tensor) -> Tensor:
        return h[..., :1]


class Parity(Steps):
    """Units "bit or memory" and "bit and memory"; the memory is half their difference."""

    def __init__(self) -> None:
        super().__init__(sluice.nn.RNN(2, 2), 2)
        with torch.no_grad():
            self.layer.weight_ih_l0.copy_(torch.tensor([[0.0, 20.0]] * 2))
            self.layer.weight_hh_l0.copy_(torch.tensor([[10.0, -10.0]] * 2))
            self.layer.bias_ih_l0.copy_(torch.tensor([-10.0, -30.0]))
            self.layer.bias_hh_l0.zero_()

    def answer(self, h: Tensor) -> Tensor:
        return h[..., 0] - h[..., 1] - 1.0


class Counter(Steps):
    """An LSTM that adds 1 for a and −1 for b, and says whether as many were read."""

    def __init__(self, hold: float = 40.0) -> None:
        super().__init__(sluice.nn.LSTM(2, 1), 2)
        with torch.no_grad():
            self.layer.weight_hh_l0.zero_()
            self.layer.weight_ih_l0.copy_(torch.tensor([[0.0, 0], [0, 0], [9, -9], [0, 0]]))
            self.layer.bias_ih_l0.copy_(torch.tensor([40.0, hold, 0, 40]))  # i, f, g, o
            self.layer.bias_hh_l0.zero_()

    def answer(self, h: Tensor) -> Tensor:
        return 0.3 - h[..., 0].abs()


class Memory(Steps):
    """Symbols: store −, store +, load, delete, keep. One gate does each."""

    def __init__(self) -> None:
        super().__init__(sluice.nn.LSTM(5, 1), 5)
        gates = [[9, 9, -9, -9, -9], [-9, -9, 9, -9, 9], [-9, 9, 0, 0, 0], [-9, -9, 9, -9, -9]]
        with torch.no_grad():
            self.layer.weight_hh_l0.zero_()
            self.layer.weight_ih_l0.copy_(torch.tensor(gates, dtype=torch.float32))
            self.layer.bias_ih_l0.zero_()
            self.layer.bias_hh_l0.zero_()

    def answer(self, h: Tensor) -> Tensor:
        return torch.cat([0.3 - h.abs(), -h, h], dim=-1)


def test_parity_gives_the_two_states_of_the_textbook() -> None:
    found = extract_state_machine(
        Parity(),
        "01",
        empty=False,
        language=lambda word: [word[:end].count("1") % 2 == 1 for end in range(len(word) + 1)],
    )
    assert found.machine == StateMachine(("0", "1"), ((0, 1), (1, 0)), (False, True))
    assert found.groups == 2
    assert found.fidelity == found.step_fidelity == found.sample_fidelity == 1.0
    assert found.accuracy == found.model_accuracy == 1.0
    assert found.held_out_length > 20
    # h is (−1, −1) or (1, 1) for even, and (1, −1) for odd.
    assert (found.centres[1] - torch.tensor([1.0, -1.0])).abs().max() < 1e-6


def test_a_memory_cell_gives_its_machine_and_its_operations() -> None:
    names = ("store -", "store +", "load", "delete", "keep")
    model = Memory()
    found = extract_state_machine(model, names, outputs=("", "-", "+"), empty="")
    # States: the content and whether it is shown; an empty cell shows nothing either way.
    places = [("", False), ("-", False), ("+", False), ("-", True), ("+", True)]

    def follow(state: tuple[str, bool], symbol: str) -> int:
        content = {"store -": "-", "store +": "+", "delete": ""}.get(symbol, state[0])
        return places.index((content, symbol == "load" and content != ""))

    rows = tuple(tuple(follow(state, symbol) for symbol in names) for state in places)
    shown = tuple(content if shows else "" for content, shows in places)
    textbook = StateMachine(names, rows, shown)
    assert len(found.machine) == 5
    assert found.machine.find_difference(textbook) is None
    assert found.fidelity == 1.0

    with torch.no_grad(), sluice.record(model) as tape:
        model(torch.arange(5)[:, None])
    done = classify_memory_operations(tape)
    assert done.store.flatten().tolist() == [True, True, False, False, False]
    assert done.keep.flatten().tolist() == [False, False, True, False, True]
    assert done.delete.flatten().tolist() == [True, True, False, True, False]  # overwritten
    assert done.load is not None
    assert done.load.flatten().tolist() == [False, False, True, False, False]


def test_a_counter_is_a_longer_machine_the_more_it_has_read() -> None:
    sizes = []
    for largest in (2, 4):
        words = ["a" * n + "b" * n for n in range(1, largest + 1)]
        found = extract_state_machine(
            Counter(), "ab", empty=True, words=words, held_out=words, tolerance=0.0
        )
        assert found.sample_fidelity == 1.0
        for word in words:
            assert found.machine.accepts(word)
            assert not found.machine.accepts(word[:-1])
        sizes.append(len(found.machine))
    assert sizes[1] > sizes[0]
    with pytest.raises(StateMachineError, match="more than 5 states"):
        extract_state_machine(Counter(), "ab", empty=True, limit=5)


def test_a_machine_that_misses_what_the_model_does_says_so() -> None:
    # A count that slowly leaks is a counter on short words, and none on long ones.
    found = extract_state_machine(
        Counter(hold=2.0),
        "ab",
        empty=True,
        words=["".join(word) for word in product("ab", repeat=3)],
        held_out=["a" * n + "b" * n for n in range(1, 12)],
        language=lambda word: [
            word[:end].count("a") == word[:end].count("b") for end in range(len(word) + 1)
        ],
        limit=1000,
    )
    assert found.sample_fidelity > 0.9
    assert found.fidelity < 1.0
    assert found.model_accuracy is not None
    assert found.model_accuracy < 1.0


def test_every_layer_and_state_counts_and_the_model_is_unchanged() -> None:
    torch.manual_seed(0)
    model = Steps(sluice.nn.LSTM(2, 3, num_layers=2), 2)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = extract_state_machine(model, "01", empty=True, tolerance=0.5)
    assert found.centres.shape[1] == 2 * 2 * 3
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_what_cannot_be_a_machine_is_refused() -> None:
    both = Steps(sluice.nn.GRU(2, 3, bidirectional=True), 2)
    with pytest.raises(StateMachineError, match="reads backwards"):
        extract_state_machine(both, "01", empty=True)
    with pytest.raises(StateMachineError, match="empty="):
        extract_state_machine(Parity(), "01")
    with pytest.raises(StateMachineError, match="words of the alphabet"):
        extract_state_machine(Parity(), "01", empty=False, words=["012"])
    with pytest.raises(StateMachineError, match="name all in outputs="):
        extract_state_machine(Memory(), ["1", "2", "3", "4", "5"], empty=False)
    last = Parity()
    last.answer = lambda h: h[-1]  # type: ignore[method-assign]
    with pytest.raises(StateMachineError, match="must answer each of"):
        extract_state_machine(last, "01", empty=False)
