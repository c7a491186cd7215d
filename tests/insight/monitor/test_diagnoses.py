"""What a monitor says of models whose trouble is known, and when; of healthy ones nothing."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.insight import Diagnosis, Monitor, MonitorWarning

Loss = Callable[[Tensor], Tensor]


def watch(
    layer: nn.Module, steps: int = 30, loss: Loss = lambda y: y[-1].square().sum()
) -> tuple[tuple[Diagnosis, ...], list[str]]:
    """What is wrong after some steps without a change of the weights, and what was said."""
    said: list[str] = []
    monitor = Monitor(layer, every=1, on_message=said.append)
    for _ in range(steps):
        with monitor.observe():
            loss(layer(torch.randn(24, 3, 4))[0]).backward()
    return monitor.diagnoses, said


def make_elman(radius: float, **options: str) -> nn.Module:
    layer = sluice.nn.RNN(4, 8, **options)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(radius * torch.linalg.qr(torch.randn(8, 8)).Q)
        layer.weight_ih_l0.mul_(1e-8)  # the linear range of tanh
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
    return layer


def make_lstm(gate: str, bias: float, units: slice = slice(None)) -> nn.Module:
    """An LSTM that forgets slowly, one of whose gates has another bias in some units."""
    layer = sluice.nn.LSTM(4, 8, forget_bias=3.0)
    place = ["input", "forget", "candidate", "output"].index(gate)
    with torch.no_grad():
        layer.bias_ih_l0[8 * place : 8 * place + 8][units] = bias
        layer.bias_hh_l0[8 * place : 8 * place + 8][units] = 0
    return layer


def describe(found: tuple[Diagnosis, ...]) -> set[tuple[str, str, str]]:
    return {one.key for one in found}


def test_an_elman_layer_of_radius_one_half_vanishes() -> None:
    (found,), (said,) = watch(make_elman(0.5))
    assert found.key == ("vanishing gradient", "l0", "h")
    assert found.figure == pytest.approx(0.5**20, rel=0.01)
    assert "The gradient of h vanishes in l0: 20 steps back only 1e-06 of it is left" in said
    assert "lstm or gru in place of Elman" in said


def test_vanishing_is_seen_where_every_step_has_a_loss() -> None:
    found, _ = watch(make_elman(0.5), loss=lambda y: y.square().sum())
    assert describe(found) == {("vanishing gradient", "l0", "h")}


def test_an_elman_layer_of_radius_two_explodes() -> None:
    (found,), (said,) = watch(make_elman(2.0), loss=lambda y: y[-1].sum())
    assert found.key == ("exploding gradient", "l0", "h")
    assert found.figure == pytest.approx(2.0**23, rel=0.01)
    assert "The gradient of h explodes in l0: it grows" in said and "clip the gradient's" in said


def test_an_orthogonal_layer_is_healthy() -> None:
    assert watch(make_elman(1.0)) == ((), [])


def test_an_infinite_derivative_is_said() -> None:
    found, _ = watch(make_elman(1.0), loss=lambda y: y.sum() * float("inf"))
    assert ("exploding gradient", "l0", "h") in describe(found)


@pytest.mark.parametrize("gate", ["input", "forget", "output"])
def test_a_gate_that_is_shut_is_named(gate: str) -> None:
    found, said = watch(make_lstm(gate, -10.0))
    shut = [one for one in found if one.kind == "shut gate"]
    assert [(one.layer, one.value, one.figure) for one in shut] == [("l0", gate, 8.0)]
    expected = f"The {gate} gate of l0 is shut for good in 8 of 8 units (below 0.01"
    assert any(one.startswith(expected) for one in said)
    others = {one.key for one in found} - {shut[0].key}
    # Without a forget gate nothing is kept, and the gradient vanishes too.
    assert others == ({("vanishing gradient", "l0", "c")} if gate == "forget" else set())


def test_units_that_are_shut_are_counted() -> None:
    (found,), _ = watch(make_lstm("output", -10.0, slice(3)))
    assert (found.kind, found.value, found.figure) == ("shut gate", "output", 3.0)
    assert watch(make_lstm("output", -10.0, slice(1))) == ((), [])  # one of eight is no trouble


def test_an_open_gate_is_told_of_where_it_should_not_be_open() -> None:
    (found,), _ = watch(make_lstm("input", 10.0))
    assert (found.kind, found.value) == ("open gate", "input")
    assert watch(make_lstm("forget", 7.0))[0] == ()  # remembers 1,000 steps
    (found,), _ = watch(make_lstm("forget", 14.0))  # and this one for ever
    assert (found.kind, found.value) == ("open gate", "forget")


def test_a_saturated_candidate() -> None:
    (found,), (said,) = watch(make_lstm("candidate", 20.0))
    assert (found.kind, found.value, found.figure) == ("saturated value", "candidate", 1.0)
    assert "100% of its numbers" in said


def test_dead_units_of_relu() -> None:
    layer = make_elman(1.0, nonlinearity="relu")
    with torch.no_grad():
        layer.weight_ih_l0.normal_()
        layer.bias_ih_l0.copy_(torch.tensor([-1e4, 1, 1, -1e4, 1, 1, 1, 1]))
        layer.weight_hh_l0.copy_(torch.eye(8) * 0.9)
    (found,), (said,) = watch(layer)
    assert (found.kind, found.figure) == ("dead units", 2.0)
    assert said.startswith("2 of 8 units of l0 are dead") and "ReLU" in said


def test_units_that_nobody_reads_and_a_layer_that_no_gradient_reaches() -> None:
    layer = sluice.nn.LSTM(4, 8, chrono=30, proj_size=0)
    with torch.no_grad():  # units do not read each other
        layer.weight_hh_l0.zero_()
    (found,), _ = watch(layer, loss=lambda y: y[..., :5].sum())
    assert (found.kind, found.figure) == ("unread units", 3.0)
    (found,), _ = watch(layer, loss=lambda y: 0 * y.sum())
    assert found.key == ("no gradient", "l0", "")


@pytest.mark.parametrize("chrono", [20, 1_000, 100_000])
def test_a_chrono_initialised_lstm_is_healthy(chrono: float) -> None:
    assert watch(sluice.nn.LSTM(4, 32, chrono=chrono)) == ((), [])


def test_nothing_is_said_before_it_has_lasted() -> None:
    layer = make_lstm("forget", -10.0)
    # 20 steps are not judged, five observations must agree.
    assert watch(layer, 24)[1] == [] and len(watch(layer, 25)[1]) == 2


def test_it_is_said_once_and_taken_back_when_it_is_over() -> None:
    layer, said = make_lstm("output", -10.0), list[str]()
    monitor = Monitor(layer, every=1, settle=0, patience=3, on_message=said.append)

    def run(steps: int) -> None:
        for _ in range(steps):
            with monitor.observe():
                layer(torch.randn(24, 3, 4))[0].sum().backward()

    run(10)
    assert [one.kind for one in monitor.diagnoses] == ["shut gate"] and len(said) == 1
    with torch.no_grad():
        layer.bias_ih_l0[24:].zero_()
    run(2)
    assert len(monitor.diagnoses) == 1
    run(1)
    assert monitor.diagnoses == ()
    assert said[1:] == ["No longer: shut gate (output of l0), said at step 3."]
    assert [one.kind for one in monitor.observations[-1].withdrawn] == ["shut gate"]


def test_a_default_training_raises_no_alarm() -> None:
    """A GRU that learns to sum its inputs, observed at every step from the first on."""
    layer, readout = sluice.nn.GRU(4, 16, forget_bias=1.0), nn.Linear(16, 1)
    said: list[str] = []
    monitor = Monitor(layer, every=1, settle=0, on_message=said.append)
    optimizer = torch.optim.AdamW([*layer.parameters(), *readout.parameters()], 1e-2)
    for _ in range(40):
        x = torch.randn(24, 8, 4)
        optimizer.zero_grad()
        with monitor.observe():
            (readout(layer(x)[0]) - x.mean(-1, keepdim=True).cumsum(0)).square().mean().backward()
        optimizer.step()
    assert said == []


def test_by_default_sentences_are_warnings() -> None:
    monitor = Monitor(layer := make_elman(0.5), every=1, settle=0, patience=1)
    with (
        pytest.warns(MonitorWarning, match=re.escape("The gradient of h vanishes in l0")),
        monitor.observe(),
    ):
        layer(torch.randn(24, 3, 4))[0].sum().backward()
