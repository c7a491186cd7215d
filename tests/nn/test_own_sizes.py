"""Widths of a cell's own: numbers, names whose sizes the layer is given, and the input's width."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from sluice import Cell, Gate, Map, State, Vector, sigmoid, tanh
from sluice.equations import EquationError, Sizes
from sluice.nn import Recurrent
from sluice.sequence import Checkpoint
from sluice.sequence.models import LanguageModel, LanguageModelConfig
from sluice.sequence.vocabulary import Vocabulary


class Slots(Cell):
    """A memory of its own width beside h, a map through three units, and a gate on the memory."""

    sizes = {"slots": 5}  # noqa: RUF012 - as users write it
    keep, candidate = Gate(width="slots"), Map()
    write, narrow, back, read = Map(width="slots"), Map(width=3), Map(width="slots"), Map()
    m = State(width="slots", initial=0.5)
    decay = Vector(width="slots")

    def step(self, x: Any, h: Any, m: Any) -> Any:
        k = sigmoid(self.keep(x, h))
        m = self.decay * m + k * tanh(self.write(x)) + self.back(self.narrow(m))
        return dict(h=tanh(self.candidate(h) + self.read(m)), m=m, keep=k)


def run_loop(layer: Recurrent, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}

    def apply(name: str, value: Tensor) -> Tensor:
        return value @ p[f"weight_{name}"].T + p[f"bias_{name}"]

    h, m = x.new_zeros(x.shape[1], 6), x.new_full((x.shape[1], len(p["decay"])), 0.5)
    outputs = []
    for row in x:
        k = torch.sigmoid(apply("ih", row) + apply("hh", h))
        m = p["decay"] * m + k * apply("write", row).tanh() + apply("back", apply("narrow", m))
        h = torch.tanh(apply("candidate", h) + apply("read", m))
        outputs.append(h)
    return torch.stack(outputs), h, m


@pytest.mark.parametrize("backend", ["fused", "reference"])
@pytest.mark.parametrize("slots", [1, 17])
def test_named_width_is_as_wide_as_the_layer_says(slots: int, backend: str) -> None:
    layer = Recurrent(Slots, 4, 6, sizes={"slots": slots}, dtype=torch.float64)
    layer.backend = backend
    x = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)
    y, (h, m) = layer(x)
    assert m.shape == (1, 3, slots)
    assert layer.weight_narrow_l0.shape == (3, slots)
    expected = run_loop(layer, x)
    upstream = [torch.randn_like(t) for t in expected]
    wanted = [x, *layer.parameters()]
    mine = torch.autograd.grad((y, h[0], m[0]), wanted, upstream)
    theirs = torch.autograd.grad(expected, wanted, upstream)
    pairs = zip((y, h[0], m[0], *mine), (*expected, *theirs), strict=True)
    for found, right in pairs:
        torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-12)


def test_copies_streams_and_programs_keep_the_sizes() -> None:
    layer = Recurrent(Slots, 4, 6, num_layers=2, sizes={"slots": 7}).eval()
    assert "sizes={'slots': 7}" in repr(layer)
    x = torch.randn(5, 2, 4)
    y, _ = layer(x)
    fresh = Recurrent(Slots, 4, 6, num_layers=2, sizes={"slots": 7})
    fresh.load_state_dict(layer.state_dict())
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), fresh):
        assert torch.equal(other(x)[0], y)
    stream = layer.stream(2)
    assert torch.equal(torch.stack([stream(row) for row in x]), y)
    assert torch.equal(torch.compile(layer, fullgraph=True, backend="eager")(x)[0], y)
    assert torch.equal(torch.export.export(layer, (x,)).module()(x)[0], y)


def test_cells_own_size_is_the_default() -> None:
    assert Recurrent(Slots, 4, 6).weight_write_l0.shape == (5, 4)
    assert Recurrent(sluice.cells.zoneout(Slots, m=0.1), 4, 6).weight_write_l0.shape == (5, 4)
    parameters = {n.removesuffix("_l0"): p for n, p in Recurrent(Slots, 4, 6).named_parameters()}
    bound = Slots().bind(parameters, Sizes(4, 6, named={"slots": 5}))
    found = bound.step(torch.zeros(2, 4), h=torch.zeros(2, 6), m=torch.zeros(2, 5))
    assert found["m"].shape == (2, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": {"slot": 3}}, "'slot', which is no width of Slots: .* slots"),
        ({"sizes": {"slots": 0}}, "'slots' must be a number of units, got 0"),
        ({"sizes": {"slots": 2.0}}, "'slots' must be a number of units, got 2.0"),
        ({"proj_size": 3}, "Slots has no projection and takes no proj_size"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recurrent(Slots, 4, 6, **options)


def test_missing_size_is_refused_with_the_names_there_are() -> None:
    class Unsized(Slots):
        sizes: dict[str, int] = {}  # noqa: RUF012 - the base's is the class's own as well

    with pytest.raises(
        ValueError, match=r"widths of its own, slots; .* sizes=dict\(slots=\.\.\.\)"
    ):
        Recurrent(Unsized, 4, 6)


@pytest.mark.parametrize("width", [0, True, "two words", "a**b", 1.5])
def test_no_width_is_refused(width: Any) -> None:
    class Odd(Cell):
        candidate = Gate(width=width)

        def step(self, x: Any, h: Any) -> Any:
            return dict(h=tanh(self.candidate(x, h)))

    with pytest.raises(EquationError, match=r"'candidate': a width must be .*got"):
        _ = Odd().graph


class LowRank(Cell):
    """Its only value of width projection is a map's."""

    of_input, down, up = Gate(), Map(width="projection"), Map()

    def step(self, x: Any, h: Any) -> Any:
        return dict(h=tanh(self.of_input(x) + self.up(self.down(h))))


