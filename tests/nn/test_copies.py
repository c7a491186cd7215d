"""Many layers of one kind as one: ``Recurrent(..., copies=n)``."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from sluice import Cell, Gate, Map, Mask, Norm, Vector, sigmoid, tanh
from sluice.cells import GRU, LSTM, PeepholeLSTM, ProjectedLSTM, State
from sluice.nn import Recurrent

T, B, N, X, H = 6, 3, 4, 3, 7


class Mixed(Cell):
    """Heads, maps, vectors, widths that are numbers, and states of several widths."""

    keep, candidate = Gate(heads=7), Gate(heads=7)
    squeeze, spread = Map(width=5), Map()
    scale = Vector(width=5)
    code = State(width=5, initial=0.5)

    def step(self, x: Any, h: Any, code: Any) -> dict[str, Any]:
        code = tanh(self.squeeze(h) + self.scale * code)
        k = sigmoid(self.keep(x, h) + self.spread(code))
        return dict(h=k * h + (1 - k) * tanh(self.candidate(x, h)), code=code, keep=k)


def make_pair(cell: Any, **options: Any) -> tuple[Recurrent, list[Recurrent]]:
    """A layer of copies, and the layers that the same seed draws one after the other."""
    options = dict(dtype=torch.float64, **options)
    torch.manual_seed(3)
    together = Recurrent(cell, X, H, copies=N, **options)
    torch.manual_seed(3)
    return together, [Recurrent(cell, X, H, **options) for _ in range(N)]


def run_alone(layers: list[Recurrent], x: Tensor, hx: Any = None, **marks: Any) -> Any:
    """Output and states of layers run one after the other, copies in the last but one dimension."""
    outputs, states = [], []
    for k, layer in enumerate(layers):
        own = None if hx is None else tuple(state[:, :, k] for state in hx)
        own = own[0] if own is not None and len(own) == 1 else own
        y, last = layer(x[:, :, k] if x.dim() == 4 else x, own, **marks)
        outputs.append(y)
        states.append(last if isinstance(last, tuple) else (last,))
    return torch.stack(outputs, 2), [torch.stack(s, 2) for s in zip(*states, strict=True)]


def compute_gradients(y: Tensor, states: Any, inputs: Any) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(y.shape, generator=generator, dtype=y.dtype)
    return torch.autograd.grad((y * weights).sum() + sum(s.sin().sum() for s in states), inputs)


@pytest.mark.parametrize("backend", ["fused", "reference"])
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        (LSTM, dict(num_layers=2, bidirectional=True, learn_initial_state=True)),
        (PeepholeLSTM, dict(bias=False, forget_bias=None)),
        (ProjectedLSTM, dict(proj_size=2, num_layers=2)),
        (GRU, dict(recompute=2)),
        (Mixed, {}),
    ],
)
def test_copies_are_layers_alone(cell: Any, options: dict[str, Any], backend: str) -> None:
    together, layers = make_pair(cell, **options)
    together.backend = backend
    for name, parameter in together.named_parameters():
        alone = [dict(layer.named_parameters())[name] for layer in layers]
        assert torch.equal(parameter, torch.stack(alone))
    x = torch.randn(T, B, N, X, dtype=torch.float64, requires_grad=True)
    hx = [torch.randn_like(s).requires_grad_() for s in run_alone(layers, x)[1]]
    if options.get("learn_initial_state"):
        hx = []
    y, last = together(x, (hx[0] if len(hx) == 1 else tuple(hx)) if hx else None)
    last = last if isinstance(last, tuple) else (last,)
    expected, states = run_alone(layers, x, hx or None)
    torch.testing.assert_close([y, *last], [expected, *states], rtol=1e-12, atol=1e-12)
    names = [name for name, _ in together.named_parameters()]
    found = compute_gradients(y, last, [x, *hx, *together.parameters()])
    own = [dict(layer.named_parameters())[name] for name in names for layer in layers]
    every = compute_gradients(expected, states, [x, *hx, *own])
    count = 1 + len(hx)
    stacked = [torch.stack(every[k : k + N]) for k in range(count, len(every), N)]
    torch.testing.assert_close(found, (*every[:count], *stacked), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_shared_input_with_lengths_and_resets(batch_first: bool) -> None:
    together, layers = make_pair(GRU, batch_first=batch_first)
    x = torch.randn(T, B, X, dtype=torch.float64)
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[2, 1] = True
    if batch_first:
        x, resets = x.transpose(0, 1), resets.transpose(0, 1)
    lengths = torch.tensor([4, 6, 0])
    y, h = together(x, lengths=lengths, resets=resets)
    expected, (last,) = run_alone(layers, x, lengths=lengths, resets=resets)
    torch.testing.assert_close((y, h), (expected, last))


def test_each_copy_learns_by_itself() -> None:
    together, layers = make_pair(LSTM)
    x, target = torch.randn(T, B, N, X).double(), torch.randn(T, B, N, H).double()
    optimizer = torch.optim.SGD(together.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (together(x)[0] - target).square().mean((0, 1, 3)).sum().backward()
        optimizer.step()
    for k, layer in enumerate(layers):
        own = torch.optim.SGD(layer.parameters(), 0.1)
        for _ in range(3):
            own.zero_grad()
            (layer(x[:, :, k])[0] - target[:, :, k]).square().mean().backward()
            own.step()
        for name, parameter in layer.named_parameters():
            torch.testing.assert_close(dict(together.named_parameters())[name][k], parameter)


@pytest.mark.filterwarnings("ignore")
def test_copies_are_kept_by_files_and_compilers() -> None:
    together, _ = make_pair(LSTM, learn_initial_state=True)
    x = torch.randn(T, B, N, X, dtype=torch.float64)
    y, _ = together(x)
    again = pickle.loads(pickle.dumps(together))
    fresh = Recurrent(LSTM, X, H, copies=N, learn_initial_state=True, dtype=torch.float64)
    fresh.load_state_dict(together.state_dict())
    assert torch.equal(again(x)[0], y) and torch.equal(fresh(x)[0], y)
    compiled = torch.compile(together, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x)[0], y)
    before = torch.get_rng_state()
    assert torch.equal(together.get_copy(2)(x[:, :, 2])[0], y[:, :, 2])
    assert torch.equal(torch.get_rng_state(), before)
    with sluice.record(together) as tape:
        together(x)
    gates = tape.tensors()["l0.forget"].unflatten(-1, (N, H))
    with sluice.record(copy := together.get_copy(1)) as of_copy:
        copy(x[:, :, 1])
    assert torch.equal(gates[:, :, 1], of_copy.tensors()["l0.forget"])


class Normed(Cell):
    """Its norm spans a row."""

    hidden, norm = Gate(), Norm()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        return dict(h=tanh(self.norm(self.hidden(x, h))))


class Given(Cell):
    """It has masks, and an input beside x."""

    hidden, keep = Gate(), Mask(0.1)
    scale = sluice.Input(width="hidden")

    def step(self, x: Any, h: Any, keep: Any, *, scale: Any) -> dict[str, Any]:
        return dict(h=tanh(self.hidden(x, h)) * keep * scale)


def test_what_copies_cannot_do_is_refused() -> None:
    layer = Recurrent(GRU, X, H, copies=N)
    with pytest.raises(ValueError, match=r"must be \(time, batch, 4, 3\)"):
        layer(torch.zeros(T, B, N + 1, X))
    with pytest.raises(ValueError, match="got 2-D"):
        layer(torch.zeros(T, X))
    with pytest.raises(RuntimeError, match="one for the copies"):
        layer(torch.zeros(T, B, X), torch.zeros(1, B, H))
    with pytest.raises(ValueError, match="a stream runs one network"):
        layer.stream()
    with pytest.raises(ValueError, match="has no readout"):
        Recurrent(GRU, X, H, copies=N, output_size=2)
    with pytest.raises(ValueError, match="at least 1"):
        Recurrent(GRU, X, H, copies=0)
    with pytest.raises(sluice.EquationError, match="Normed has norms, which copies="):
        Recurrent(Normed, X, H, copies=N)
    with pytest.raises(sluice.EquationError, match="Given has inputs beside x, which copies="):
        Recurrent(Given, X, H, copies=N)
    with pytest.raises(IndexError, match="4 copies, got number 4"):
        layer.get_copy(4)
    with pytest.raises(ValueError, match="made without copies="):
        Recurrent(GRU, X, H).get_copy(0)
