"""What a class may declare and where; what is refused, and what is told."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import sluice
from sluice import Cell, EquationError, Gate, Map, Mask, Norm, State, Vector, sigmoid, tanh
from sluice.cells import Input, UnusedDeclarationWarning

GENERATOR = np.random.default_rng(0)


def step(self: Any, x: Any, h: Any) -> Any:
    return dict(h=tanh(self.g(x, h)))


def make(**parts: Any) -> type[Cell]:
    return type("Own", (Cell,), {"g": Gate(), "step": step, **parts})


@pytest.mark.parametrize("kind", [Gate, Map, Vector, Norm])
@pytest.mark.parametrize(
    "name",
    [
        *("graph", "text", "name", "interpreter", "declarations", "bind", "call_step", "sizes"),
        *("forget_gate_name", "x", "h", "hh", "ih", "weight_hh", "bias_ih", "weight_hh_l0"),
        *("late_l1_reverse", "two words", "pre.g", ""),
    ],
)
def test_names_that_are_taken_are_refused(kind: type, name: str) -> None:
    cell = make(**{name: kind()})
    with pytest.raises(EquationError, match=rf"Own: .*'{name}'.* choose another name$") as caught:
        sluice.nn.Recurrent(cell, 4, 8)
    assert "because" in str(caught.value)


@pytest.mark.parametrize("name", ["weight_norm", "bias_norm", "initial_h", "weight_memory"])
def test_vectors_do_not_take_the_parameters_of_others(name: str) -> None:
    with pytest.raises(EquationError, match=f"a Vector cannot be called '{name}', because a layer"):
        _ = make(**{name: Vector(), "norm": Norm()})().graph


def test_maps_and_norms_have_parameters_of_their_own() -> None:
    with pytest.raises(EquationError, match="'a' and 'b' have a parameter of the same name, 'b'"):
        _ = make(a=Map(parameter="b"), b=Map())().graph
    with pytest.raises(EquationError, match="the parameter of 'a' cannot be called 'hh'"):
        _ = make(a=Map(parameter="hh"))().graph


def test_a_state_cannot_be_called_x() -> None:
    class Forced(Cell):
        g = Gate()

        def step(self, u: Any, x: Any) -> Any:
            return dict(x=tanh(self.g(u, x)))

    with pytest.raises(EquationError, match="a state cannot be called 'x', because x is the input"):
        _ = Forced().graph


def test_what_a_cell_has_is_not_replaced() -> None:
    class Overwritten(Cell):
        g, text = Gate(), "words"
        step = step

    with pytest.raises(EquationError, match="called 'text', because every cell has its own"):
        sluice.nn.Recurrent(Overwritten, 4, 8)

    class Set(Cell):
        g = Gate()
        step = step

        def __init__(self) -> None:
            self.graph = 0.5  # type: ignore[assignment]

    with pytest.raises(EquationError, match="called 'graph', because every cell has its own"):
        Set()

    class Named(Cell):
        g, name = Gate(), "Renamed"
        step = step

    assert Named().graph.name == "Renamed"


class InInit(Cell):
    """Parts made where torch's modules make theirs."""

    def __init__(self) -> None:
        self.g, self.peep = Gate(), Vector(initial=0.5)
        self.maps = []
        for _ in range(2):
            self.maps.append(Map())

    def step(self, x: Any, h: Any) -> Any:
        return dict(h=tanh(self.g(x, h) + self.peep * h + self.maps[0](h) * self.maps[1](h)))


class InClass(Cell):
    g, maps_0, maps_1, peep = Gate(), Map(), Map(), Vector(initial=0.5)

    def step(self, x: Any, h: Any) -> Any:
        return dict(h=tanh(self.g(x, h) + self.peep * h + self.maps_0(h) * self.maps_1(h)))


def test_parts_made_in_init_or_in_a_list_are_parts() -> None:
    ours, theirs = (sluice.nn.Recurrent(cell, 4, 8) for cell in (InInit, InClass))
    assert ours.cell.graph.outputs == theirs.cell.graph.outputs
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, 2, 4)
    assert torch.equal(ours(x)[0], theirs(x)[0])


def test_one_declaration_under_two_names_is_two_parts() -> None:
    class Twins(Cell):
        a = b = Gate()

        def step(self, x: Any, h: Any) -> Any:
            return dict(h=tanh(self.a(x, h)) * sigmoid(self.b(x, h)))

    assert [gate for gate, _ in Twins().graph.get_stack("hh").gates] == ["a", "b"]


class NoForget(sluice.cells.LSTM):
    forget = None  # type: ignore[assignment]
    forget_gate_name = None
    extra = Gate()

    def step(self, x: Any, h: Any, c: Any) -> Any:
        c = c + sigmoid(self.input(x, h)) * tanh(self.candidate(x, h))
        return dict(h=sigmoid(self.output(x, h)) * tanh(c) * sigmoid(self.extra(x, h)), c=c)


def test_a_class_may_remove_and_add_parts_of_another() -> None:
    gates = [gate for gate, _ in NoForget().graph.get_stack("ih").gates]
    assert gates == ["input", "candidate", "output", "extra"]

    class Unremoved(NoForget):
        forget = Gate()

    with pytest.warns(UnusedDeclarationWarning, match="Gate 'forget' declared, but not used"):
        _ = Unremoved().graph


