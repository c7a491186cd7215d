"""Injected faults are located."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.insight import find_first_nonfinite


def record_layer(model: nn.Module, x: Tensor, backend: str | None = None) -> sluice.insight.Tape:
    for module in model.modules():
        if hasattr(module, "backend"):
            module.backend = backend
    with torch.no_grad(), sluice.record(model) as tape:
        for module in model.children() if type(model) is nn.Module else [model]:
            x, _ = module(x)
    return tape


def chain() -> nn.Module:
    model = nn.Module()
    model.encoder = sluice.nn.GRU(3, 4)
    model.top = sluice.nn.LSTM(4, 5, num_layers=2)
    return model


@pytest.mark.parametrize("backend", [None, "reference"])
def test_a_weight_of_one_gate(backend: str | None) -> None:
    model, x = chain(), torch.randn(6, 2, 3)
    assert find_first_nonfinite(record_layer(model, x, backend)) is None
    with torch.no_grad():
        model.get_parameter("top.weight_hh_l1")[5 + 3, 2] = float("nan")  # forget, unit 3
    fault = find_first_nonfinite(record_layer(model, x, backend))
    assert fault is not None and fault.nonfinite_parameters == ("weight_hh_l1",)
    message = "NaN first appears in 'top' l1, value 'forget', step 0, sequence 0, unit 3; "
    assert str(fault) == message + "weight_hh_l1 of that layer already hold one"


@pytest.mark.parametrize("backend", [None, "reference"])
def test_an_input_in_either_direction(backend: str | None) -> None:
    layer, x = sluice.nn.GRU(3, 4, bidirectional=True), torch.randn(6, 3, 3)
    x[2, 1], x[4, 2] = float("nan"), float("nan")
    tape = record_layer(layer, x, backend)
    forward = find_first_nonfinite(tape)
    assert forward is not None and (forward.layer, forward.step, forward.sequence) == ("l0", 2, 1)
    assert str(forward) == "NaN first appears in l0, value 'reset', step 2, sequence 1, unit 0"


def test_the_reverse_direction_reads_from_the_end() -> None:
    layer, x = sluice.nn.GRU(3, 4, bidirectional=True), torch.randn(6, 3, 3)
    with torch.no_grad():
        layer.bias_ih_l0_reverse[4] = float("nan")  # update, unit 0
    fault = find_first_nonfinite(record_layer(layer, x))
    assert fault is not None and (fault.layer, fault.name, fault.step) == (
        "l0_reverse",
        "update",
        5,
    )


def test_infinity_is_distinguished_from_nan() -> None:
    class Doubling(sluice.Cell):
        grow = sluice.Gate()

        def step(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
            return dict(h=1e20 * h + self.grow(x))

    layer = sluice.nn.Recurrent(Doubling, 1, 2)
    nn.init.ones_(layer.weight_ih_l0)
    nn.init.zeros_(layer.bias_ih_l0)
    fault = find_first_nonfinite(record_layer(layer, torch.ones(5, 1, 1)))
    assert fault is not None and (fault.kind, fault.name, fault.step) == ("infinity", "h", 2)
    assert fault.nonfinite_parameters == ()


def test_before_a_forward() -> None:
    with pytest.raises(RuntimeError, match="recorded nothing"):
        find_first_nonfinite(sluice.record(sluice.nn.GRU(3, 4)))
