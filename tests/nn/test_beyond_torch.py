"""Features beyond torch: lengths, resets, learned states, sizes, readout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import sluice
from sluice.cells import LSTM, SLSTM, Elman, PeepholeLSTM
from sluice.nn import Recurrent

T, B, X, H = 6, 4, 3, 5


def close(a: Any, b: Any) -> None:
    torch.testing.assert_close(a, b, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lengths_are_sequences_run_alone(bidirectional: bool, batch_first: bool) -> None:
    ours = sluice.nn.LSTM(X, H, 2, bidirectional=bidirectional, batch_first=batch_first)
    theirs = nn.LSTM(X, H, 2, bidirectional=bidirectional)
    theirs.load_state_dict(ours.state_dict())
    x, lengths = torch.randn(T, B, X), torch.tensor([6, 0, 3, 1])
    h0, c0 = (torch.randn(2 * (1 + bidirectional), B, H) for _ in range(2))
    poisoned = x.clone()
    for b, n in enumerate(lengths.tolist()):
        poisoned[n:, b] = float("nan")
    model_input = poisoned.transpose(0, 1) if batch_first else poisoned
    y, (h, c) = ours(model_input, (h0, c0), lengths=lengths)
    y = y.transpose(0, 1) if batch_first else y
    for b, n in enumerate(lengths.tolist()):
        assert (y[n:, b] == 0).all()
        if n == 0:
            close((h[:, b], c[:, b]), (h0[:, b], c0[:, b]))
            continue
        alone, (h1, c1) = theirs(x[:n, b : b + 1], (h0[:, b : b + 1], c0[:, b : b + 1]))
        close(y[:n, b], alone[:, 0])
        close((h[:, b], c[:, b]), (h1[:, 0], c1[:, 0]))
    gradients = torch.autograd.grad(y.sum() + h.sum() + c.sum(), list(ours.parameters()))
    assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_resets_are_sequences_run_alone(bidirectional: bool, learned: bool) -> None:
    layer = sluice.nn.GRU(X, H, bidirectional=bidirectional, learn_initial_state=learned)
    if learned:
        for name, parameter in layer.named_parameters():
            if name.startswith("initial"):
                nn.init.normal_(parameter)
    x, resets = torch.randn(T, 2, X, requires_grad=True), torch.zeros(T, 2, dtype=torch.bool)
    resets[2, 0] = resets[3, 0] = resets[0, 1] = True
    hx = torch.randn(1 + bidirectional, 2, H)
    y, h = layer(x, hx, resets=resets)
    whole = [slice(0, 2), slice(2, 3), slice(3, T)]
    for place, segment in enumerate(whole):
        part, last = layer(x[segment, :1])
        if place == 0:
            part = layer(x[segment, :1], _ends(layer, hx[:, :1], 0))[0]
        if place == len(whole) - 1:
            part, last = layer(x[segment, :1], _ends(layer, hx[:, :1], 1))
            close(h[0, 0], last[0, 0])
        close(y[segment, 0], part[:, 0])
    if not bidirectional:
        close(y[:, 1], layer(x[:, 1:])[0][:, 0])  # a reset at the start: hx is not used
    before = torch.autograd.grad(y[3:, 0, :H].sum(), x, retain_graph=True)[0]
    assert (before[:3, 0] == 0).all() and before[3:, 0].abs().min() > 0


def _ends(layer: Any, hx: torch.Tensor, at_end: int) -> torch.Tensor:
    """The states of a segment at one end of a sequence: hx where time enters it, else initial."""
    own = layer._expand_initial_states(torch.zeros(1, 1, X))
    rows = [hx[d] if d == at_end else own[d][0] for d in range(layer.directions)]
    return torch.stack(rows)


def test_resets_in_any_layout() -> None:
    layer = sluice.nn.LSTM(X, H, batch_first=True)
    x, resets = torch.randn(B, T, X), torch.rand(B, T) < 0.3
    y, _ = layer(x, resets=resets)
    layer.batch_first = False
    other, _ = layer(x.transpose(0, 1), resets=resets.T)
    close(y, other.transpose(0, 1))
    alone, _ = layer(x[0], resets=resets[0])
    close(alone, y[0])


def test_packed_resets() -> None:
    layer = sluice.nn.GRU(X, H, bidirectional=True)
    x, resets, lengths = torch.randn(T, B, X), torch.rand(T, B) < 0.4, torch.tensor([2, 6, 1, 4])
    packed, marks = (pack_padded_sequence(v, lengths, enforce_sorted=False) for v in (x, resets))
    y, h = layer(packed, resets=marks)
    padded, other = layer(x, lengths=lengths, resets=resets)
    assert isinstance(y, PackedSequence)
    close(y.data, pack_padded_sequence(padded, lengths, enforce_sorted=False).data)
    close(h, other)


def test_lengths_of_every_kind() -> None:
    layer, x, values = sluice.nn.GRU(X, H), torch.randn(T, B, X), [6, 0, 3, 1]
    expected = layer(x, lengths=torch.tensor(values))
    kinds = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint32]
    given: list[Any] = [torch.tensor(values, dtype=kind) for kind in kinds]
    given += [values, tuple(values), np.array(values, np.uint16), np.array(values, ">i8")[::1]]
    given += [[np.int32(n) for n in values], [torch.tensor(n) for n in values]]
    for lengths in given:
        for found, wanted in zip(layer(x, lengths=lengths), expected, strict=True):
            assert torch.equal(found, wanted)
    one = layer(x[:, 2], lengths=3)[0]
    assert torch.equal(one, expected[0][:, 2]) and torch.equal(one, layer(x[:, 2], lengths=[3])[0])
    assert layer(x[:, :0], lengths=[])[0].shape == (T, 0, H)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ({"lengths": torch.tensor([1.0] * B)}, "integers"),
        ({"lengths": torch.tensor([1, 2])}, "shape"),
        ({"lengths": torch.tensor([1, 2, 3, T + 1])}, "between 0 and"),
        ({"lengths": torch.tensor([1, 2, -3, 1])}, "between 0 and"),
        ({"lengths": [1, 2, 3, T + 1]}, "between 0 and"),
        ({"lengths": torch.tensor([1, 2, 3, 200], dtype=torch.uint8)}, "between 0 and"),
        ({"lengths": [1.0] * B}, "integers"),
        ({"lengths": np.full(B, 2.0)}, "integers"),
        ({"lengths": torch.ones(B, dtype=torch.bool)}, "integers"),
        ({"lengths": [1, 2]}, "shape"),
        ({"lengths": 3}, "shape"),
        ({"lengths": ["1"] * B}, "a list, an array or a tensor"),
        ({"lengths": [[1, 2], [3]]}, "a list, an array or a tensor"),
        ({"resets": torch.zeros(T, B)}, "boolean"),
        ({"resets": torch.zeros(B, T, dtype=torch.bool)}, "laid out"),
    ],
)
def test_invalid_lengths_and_resets_are_refused(marks: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sluice.nn.LSTM(X, H)(torch.zeros(T, B, X), **marks)


def test_layers_start_from_learned_states_on_either_backend() -> None:
    layer = sluice.nn.LSTM(X, H, 2, learn_initial_state=True)
    with torch.no_grad():
        for place in range(2):
            getattr(layer, f"initial_h_l{place}").normal_()
            getattr(layer, f"initial_c_l{place}").normal_()
    states = tuple(
        torch.stack([getattr(layer, f"initial_{s}_l{k}").expand(B, -1) for k in range(2)])
        for s in "hc"
    )
    plain = nn.LSTM(X, H, 2)
    plain.load_state_dict({n: p for n, p in layer.state_dict().items() if "initial" not in n})
    x = torch.randn(T, B, X)
    expected = plain(x, states)[0]
    for backend in (None, "reference"):
        layer.backend = backend
        y = layer(x)[0]
        close(y, expected)
        y.sum().backward()
        assert layer.initial_c_l1.grad.abs().sum() > 0


def test_a_cells_own_initial_value() -> None:
    class Counter(sluice.Cell):
        h = sluice.State(initial=3.0)
        gate = sluice.Gate()

        def step(self, x, h):  # type: ignore[no-untyped-def]
            return dict(h=h + 0.0 * self.gate(x, h))

    y, _ = Recurrent(Counter, 1, 2)(torch.zeros(4, 1, 1))
    assert (y == 3.0).all()


def test_layers_of_different_sizes() -> None:
    layer = sluice.nn.LSTM(X, (5, 7), bidirectional=True)
    parts = [nn.LSTM(X, 5, bidirectional=True), nn.LSTM(10, 7, bidirectional=True)]
    for k, part in enumerate(parts):
        part.load_state_dict(
            {n.replace(f"_l{k}", "_l0"): p for n, p in layer.state_dict().items() if f"_l{k}" in n}
        )
    x = torch.randn(T, B, X)
    y, (h, c) = layer(x)
    inner, first = parts[0](x)
    expected, second = parts[1](inner)
    close(y, expected)
    for mine, theirs in zip((*h, *c), (*first[0], *second[0], *first[1], *second[1]), strict=True):
        close(mine, theirs)
    again, _ = layer(x, (h, c))
    assert again.shape == y.shape and not torch.equal(again, y)


@pytest.mark.parametrize("kind", [sluice.nn.RNN, sluice.nn.LSTM])
def test_the_lectures_output(kind: Any) -> None:
    layer = kind(X, H, output_size=2, output_activation="sigmoid")
    hidden = kind(X, H)
    hidden.load_state_dict({n: p for n, p in layer.state_dict().items() if "readout" not in n})
    x = torch.randn(T, B, X)
    h = hidden(x)[0]
    expected = torch.sigmoid(h @ layer.readout.map.weight.T + layer.readout.map.bias)
    close(layer(x)[0], expected)
    plain = kind(X, H, output_activation="tanh")
    plain.load_state_dict(hidden.state_dict())
    close(plain(x)[0], h.tanh())
    packed = pack_padded_sequence(x, torch.tensor([6, 5, 2, 1]))
    close(layer(packed)[0].data[:B], expected[0])


def test_forget_bias_and_chrono() -> None:
    layer = sluice.nn.LSTM(X, 500, forget_bias=1.5)
    total = layer.bias_ih_l0 + layer.bias_hh_l0
    assert (total[500:1000] == 1.5).all() and not (total[:500] == 1.5).any()
    layer = Recurrent(LSTM, X, 500, chrono=100)
    total = layer.bias_ih_l0 + layer.bias_hh_l0
    memory = total[500:1000].exp()
    assert memory.min() >= 1 and memory.max() <= 99 and 40 < memory.mean() < 60
    close(total[:500], -total[500:1000])
    gru = sluice.nn.GRU(X, 8, forget_bias=2.0)  # the update gate keeps
    assert ((gru.bias_ih_l0 + gru.bias_hh_l0)[8:16] == 2.0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sluice.nn.RNN(X, H, forget_bias=1.0), "keeps the state"),
        (lambda: sluice.nn.LSTM(X, H, bias=False, chrono=10), "has none here"),
        (lambda: sluice.nn.LSTM(X, H, chrono=1), "at least 2"),
        (lambda: Recurrent(LSTM, X, H, proj_size=2), "takes no proj_size"),
        (lambda: Recurrent(sluice.cells.ProjectedLSTM, X, H), "needs proj_size"),
        (lambda: Recurrent(LSTM, X, (4, 5), num_layers=3), "names 2 layers"),
        (
            lambda: Recurrent(LSTM, X, H, output_activation="gelu"),
            "activation must be one of",
        ),
        (lambda: Recurrent(SLSTM(heads=2), X, 5), "heads"),
    ],
)
def test_refused_options(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("cell", [PeepholeLSTM, Elman])
def test_a_layer_reports_its_backend_and_the_reason(cell: Any) -> None:
    assert Recurrent(cell, X, H).resolved_backend.name == "fused"
    assert Recurrent(cell, X, H).half().resolved_backend.name == "reference"
    layer = sluice.nn.LSTM(X, H)
    assert str(layer.resolved_backend).startswith("fused: the kernels")
    assert str(layer.half().resolved_backend).startswith(
        "native: there are no kernels for torch.float16"
    )
    layer = layer.float()
    layer.backend = "native"
    assert layer.resolved_backend.name == "native"
    layer.backend = "reference"
    choice = layer.resolved_backend
    assert choice.name == "reference" and "layer.backend" in choice.reason