@pytest.mark.parametrize("part", [Gate(), Map(), Vector(), Norm()])
def test_unused_parts_are_told_at_the_line_that_uses_the_cell(part: Any) -> None:
    kind = type(part).__name__
    with pytest.warns(UnusedDeclarationWarning, match=f"Own: {kind} 'spare' declared") as caught:
        layer = sluice.nn.Recurrent(sluice.cells.zoneout(make(spare=part), h=0.1), 4, 8)
    assert [one.filename for one in caught] == [__file__]
    assert len(list(layer.parameters())) == 4


def test_an_unused_mask_is_told() -> None:
    class Deaf(Cell):
        g, noise = Gate(), Mask(rate=0.5)

        def step(self, x: Any, h: Any, noise: Any) -> Any:
            return dict(h=tanh(self.g(x, h)))

    with pytest.warns(UnusedDeclarationWarning, match="Mask 'noise' declared"):
        _ = Deaf().graph


@pytest.mark.parametrize(
    "part", [State(), Mask(rate=0.5), Input(width="hidden"), State(count=2)], ids=repr
)
def test_a_declared_argument_must_be_taken(part: Any) -> None:
    kind = type(part).__name__
    with pytest.raises(EquationError, match=rf"Own: {kind} 'c' is declared.*step\(self, x, ..., c"):
        _ = make(c=part)().graph
    assert make(c=part)  # the class itself stands, so that it can be derived from
    assert type("Mended", (make(c=part),), {"c": None})().graph.states[0].name == "h"


def test_a_state_must_be_returned_and_has_no_default() -> None:
    class Lost(Cell):
        g = Gate()

        def step(self, x: Any, h: Any, c: Any) -> Any:
            return dict(h=tanh(self.g(x, h)) * c)

    with pytest.raises(EquationError, match=r"`def step.*must return dict\(h=..., c=...\), got no"):
        _ = Lost().graph

    class Defaults(Cell):
        g = Gate()

        def step(self, x: Any, h: Any, alpha: Any = 0.1) -> Any:
            return dict(h=alpha * tanh(self.g(x, h)))

    with pytest.raises(EquationError, match=r"'alpha' each time, .* attribute, self\.alpha"):
        _ = Defaults().graph


DRAWS: dict[str, Callable[[], float]] = {
    "random": lambda: random.gauss(0, 1),
    "branch": lambda: 1.0 if random.random() < 2.0 else 2.0,
    "numpy": lambda: float(np.random.randn()),
    "generator": lambda: float(GENERATOR.normal()),
    "fresh generator": lambda: float(np.random.default_rng().normal()),
    "torch": lambda: torch.randn(()).item(),
    "torch branch": lambda: 1.0 if torch.rand(()) < 2.0 else 2.0,
    "in place": lambda: torch.empty(()).normal_().item(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_random_numbers_of_others_are_refused(name: str) -> None:
    def noisy(self: Any, x: Any, h: Any) -> Any:
        return dict(h=tanh(self.g(x, h)) * DRAWS[name]())

    with pytest.raises(EquationError, match=r"`def noisy.*Noise\(std=...\) or Mask\(rate=...\)"):
        _ = make(step=noisy)().graph


def test_numbers_drawn_before_are_constants() -> None:
    class Drawn(Cell):
        g = Gate()

        def __init__(self) -> None:
            self.scale = random.random()

        def step(self, x: Any, h: Any) -> Any:
            fixed = np.random.default_rng(3).normal()
            return dict(h=self.scale * tanh(self.g(x, h)) + fixed)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sluice.nn.Recurrent(Drawn, 4, 8)(torch.randn(2, 1, 4))[0].shape == (2, 1, 8)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (dict(h=State(initial=torch.zeros(8))), r"initial= of 'h' .* learn_initial_state=True"),
        (
            dict(h=State(initial=float("nan"))),
            r"initial= of 'h' must be one finite number, got nan",
        ),
        (dict(v=Vector(initial=np.zeros(8))), r"initial= of 'v' .* set in the layer's parameter"),
        (dict(n=Norm(epsilon=None)), r"epsilon= of 'n' must be one finite number, got a value of"),
        (
            dict(g=Gate(heads="many")),
            r"heads must be .* got 'many', which is None",
        ),
        (dict(g=Gate(heads=0)), r"heads must be a number from 1 .* got 0"),
    ],
)
def test_values_of_declarations_are_numbers(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(EquationError, match=words):
        _ = make(**parts)().graph


def test_a_mask_has_a_rate() -> None:
    class Loud(Cell):
        g, noise = Gate(), Mask(rate=1.5)

        def step(self, x: Any, h: Any, noise: Any) -> Any:
            return dict(h=tanh(self.g(x, h)) * noise)

    with pytest.raises(EquationError, match=r"rate of mask 'noise' must be in \[0, 1\], got 1.5"):
        _ = Loud().graph


def test_a_state_is_no_attribute() -> None:
    def confused(self: Any, x: Any, h: Any) -> Any:
        return dict(h=tanh(self.g(x, h)) * self.h)

    with pytest.raises(EquationError, match=r"write step\(self, x, h\) and use h, not self\.h"):
        _ = make(h=State(), step=confused)().graph
