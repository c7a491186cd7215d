"""``mask=``: any steps of a sequence left out, against plain loops; and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import sluice
from sluice import Cell, Gate, Input, tanh

T, B, X, H = 7, 5, 3, 6


def make_mask() -> Tensor:
    """Gaps, padding in front, at the end, everywhere, and nowhere."""
    mask = torch.rand(T, B) < 0.6
    mask[:3, 1], mask[4:, 2], mask[:, 3], mask[:, 4] = False, False, False, True
    return mask


def loop(layer: Any, x: Tensor, h: Tensor, mask: Tensor, resets: Tensor) -> tuple[Tensor, Tensor]:
    """A GRU of one or two directions and several layers, a step at a time."""
    y, lasts, moved, waiting = x, [], torch.zeros_like(mask), torch.zeros(B, dtype=torch.bool)
    for t in range(T):  # a reset where no step counts is of the next that does
        moved[t] = mask[t] & (waiting | resets[t])
        waiting = ~mask[t] & (waiting | resets[t])
    for k in range(layer.num_layers):
        outputs = []
        for d in range(layer.directions):
            suffix = f"_l{k}" + "_reverse" * d
            names = (f"{n}{suffix}" for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            weights = [getattr(layer, n) for n in names]
            state, found = h[k * layer.directions + d], [torch.zeros(())] * T
            reverse, later = bool(d) or layer.reverse, torch.zeros(B, dtype=torch.bool)
            for t in reversed(range(T)) if reverse else range(T):
                restarts = (later if reverse else moved[t]) & mask[t]
                later = torch.where(mask[t], moved[t], later)
                before = torch.where(restarts[:, None], 0.0, state)
                new = torch.gru_cell(y[t], before, *weights)
                state = torch.where(mask[t][:, None], new, state)
                found[t] = torch.where(mask[t][:, None], new, 0.0)
            outputs.append(torch.stack(found))
            lasts.append(state)
        y = torch.cat(outputs, -1)
    return y, torch.stack(lasts)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("form", ["forward", "reverse", "both", "stack"])
def test_against_a_loop(form: str, backend: str | None) -> None:
    options: dict[str, Any] = {
        "reverse": {"reverse": True},
        "both": {"bidirectional": True},
        "stack": {"bidirectional": True, "num_layers": 2},
    }.get(form, {})
    layer = sluice.nn.GRU(X, H, dtype=torch.float64, **options)
    layer.backend = backend
    places = layer.num_layers * layer.directions
    x, h = torch.randn(T, B, X), torch.randn(places, B, H)
    x, h = (t.double().requires_grad_() for t in (x, h))
    mask, none = make_mask(), torch.zeros(T, B, dtype=torch.bool)

    def run(found: tuple[Tensor, Tensor]) -> list[Tensor]:
        loss = torch.stack(
            [(torch.linspace(-1, 2, t.numel()).view(t.shape) * t).sum() for t in found]
        )
        return [*found, *torch.autograd.grad(loss.sum(), [x, h, *layer.parameters()])]

    expected = run(loop(layer, x, h, mask, none))
    for one in (mask, mask.numpy(), mask.tolist()):
        for a, b in zip(run(layer(x, h, mask=one)), expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    resets = torch.rand(T, B) < 0.4  # at steps that count, at others, and behind the last
    expected = run(loop(layer, x, h, mask, resets))
    for a, b in zip(run(layer(x, h, mask=mask, resets=resets)), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_a_mask_is_a_sequence_of_the_steps_that_count() -> None:
    """Bit for bit, whatever stands in the others; with lengths, and without a batch."""
    layer, x, mask = sluice.nn.LSTM(X, H, batch_first=True), torch.randn(B, T, X), make_mask().t()
    y, (h, c) = layer(torch.where(mask[..., None], x, torch.nan), mask=mask, lengths=[6] * B)
    for b in range(B):
        kept = mask[b] & (torch.arange(T) < 6)
        assert not y[b, ~kept].any()
        if kept.any():
            own, (own_h, own_c) = layer(x[b, kept][None])
            assert torch.equal(y[b, kept], own[0]) and torch.equal(h[:, b], own_h[:, 0])
            assert torch.equal(c[:, b], own_c[:, 0])
        one, _ = layer(x[b], mask=kept.numpy())
        assert torch.equal(one, y[b])


class Scaled(Cell):
    candidate = Gate()
    dt = Input(width="hidden")

    def step(self, x, h, *, dt):  # type: ignore[no-untyped-def]
        return dict(h=h + dt * tanh(self.candidate(x, h)))


class Masked(Cell):
    """One that reads a mask of its own."""

    candidate = Gate()
    mask = Input(width="hidden")

    def step(self, x, h, *, mask):  # type: ignore[no-untyped-def]
        return dict(h=h + mask * tanh(self.candidate(x, h)))


def test_named_inputs() -> None:
    layer, mask = sluice.nn.Recurrent(Scaled, X, H), make_mask()
    x, dt = torch.randn(T, B, X), torch.rand(T, B, H)
    y, h = layer(x, mask=mask, dt=dt)
    for b in range(B):
        if mask[:, b].any():
            own, last = layer(x[mask[:, b], b], dt=dt[mask[:, b], b])
            assert torch.equal(y[mask[:, b], b], own) and torch.equal(h[:, b], last)
    own_mask = sluice.nn.Recurrent(Masked, X, H)
    y, _ = own_mask(x, mask=mask[..., None].expand(T, B, H).float())
    assert torch.equal(y[1:][~mask[1:]], y[:-1][~mask[1:]])  # of the step before, not zero


def test_compiled_and_exported() -> None:
    layer, x, mask = sluice.nn.GRU(X, H), torch.randn(T, B, X), make_mask()
    expected = layer(x, mask=mask)
    compiled = torch.compile(lambda x, m: layer(x, mask=m), backend="aot_eager", fullgraph=True)
    program = torch.export.export(layer, (x,), {"mask": mask}).module()
    for found in (compiled(x, mask), program(x, mask=mask)):
        for a, b in zip(found, expected, strict=True):
            assert torch.equal(a, b)


def test_what_is_refused() -> None:
    layer, x, mask = sluice.nn.GRU(X, H), torch.randn(T, B, X), make_mask()
    for bad in (mask.float(), mask.t(), mask[:-1], np.ones((T, B)), [[True] * B]):
        with pytest.raises(ValueError, match=r"mask must be boolean, .* shape \(7, 5\)"):
            layer(x, mask=bad)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor([T] * B))
    with pytest.raises(ValueError, match="pack the steps that count alone"):
        layer(packed, mask=mask)  # type: ignore[call-overload]
    with sluice.record(layer), pytest.raises(ValueError, match="does not record calls with mask="):
        layer(x, mask=mask)
