"""Calls that continue one another are one sequence: as one call of the whole, and as torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice import insight

X = torch.randn(9, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
CHUNKS = {"steps": [1] * 9, "chunks": [4, 3, 2]}


def run(layer: nn.Module, x: Tensor, sizes: list[int], detach: bool = False) -> list[Tensor]:
    """The outputs of a layer that is called piece by piece."""
    hx, found = None, []
    for piece in x.split(sizes):
        y, hx = layer(piece, hx)
        found.append(y)
        if detach:
            hx = tuple(one.detach() for one in hx) if isinstance(hx, tuple) else hx.detach()
    return found


def weigh(y: Tensor) -> Tensor:
    return (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).square().sum()


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(found) == list(expected)
    for key, value in found.items():
        torch.testing.assert_close(value, expected[key], rtol=1e-10, atol=1e-12, msg=key)


@pytest.mark.parametrize("sizes", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_a_loop_is_recorded_as_the_whole(
    sizes: list[int], backend: str | None, every: int, tmp_path: Path
) -> None:
    layer = sluice.nn.LSTM(4, 5, num_layers=2, proj_size=3).double()
    layer.backend = backend
    options: dict[str, Any] = {"pre": True, "maps": every == 1, "every": every}
    if every == 3:
        options["names"] = ["forget", "h", "pre.input"]
    with sluice.record(layer, **options) as whole:
        weigh(layer(X)[0]).backward()
    with sluice.record(layer, **options) as tape:
        weigh(torch.cat(run(layer, X, sizes))).backward()
    same(tape.tensors(), whole.tensors())
    if every == 1:
        found, expected = (insight.step_weight_gradients(t, layer=1) for t in (tape, whole))
        same(found.norms, expected.norms)
    with sluice.record(layer, **options, to=tmp_path / "run"):
        run(layer, X[:5], [2, 3])  # given up for what follows
        weigh(torch.cat(run(layer, X, sizes))).backward()
    saved = insight.load_recording(tmp_path / "run")
    same(saved, {key: whole.tensors()[key] for key in saved})
    assert len(saved) == len(whole.tensors())
    with torch.no_grad(), sluice.record(layer, **options) as quiet:
        run(layer, X, sizes)
    values = {k: v for k, v in whole.tensors().items() if ".gradient." not in k}
    same(quiet.tensors(), values)


@pytest.mark.parametrize("name", ["LSTMCell", "GRUCell", "RNNCell"])
@pytest.mark.parametrize("backend", [None, "reference"])
def test_one_step_cells_beside_torch(name: str, backend: str | None) -> None:
    theirs: Any = getattr(nn, name)(4, 5).double()
    ours: Any = getattr(sluice.nn, name)(4, 5).double()
    ours.load_state_dict(theirs.state_dict())
    ours.backend = backend

    def loop(cell: Any) -> tuple[list[Tensor], Tensor]:
        state, kept, outputs = None, list[Tensor](), list[Tensor]()
        for x in X:
            state = cell(x, state)
            parts = state if isinstance(state, tuple) else (state,)
            kept += parts
            outputs.append(parts[0])
        return kept, weigh(torch.stack(outputs))

    kept, loss = loop(theirs)
    gradients = torch.autograd.grad(loss, kept)
    plain, _ = loop(ours)
    with sluice.record(nn.Sequential(ours), pre=True) as tape:
        recorded, loss = loop(ours)
        loss.backward()
    assert all(torch.equal(a, b) for a, b in zip(plain, recorded, strict=True))
    states = ["h", "c"] if name == "LSTMCell" else ["h"]
    for k, state in enumerate(states):
        torch.testing.assert_close(tape["0"][state], torch.stack(kept[k :: len(states)]).detach())
        expected = torch.stack(gradients[k :: len(states)])
        torch.testing.assert_close(tape.gradient[state], expected)
    assert next(iter(tape.tensors())).startswith("0.l0.")
    one = ours(X[0, 0])  # a single vector
    with sluice.record(ours) as single:
        again = ours(X[0, 0])
    first = one[0] if isinstance(one, tuple) else one
    assert torch.equal(single.h[0, 0], first.detach())
    assert type(again) is type(one)


def test_truncated_backpropagation_has_the_gradients_of_each_chunk() -> None:
    layer = sluice.nn.GRU(4, 5).double()
    with sluice.record(layer) as tape:
        for y in run(layer, X, [4, 3, 2], detach=True):
            weigh(y).backward()
    hx, expected = None, []
    for piece in X.split([4, 3, 2]):
        with sluice.record(layer) as part:
            y, hx = layer(piece, hx)
            weigh(y).backward()
        hx = hx.detach()
        expected.append(part.tensors())
    for key, value in tape.tensors().items():
        torch.testing.assert_close(value, torch.cat([one[key] for one in expected]))


def test_what_the_last_backward_pass_does_not_reach_is_zero() -> None:
    layer = sluice.nn.LSTM(4, 5).double()
    with sluice.record(layer) as tape:
        outputs = run(layer, X, [1] * 9)
        weigh(torch.cat(outputs)).backward(retain_graph=True)
        weigh(outputs[3]).backward()
    with sluice.record(layer) as whole:
        weigh(layer(X)[0][3:4]).backward()
    same(tape.tensors(), whole.tensors())
    assert tape.gradient.h[4:].abs().max() == 0 < tape.gradient.h[:4].abs().min()
    with sluice.record(layer) as mixed:
        with torch.no_grad():
            _, hx = layer(X[:4])
        weigh(layer(X[4:], hx)[0]).backward()
    assert mixed.h.shape == (9, 3, 5) and not mixed.gradient.h[:4].any()
    assert mixed.gradient.h[4:].all()


def test_losses_of_a_loop_one_by_one() -> None:
    layer = sluice.nn.LSTM(4, 5).double()

    def measure(sizes: list[int]) -> Tensor:
        with sluice.record(layer) as tape:
            losses = torch.cat(run(layer, X, sizes)).square().sum(-1)
        return insight.gradients_per_loss(tape.layer(0), losses, "c")

    torch.testing.assert_close(measure([1] * 9), measure([9]))


def starts() -> Iterator[tuple[str, Any, bool]]:
    """How a second call starts from what the first returned, and whether it continues it."""
    yield "as it is", lambda h: h, True
    yield "detached", lambda h: h.detach(), True
    yield "a copy", lambda h: h.clone() * 1.0, True
    yield "parts joined again", lambda h: torch.stack(h.unbind(1), 1), True
    yield "some sequences anew", lambda h: h * torch.tensor([1.0, 0, 1])[:, None], True
    yield "reordered", lambda h: h[:, [2, 0, 0]], True
    yield "none", lambda h: None, False
    yield "zeros", lambda h: torch.zeros_like(h), False
    yield "other numbers", lambda h: h + 1e-12, False
    yield "overwritten", lambda h: h.detach().zero_(), False
    yield "fewer sequences", lambda h: h[:, :2], False


@pytest.mark.parametrize(("name", "change", "continues"), list(starts()))
def test_what_continues_a_sequence(name: str, change: Any, continues: bool) -> None:
    layer = sluice.nn.GRU(4, 5, num_layers=2).double()
    with sluice.record(layer) as tape:
        _, h = layer(X[:4])
        hx = change(h)
        layer(X[4:, : 3 if hx is None else hx.shape[1]], hx)
    assert len(tape.layer(1).h) == (9 if continues else 5), name


def test_what_does_not_continue() -> None:
    both = sluice.nn.GRU(4, 5, bidirectional=True).double()
    back = sluice.nn.GRU(4, 5, reverse=True).double()
    for layer in (both, back):
        with sluice.record(layer) as tape:
            _, h = layer(X[:4])
            layer(X[4:], h)
        assert len(next(iter(tape[""].layers.values())).h) == 5
    layer = sluice.nn.GRU(4, 5).double()
    with sluice.record(layer) as tape:
        _, h = layer(X[:4])
        with insight.clamp_gates(layer, update=0.5):  # other equations
            layer(X[4:], h)
    assert len(tape.h) == 5
    with sluice.record(layer) as tape:
        _, h = layer(X[:4])
        with pytest.raises(RuntimeError, match="input_size"):
            layer(X[4:, :, :2], h)
        layer(X[4:7], h)  # once more, as it should be
    assert len(tape.h) == 7


def test_a_sequence_whose_numbers_are_not() -> None:
    layer = sluice.nn.GRU(4, 5).double()
    x = X.clone()
    x[6, 1, 2] = torch.nan
    with sluice.record(layer) as tape:
        run(layer, x, [1] * 9)
    found = insight.find_first_nonfinite(tape)
    assert found is not None and (found.step, found.sequence) == (6, 1) and len(tape.h) == 9


def test_derivatives_are_said_of_the_call_that_is_on_the_tape() -> None:
    layer = sluice.nn.GRU(4, 5).double()
    with sluice.record(layer) as tape:
        layer(X)[0].sum().backward()
        with torch.no_grad():
            layer(X)
        with pytest.raises(RuntimeError, match="the last of 2 calls of this layer, which ran with"):
            _ = tape.gradient.h
        layer(X)
        with pytest.raises(RuntimeError, match="last of 3 calls of this layer, which has had no"):
            _ = tape.gradient.h
        run(layer, X, [4, 5])
        message = r"sequence of the last 2 of 5 calls of this layer, .* Read those of an earlier"
        with pytest.raises(RuntimeError, match=message):
            _ = tape.gradient.h
