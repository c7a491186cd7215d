"""Inputs beside x: `sluice.Input`, ``layer(x, dt=...)``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import sluice
from nn.weighted_gradients import compute_gradients, draw
from sluice import Cell, Gate, Input, Map, Mask, sigmoid, tanh
from sluice.cells import GRUD
from sluice.cells.from_text import TracedCell
from sluice.codegen.lower import lower_graph
from sluice.nn import Recurrent

T, B, X, H = 7, 5, 3, 19


def run_grud(
    layer: Recurrent, x: Tensor, observed: Tensor, since: Tensor, h: Tensor, last: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The same as a plain loop; all tensors (time, batch, ...)."""
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    w, r = p["weight_ih"].chunk(3), p["weight_hh"].chunk(3)
    b = (p["bias_ih"] + p["bias_hh"]).chunk(3)
    outputs = []
    for t in range(len(x)):
        m = observed[t]
        kept = torch.exp(-torch.relu(p["input_decay"] * since[t] + p["input_decay_bias"]))
        last = m * x[t] + (1 - m) * last
        filled = m * x[t] + (1 - m) * (kept * last + (1 - kept) * p["mean"])
        h = torch.exp(-torch.relu(since[t] @ p["weight_decay"].T + p["bias_decay"])) * h
        reset = torch.sigmoid(filled @ w[0].T + h @ r[0].T + b[0] + m @ p["weight_reset_mask"].T)
        update = torch.sigmoid(filled @ w[1].T + h @ r[1].T + b[1] + m @ p["weight_update_mask"].T)
        inner = filled @ w[2].T + (reset * h) @ r[2].T + b[2] + m @ p["weight_candidate_mask"].T
        h = (1 - update) * h + update * torch.tanh(inner)
        outputs.append(h)
    return torch.stack(outputs), h, last


@pytest.mark.parametrize(
    ("backend", "recompute"), [("fused", None), ("fused", 3), ("reference", 3)]
)
def test_grud_is_its_equations(backend: str, recompute: int | None) -> None:
    layer = Recurrent(GRUD, X, H, dtype=torch.float64, recompute=recompute)
    layer.backend = backend
    x, since, h0, last0 = draw(T, B, X), draw(T, B, X), draw(1, B, H), draw(1, B, X)
    observed = torch.rand(T, B, X, dtype=torch.float64).round().requires_grad_()
    given = [x, observed, since, h0, last0, *layer.parameters()]
    y, (h, last) = layer(x, (h0, last0), observed=observed, since=since)
    found = [y, h[0], last[0]]
    expected = run_grud(layer, x, observed, since, h0[0], last0[0])
    torch.testing.assert_close(found, list(expected), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        compute_gradients(found, given),
        compute_gradients(expected, given),
        rtol=1e-11,
        atol=1e-11,
    )


def test_maps_of_inputs_run_for_all_steps_at_once() -> None:
    program = lower_graph(GRUD().graph, True)
    stacks = {product.stack for phase in program.hoisted for product in phase.products}
    of_states = {product.stack for phase in program.forward for product in phase.products}
    assert "decay" in stacks and of_states == {"ih", "hh"}  # x is filled from a state


class Gated(Cell):
    """An input in every place it can have: elementwise, mapped, with x, and of a width apart."""

    keep, candidate = Gate(), Gate()
    read, shift = Map(), Map(width="input")
    noise = Mask(0.5, eval_value=0.7)
    dt, context = Input(width="input"), Input(width=4)
    scale = Input(width="hidden")

    def step(self, x: Any, h: Any, noise: Any, *, dt: Any, context: Any, scale: Any) -> Any:
        k = sigmoid(self.keep(x * dt, h) + self.read(context))
        g = tanh(self.candidate(x + self.shift(dt * dt), scale * h))
        return dict(h=k * h + (1 - k) * g * noise, keep=k, scale=scale, dt=dt)


def make_gated(**options: Any) -> tuple[Recurrent, Tensor, dict[str, Tensor]]:
    hidden = options.pop("hidden_size", H)
    layer = Recurrent(Gated, X, hidden, dtype=torch.float64, **options).eval()
    inputs = dict(dt=draw(T, B, X), context=draw(B, 4), scale=draw(T, B, hidden))
    return layer, draw(T, B, X), inputs