class Narrow(Cell):
    """Its only value of width projection is a gate's."""

    write, candidate, spread = Gate(width="projection"), Gate(), Map(bias=False)

    def step(self, x: Any, h: Any) -> Any:
        return dict(h=h + self.spread(sigmoid(self.write(x, h))) * self.candidate(x, h))


@pytest.mark.parametrize("cell", [LowRank, Narrow])
def test_proj_size_sizes_any_value(cell: type[Cell]) -> None:
    layer = Recurrent(cell, 3, 8, proj_size=2)
    assert any(2 in parameter.shape for parameter in layer.parameters())
    x = torch.randn(4, 2, 3)
    y, _ = layer(x)
    layer.backend = "reference"
    torch.testing.assert_close(y, layer(x)[0])
    with pytest.raises(ValueError, match="of width 'projection' and needs proj_size="):
        Recurrent(cell, 3, 8)


class Average(Cell):
    """A running mean of the input, which learns nothing."""

    h = State(width="input")

    def step(self, x: Any, h: Any) -> Any:
        return dict(h=0.9 * h + 0.1 * x)


@pytest.mark.parametrize("backend", ["fused", "reference"])
def test_layer_without_parameters(backend: str) -> None:
    layer = Recurrent(Average, 3, 8, num_layers=2).double()
    layer.backend = backend
    x = torch.randn(6, 2, 3, dtype=torch.float64, requires_grad=True)
    y, states = layer(x)
    weights = torch.tensor(
        [[0.1 * 0.9 ** (t - s) * (s <= t) for s in range(6)] for t in range(6)], dtype=torch.float64
    )
    twice = weights @ weights
    torch.testing.assert_close(y, torch.einsum("ts,sbi->tbi", twice, x))
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, twice.sum(0)[:, None, None].expand(6, 2, 3))
    stream = layer.stream(2)
    assert torch.equal(torch.stack([stream(row) for row in x.detach()]), y)
    assert states.shape == (2, 2, 3)
    assert not layer.state_dict()


def test_models_keep_sizes_in_their_files(tmp_path: Path) -> None:
    config = LanguageModelConfig(
        9, cell=Slots, embedding_size=4, hidden_size=6, num_layers=2, sizes={"slots": 3}
    )
    model = LanguageModel(config).eval()
    assert model.layers.sizes[0].of("slots") == 3
    assert LanguageModelConfig(9, cell=Slots).sizes == {"slots": 5}
    path = tmp_path / "model.safetensors"
    Checkpoint(model, Vocabulary(tuple("abcdef"))).save(path)
    again = Checkpoint.load(path).model
    tokens = torch.randint(0, 9, (5, 2))
    assert torch.equal(again(tokens)[0], model(tokens)[0])
