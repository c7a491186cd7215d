"""Gradients against plain loops and torch's own layers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from insight.plain_cells import any_layer
from sluice.insight import connectivity, gradient_flow, gradients_per_loss, state_gradient_paths
from sluice.insight.measures import gradients


def by_hand(layer: Any, x: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """torch's LSTM in a loop: h, c and the forget gate of every step."""
    h = c = x.new_zeros(x.shape[1], layer.hidden_size)
    hs, cs, fs = [], [], []
    for row in x:
        a = row @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T
        i, f, g, o = (a + layer.bias_hh_l0).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        for values, value in ((hs, h), (cs, c), (fs, f.sigmoid())):
            values.append(value)
    return hs, cs, fs


def losses_of(y: Tensor) -> Tensor:
    return (y.cumsum(0).sin() * torch.arange(1, y.shape[-1] + 1)).sum(-1)  # time, batch


@pytest.mark.parametrize("backend", [None, "reference"])
def test_flow_and_the_itemised_matrix(backend: str | None) -> None:
    layer, x = sluice.nn.LSTM(3, 5).double(), torch.randn(6, 2, 3).double()
    layer.backend = backend
    hs, cs, _ = by_hand(layer, x)
    expected = losses_of(torch.stack(hs))
    with sluice.record(layer) as tape:
        losses = losses_of(layer(x)[0])
    found = {n: gradients_per_loss(tape.layer(0), losses, n) for n in ("h", "c")}
    assert all(parameter.grad is None for parameter in layer.parameters())
    for name, states in (("h", hs), ("c", cs)):
        for row, loss in zip(found[name], expected, strict=True):
            parts = torch.autograd.grad(loss.sum(), states, retain_graph=True, allow_unused=True)
            sizes = [torch.zeros(2) if g is None else g.norm(dim=-1) for g in parts]
            torch.testing.assert_close(row, torch.stack(sizes).double())
    torch.testing.assert_close(gradients_per_loss(tape[""], losses[::2]), found["h"][::2])
    losses.sum().backward()  # the graph still exists
    for name, states in (("h", hs), ("c", cs)):
        parts = torch.autograd.grad(expected.sum(), states, retain_graph=True)
        sizes = torch.stack([g.norm(dim=-1) for g in parts])
        torch.testing.assert_close(gradient_flow(tape[""], name), sizes)


def test_a_stacked_layer_below_with_frozen_weights() -> None:
    layer, x = sluice.nn.GRU(3, 4, num_layers=2), torch.randn(5, 2, 3, requires_grad=True)
    layer.requires_grad_(False)
    with sluice.record(layer) as tape:
        losses = layer(x)[0].square().mean(-1)
    found = gradients_per_loss(tape.layer(0), losses)
    assert found.shape == (5, 5, 2) and x.grad is None
    later = torch.ones(5, 5).triu(1).bool()
    assert bool((found[later] == 0).all()) and bool((found[~later] > 0).all())


def test_connectivity_is_that_of_torchs_layer() -> None:
    layer, theirs = sluice.nn.LSTM(3, 4).double(), torch.nn.LSTM(3, 4).double()
    theirs.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2, 3).double().requires_grad_()
    targets = torch.randint(4, (5, 2))
    found = connectivity(layer(x)[0], x, targets)
    whole = torch.autograd.functional.jacobian(lambda x: theirs(x)[0], x.detach())
    for tau in range(5):
        for b in range(2):
            expected = whole[tau, b, targets[tau, b]][:, b].norm(dim=-1)
            torch.testing.assert_close(found[tau, :, b], expected)
    assert x.grad is None


def test_tensors_without_gradients_are_refused() -> None:
    layer, x = sluice.nn.LSTM(3, 4), torch.randn(5, 2, 3)
    with sluice.record(layer) as tape:
        with pytest.raises(RuntimeError, match="has recorded nothing"):
            gradient_flow(tape[""])
        first = layer(x)[0].square().mean(-1)
        with pytest.raises(RuntimeError, match=r"call backward\(\)"):
            gradient_flow(tape.layer(0))
        gradients_per_loss(tape[""], first)
        with pytest.raises(
            RuntimeError, match="does not depend on the last pass that this tape recorded"
        ):
            gradients_per_loss(tape[""], torch.zeros(3, requires_grad=True) * 2)
        with torch.no_grad():
            silent = layer(x)[0].square().mean(-1)
        with pytest.raises(RuntimeError, match=r"losses have no gradients: .*under no_grad"):
            gradients_per_loss(tape[""], silent)
        with pytest.raises(RuntimeError, match="ran without gradients"):
            gradient_flow(tape[""])
    with pytest.raises(ValueError, match=r"at least one step, got .*; do not reduce them"):
        gradients_per_loss(tape[""], first.sum())
    with pytest.raises(ValueError, match=r"at least one step, got .*; do not reduce them"):
        gradients_per_loss(tape[""], first[:0])
    logits, targets = layer(x)[0], torch.zeros(5, 2, dtype=torch.long)
    with pytest.raises(RuntimeError, match="x has no gradients"):
        connectivity(logits, x, targets)
    with pytest.raises(RuntimeError, match="do not depend on this x"):
        connectivity(logits, x.clone().requires_grad_(), targets)
    with pytest.raises(ValueError, match=r"targets \(time, batch\)"):
        connectivity(logits, x, targets[:2])
    with pytest.raises(KeyError, match="no value 'k'"):
        with sluice.record(layer) as tape:
            layer(x)[0].sum().backward()
        gradient_flow(tape[""], "k")


def test_the_state_path_and_the_full_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = sluice.nn.LSTM(3, 5).double(), torch.randn(6, 2, 3).double()
    found = state_gradient_paths(layer, x)
    _, cs, fs = by_hand(layer, x)
    for t, c in enumerate(cs):
        direct = torch.ones(2, 5).double()
        for f in fs[t + 1 :]:
            direct = direct * f
        torch.testing.assert_close(found.direct[t], direct)
        rows = [torch.autograd.grad(cs[-1][:, k].sum(), c, retain_graph=True)[0] for k in range(5)]
        full = torch.stack(rows, dim=1)  # batch, unit of the last step, unit of this
        torch.testing.assert_close(found.diagonal[t], full.diagonal(dim1=1, dim2=2))
        torch.testing.assert_close(found.norm[t], full.norm(dim=(1, 2)))
    monkeypatch.setattr(gradients, "_ROWS_AT_ONCE", 2)
    for whole, part in zip(found, state_gradient_paths(layer, x), strict=True):
        torch.testing.assert_close(part, whole)
        assert not part.requires_grad
    with torch.no_grad():
        layer.weight_hh_l0.zero_()  # only the direct path is left
    alone = state_gradient_paths(layer, x)
    torch.testing.assert_close(alone.diagonal, alone.direct)
    torch.testing.assert_close(alone.norm, alone.direct.norm(dim=-1))


def test_which_cells_have_a_state_path() -> None:
    x = torch.randn(4, 2, 3).double()
    for name, gate in (("gru", "update"), ("peephole", "forget"), ("cifg", "forget")):
        layer = any_layer(name)
        with sluice.record(layer) as tape:
            layer(x)
        torch.testing.assert_close(state_gradient_paths(layer, x).direct[-2], tape[""][gate][-1])
    assert bool((state_gradient_paths(any_layer("lstm-1997"), x).direct == 1).all())
    for name in ("elman", "mgu"):
        with pytest.raises(ValueError, match=r"no named value of .* multiplies a state of its own"):
            state_gradient_paths(any_layer(name), x)