def run_alone(layer: Recurrent, x: Tensor, inputs: dict[str, Tensor], b: int, steps: int) -> Any:
    """Sequence b by the reference, without others."""
    own = {n: v[b : b + 1] if v.dim() == 2 else v[:steps, b : b + 1] for n, v in inputs.items()}
    layer.backend = "reference"
    y, h = layer(x[:steps, b : b + 1], **own)
    layer.backend = None
    return y, h


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("backend", ["fused", "reference"])
def test_lengths_are_sequences_alone(backend: str, bidirectional: bool) -> None:
    layer, x, inputs = make_gated(bidirectional=bidirectional)
    lengths = [4, 7, 0, 7, 1]
    poisoned = [x, inputs["dt"], inputs["scale"]]
    dirty = [tensor.detach().clone() for tensor in poisoned]
    for tensor in dirty:
        for b, steps in enumerate(lengths):
            tensor[steps:, b] = float("nan")
        tensor.requires_grad_()
    own = dict(dt=dirty[1], context=inputs["context"], scale=dirty[2])
    layer.backend = backend
    y, h = layer(dirty[0], lengths=torch.tensor(lengths), **own)
    shared = [inputs["context"], *layer.parameters()]
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(y.shape, generator=generator, dtype=y.dtype)
    found = torch.autograd.grad((y * weights).sum() + h.sin().sum(), [*dirty, *shared])
    total = torch.zeros((), dtype=y.dtype)
    for b, steps in enumerate(lengths):
        if steps:
            alone, last = run_alone(layer, x, inputs, b, steps)
            torch.testing.assert_close(y[:steps, b], alone[:, 0])
            total = total + (alone[:, 0] * weights[:steps, b]).sum() + last.sin().sum()
        assert (y[steps:, b] == 0).all()
    expected = torch.autograd.grad(total, [*poisoned, *shared])
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("reverse", [False, True])
def test_resets_are_sequences_alone(reverse: bool) -> None:
    layer, x, inputs = make_gated(bidirectional=True)
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[3] = True
    y, _ = layer(x, resets=resets, **inputs)
    parts = [slice(0, 3), slice(3, T)]
    pieces = []
    for part in parts:
        own = {n: v if v.dim() == 2 else v[part] for n, v in inputs.items()}
        pieces.append(layer(x[part], **own)[0])
    torch.testing.assert_close(y, torch.cat(pieces))
    given = [x, *inputs.values()]
    torch.testing.assert_close(
        compute_gradients([y], given), compute_gradients([torch.cat(pieces)], given)
    )


def test_every_layout_of_a_call() -> None:
    layer, x, inputs = make_gated(num_layers=2, hidden_size=X)
    y, h = layer(x, **inputs)
    first = Recurrent(Gated, X, X, num_layers=2, batch_first=True, dtype=torch.float64).eval()
    first.load_state_dict(layer.state_dict())
    turned = {n: v if v.dim() == 2 else v.transpose(0, 1) for n, v in inputs.items()}
    assert torch.equal(first(x.transpose(0, 1), **turned)[0], y.transpose(0, 1))
    one = {n: v[0] if v.dim() == 2 else v[:, 0] for n, v in inputs.items()}
    assert torch.equal(layer(x[:, 0], **one)[0], y[:, 0])
    lengths = torch.tensor([4, 7, 2, 7, 1])

    def pack(tensor: Tensor) -> PackedSequence:
        return pack_padded_sequence(tensor, lengths, enforce_sorted=False)

    packed, last = layer(
        pack(x), dt=pack(inputs["dt"]), context=inputs["context"], scale=pack(inputs["scale"])
    )
    expected, h = layer(x, lengths=lengths, **inputs)
    torch.testing.assert_close(pad_packed_sequence(packed)[0], expected)
    torch.testing.assert_close(last, h)
    whole = {**inputs, "context": inputs["context"].expand(T, B, 4)}
    assert torch.equal(layer(x, **whole)[0], y)
    assert torch.equal(
        layer(x, **{**inputs, "dt": torch.ones(T, B, X, dtype=torch.bool)})[0],
        layer(x, **{**inputs, "dt": torch.ones(T, B, X, dtype=torch.float64)})[0],
    )


@pytest.mark.parametrize("backend", ["fused", "reference"])
def test_streams_and_recordings(backend: str) -> None:
    layer, x, inputs = make_gated()
    layer.backend = backend
    y, _ = layer(x, **inputs)
    stream = layer.stream(B)
    steps = [{n: v if v.dim() == 2 else v[t] for n, v in inputs.items()} for t in range(T)]
    torch.testing.assert_close(torch.stack([stream(x[t], **steps[t]) for t in range(T)]), y)
    with sluice.record(layer) as tape:
        z, _ = layer(x, **inputs)
        gradients = compute_gradients([z], [inputs["dt"], inputs["scale"]])
    assert torch.equal(z, y)
    values = tape.tensors()
    for name in ("dt", "scale"):
        assert torch.equal(values[f"l0.{name}"], inputs[name])
    torch.testing.assert_close(values["l0.gradient.dt"], gradients[0])
    torch.testing.assert_close(values["l0.gradient.scale"], gradients[1])
    stream.reset()
    with sluice.record(stream) as of_steps:
        for t in range(T):
            stream(x[t], **steps[t])
    torch.testing.assert_close(of_steps.tensors()["l0.keep"], values["l0.keep"])


@pytest.mark.parametrize("threads", [1, 3])
def test_the_kernels_are_the_reference_in_float32(threads: int) -> None:
    layer, x, inputs = make_gated()
    layer.float()
    x, inputs = x.float(), {n: v.detach().float().requires_grad_() for n, v in inputs.items()}
    before = sluice.get_num_threads()
    sluice.set_num_threads(threads)
    try:
        results = []
        for layer.backend in ("fused", "reference"):
            y, h = layer(x, **inputs)
            results.append((y, h, *compute_gradients([y, h], list(inputs.values()))))
    finally:
        sluice.set_num_threads(before)
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_compiled_and_exported_programs() -> None:
    layer, x, inputs = make_gated()
    expected = layer(x, **inputs)
    given = [x, *inputs.values(), *layer.parameters()]
    found = torch.compile(layer, fullgraph=True, backend="aot_eager")(x, **inputs)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(compute_gradients(found, given), compute_gradients(expected, given))
    program = torch.export.export(layer, (x,), dict(inputs))
    torch.testing.assert_close(program.module()(x, **inputs), expected)


def test_second_derivatives() -> None:
    layer = Recurrent(GRUD, 2, 3, dtype=torch.float64)
    x, since = draw(3, 2, 2), draw(3, 2, 2)
    observed = torch.ones(3, 2, 2, dtype=torch.float64)
    assert torch.autograd.gradgradcheck(
        lambda x, since: layer(x, observed=observed, since=since)[0], (x, since)
    )


def test_a_saved_cell_keeps_its_inputs(tmp_path: Path) -> None:
    layer, x, inputs = make_gated()
    again = Recurrent(TracedCell(layer.cell.text), X, H, dtype=torch.float64).eval()
    torch.save(layer.state_dict(), tmp_path / "weights.pt")
    again.load_state_dict(torch.load(tmp_path / "weights.pt"))
    assert again.cell.graph == layer.cell.graph
    assert torch.equal(again(x, **inputs)[0], layer(x, **inputs)[0])


def test_what_does_not_fit_is_refused() -> None:
    layer, x, inputs = make_gated()
    with pytest.raises(TypeError, match="reads 'dt' beside x"):
        layer(x)
    with pytest.raises(TypeError, match="no input 'time'; its inputs are x, dt, context, scale"):
        layer(x, **inputs, time=x)
    with pytest.raises(ValueError, match=r"'context' must have the shape .*\(5, 4\)"):
        layer(x, **{**inputs, "context": draw(B, 3)})
    with pytest.raises(ValueError, match=r"'dt' must be torch\.float64 as the input is"):
        layer(x, **{**inputs, "dt": inputs["dt"].float()})
    packed = pack_padded_sequence(x, torch.full((B,), T))
    with pytest.raises(ValueError, match="packed as the input is"):
        layer(packed, **inputs)
    with pytest.raises(ValueError, match="pack both"):
        layer(x, **{**inputs, "dt": packed})
    with pytest.raises(TypeError, match="reads 'dt'"):
        layer.stream(B)(x[0])
    with pytest.raises(ValueError, match=r"all layers .* 'dt', which is input wide"):
        Recurrent(Gated, X, H, num_layers=2)
    with pytest.raises(TypeError, match="LSTM has no input 'dt'"):
        sluice.nn.LSTM(X, H)(x.float(), dt=x)


@pytest.mark.parametrize("name", ["hx", "lengths", "resets", "input", "out"])
def test_names_that_a_call_has_are_refused(name: str) -> None:
    body = f"def step(self, x, h, *, {name}):\n return dict(h=sluice.tanh(self.gate(x, h)))"
    scope: dict[str, Any] = {"sluice": sluice}
    exec(body, scope)
    parts = {"gate": Gate(), name: Input(width="hidden"), "step": scope["step"]}
    kind = type("Taken", (Cell,), parts)
    with pytest.raises(sluice.EquationError, match=f"no input called '{name}'"):
        Recurrent(kind, X, H)


def test_a_declared_input_must_be_taken() -> None:
    class Forgotten(Cell):
        gate, dt = Gate(), Input()

        def step(self, x: Any, h: Any) -> Any:
            return dict(h=tanh(self.gate(x, h)))

    with pytest.raises(sluice.EquationError, match="step does not take it"):
        Recurrent(Forgotten, X, H)
