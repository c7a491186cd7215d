"""Recordings of whole models: names, layouts and errors, and values against a hand-written loop."""

from __future__ import annotations

import copy
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import sluice
from sluice.run.dispatch import _issued_warnings
from sluice.run.kernels import extension
from sluice.run.recording import recorders


class Tagger(nn.Module):
    """Two encoders, one of them stacked and bidirectional, and a readout."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = sluice.nn.LSTM(3, 5, num_layers=2, bidirectional=True)
        self.head = nn.ModuleDict({"top": sluice.nn.Recurrent(sluice.cells.MGU, 10, 4)})
        self.readout = nn.Linear(4, 2)

    def forward(self, x: Tensor, **marks: Any) -> Tensor:
        y: Tensor = self.readout(self.head["top"](self.encoder(x, **marks)[0])[0])
        return y


def lstm_by_hand(layer: Any, x: Tensor) -> tuple[Tensor, dict[str, list[Tensor]]]:
    """torch's equations in a loop, with the gates and states of every step."""
    h = c = x.new_zeros(x.shape[1], layer.hidden_size)
    found: dict[str, list[Tensor]] = {n: [] for n in "input forget candidate output c h".split()}
    for row in x:
        a = row @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T
        i, f, g, o = (a + layer.bias_hh_l0).chunk(4, dim=-1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        for values, value in zip(found.values(), (i, f, g, o, c, h), strict=True):
            values.append(value)
    return torch.stack(found["h"]), found


@pytest.mark.parametrize("backend", [None, "reference"])
def test_an_lstm_written_by_hand(backend: str | None) -> None:
    layer = sluice.nn.LSTM(3, 5).double()
    layer.backend = backend
    x, weight = torch.randn(7, 2, 3).double(), torch.randn(7, 2, 5).double()
    y, found = lstm_by_hand(layer, x)
    every = [value for values in found.values() for value in values]
    expected = iter(torch.autograd.grad((y * weight).square().sum(), every))
    with sluice.record(layer) as tape:
        ours, _ = layer(x)
        (ours * weight).square().sum().backward()
    assert list(tape.layer(0)) == ["h", "c", "input", "forget", "candidate", "output"]
    for name, values in found.items():
        torch.testing.assert_close(getattr(tape, name), torch.stack(values).detach())
        gradient = torch.stack([next(expected) for _ in values])
        torch.testing.assert_close(getattr(tape.gradient, name), gradient)
        torch.testing.assert_close(tape[""].gradient[name], gradient)
    assert not tape.forget.requires_grad
    assert tape.backend == ("reference" if backend else "fused")


def test_names_and_places_of_a_model() -> None:
    model, x = Tagger(), torch.randn(6, 3, 3)
    plain = model(x)
    with sluice.record(model) as tape:
        y = model(x)
    y.square().sum().backward()  # after the block, through a recorded call
    assert torch.equal(y, plain)
    assert list(tape) == ["encoder", "head.top"] and len(tape) == 2 and "readout" not in tape
    assert tape["head.top"].h.shape == (6, 3, 4)
    assert list(tape["encoder"].layers) == ["l0", "l0_reverse", "l1", "l1_reverse"]
    back = tape["encoder"].layer(1, reverse=True)
    joined = torch.cat([tape["encoder"].layer(1).h, back.h], dim=-1)
    torch.testing.assert_close(model.encoder(x)[0].detach(), joined, rtol=0, atol=0)
    assert back.gradient["forget"].shape == (6, 3, 5) and back.has_gradient
    with pytest.raises(AttributeError, match=r"4 layers.*layer\(0, reverse=True\)"):
        _ = tape["encoder"].forget
    with pytest.raises(AttributeError, match=r"several recurrent layers.*'encoder', 'head.top'"):
        _ = tape.h
    with pytest.raises(KeyError, match="the model has no recurrent layer 'decoder'"):
        tape["decoder"]
    with pytest.raises(IndexError, match="no l2"):
        tape["encoder"].layer(2)
    with pytest.raises(AttributeError, match=r"no value 'froget'.*names h, c, input, forget"):
        _ = back.froget
    with pytest.raises(KeyError, match="froget"):
        back.gradient["froget"]


@pytest.mark.parametrize("backend", [None, "reference"])
def test_every_layout_gives_time_batch_width_in_the_callers_order(backend: str | None) -> None:
    layer = sluice.nn.GRU(3, 5)
    layer.backend = backend
    other = sluice.nn.GRU(3, 5, batch_first=True)
    other.load_state_dict(layer.state_dict())
    other.backend = backend
    sequences = [torch.randn(n, 3) for n in (2, 6, 0, 4)]
    lengths = torch.tensor([2, 6, 0, 4])
    x = nn.utils.rnn.pad_sequence(sequences, padding_value=float("nan"))

    def record_values(module: Any, *arguments: Any, **marks: Any) -> list[Tensor]:
        with sluice.record(module) as tape:
            y, _ = module(*arguments, **marks)
            data = y.data if isinstance(y, PackedSequence) else y
            data.square().sum().backward()
        return [tape.h, tape.reset, tape.gradient.h, tape.gradient.reset]

    found = record_values(layer, x, lengths=lengths)
    for column, sequence in enumerate(sequences):
        if len(sequence):
            alone = record_values(layer, sequence)
            for whole, part in zip(found, alone, strict=True):
                assert part.shape == (len(sequence), 1, 5)
                torch.testing.assert_close(whole[: len(sequence), column], part[:, 0])
        assert all(whole[len(sequence) :, column].abs().sum() == 0 for whole in found)
    swapped = record_values(other, x.transpose(0, 1), lengths=lengths)
    nonempty = [0, 1, 3]
    packed = record_values(
        layer, pack_sequence([sequences[k] for k in nonempty], enforce_sorted=False)
    )
    for whole, b, c in zip(found, swapped, packed, strict=True):
        torch.testing.assert_close(whole, b)
        torch.testing.assert_close(whole[:, nonempty], c)


def test_the_last_call_is_kept_and_nothing_after_the_block() -> None:
    layer = sluice.nn.RNN(3, 5)
    first, second, third = (torch.randn(4, 2, 3) for _ in range(3))
    with sluice.record(layer) as tape:
        layer(first)
        layer(second)
    h = tape.h
    assert torch.equal(h, layer(second)[0]) and not recorders.is_any_active()
    layer(third)
    assert tape.h is h
    with tape:  # and again
        layer(third)
    assert torch.equal(tape.h, layer(third)[0])


def test_nested_and_concurrent_recordings() -> None:
    model = Tagger()
    with sluice.record(model) as outer:
        with pytest.raises(RuntimeError, match="already"):
            outer.__enter__()
        with sluice.record(model.encoder) as inner:
            model(torch.randn(4, 2, 3))
        before = outer["head.top"].h
        model(torch.randn(4, 2, 3))
    assert not torch.equal(outer["head.top"].h, before)
    assert not torch.equal(outer["encoder"].layer(0).h, inner.layer(0).h)


def test_a_layer_under_two_names_is_one() -> None:
    layer = sluice.nn.GRU(3, 3)
    model = nn.Sequential()
    model.add_module("first", layer)
    model.add_module("second", layer)
    with sluice.record(model) as tape:
        layer(torch.randn(4, 2, 3))
    assert tape["first"] is tape["second"] and torch.equal(tape.h, tape["second"].h)
    assert list(tape.tensors()) == [f"first.l0.{n}" for n in tape["first"].layers["l0"]]
    with sluice.record(model, layers=["second"]) as tape:
        layer(torch.randn(4, 2, 3))
    assert tape["second"].h.shape == (4, 2, 3)


def test_an_exception_ends_the_recording() -> None:
    layer = sluice.nn.GRU(3, 3)
    with pytest.raises(ZeroDivisionError), sluice.record(layer):
        _ = 1 / 0
    assert not recorders.is_any_active()


def test_another_thread_is_not_recorded() -> None:
    layer = sluice.nn.GRU(3, 3)
    with sluice.record(layer) as tape:
        thread = threading.Thread(target=layer, args=(torch.randn(4, 2, 3),))
        thread.start()
        thread.join()
    with pytest.raises(RuntimeError, match="recorded nothing"):
        _ = tape.h


def test_invalid_recordings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no recurrent layer of sluice\.nn"):
        sluice.record(nn.Sequential(nn.GRU(3, 3)))
    layer, x = sluice.nn.GRU(3, 3), torch.randn(4, 2, 3)
    with sluice.record(layer) as tape:
        with pytest.raises(RuntimeError, match="the GRU has recorded nothing: call the model"):
            _ = tape.h
        y, _ = layer(x)
        with pytest.raises(RuntimeError, match=r"no derivatives yet; call backward\(\)"):
            _ = tape.gradient.h
        y.sum().backward()
        assert tape.gradient.h.abs().max() > 0
        for quiet in (torch.no_grad(), torch.inference_mode()):
            with quiet:
                layer(x)
            assert torch.equal(tape.h, y)
            with pytest.raises(RuntimeError, match="ran without gradients"):
                _ = tape.gradient.h


@pytest.mark.parametrize("own", [False, True])
def test_compilers_and_transforms_are_refused(own: bool) -> None:
    layer = sluice.nn.Recurrent(sluice.cells.MGU, 3, 3) if own else sluice.nn.GRU(3, 3)
    x = torch.randn(4, 2, 3)
    with sluice.record(layer):
        with pytest.raises(RuntimeError, match=r"sluice\.record cannot look into torch\.compile"):
            torch.export.export(layer, (x,))
        with pytest.raises(RuntimeError, match=r"sluice\.record cannot look into"):
            torch.func.vmap(lambda v: layer(v)[0])(x.unsqueeze(0))
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    with pytest.raises(ValueError, match="is compiled; record the plain model"):
        sluice.record(nn.Sequential(compiled))
    y, _ = compiled(x)
    torch.testing.assert_close(y, layer(x)[0])
    refused = pytest.raises(RuntimeError, match=r"sluice\.record cannot look into torch\.compile")
    with sluice.record(layer) as tape, refused:
        compiled(x)
    with pytest.raises(RuntimeError, match=r"recorded nothing.*compiled"):
        _ = tape.h


def test_the_fallback_from_torchs_own_layer_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = sluice.nn.LSTM(3, 5), torch.randn(4, 2, 3)
    monkeypatch.setattr(extension, "load_extension", lambda: None)
    assert layer.resolved_backend.name == "native"
    y, _ = layer(x)
    _issued_warnings.clear()
    with sluice.record(layer) as tape:
        assert (
            layer.resolved_backend.name == "reference"
            and "recordings" in layer.resolved_backend.reason
        )
        with pytest.warns(RuntimeWarning, match=r"the reference runs.*lacks recordings"):
            ours, _ = layer(x)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            layer(x)  # once is enough
    assert tape.backend == "reference" and layer.resolved_backend.name == "native"
    torch.testing.assert_close(ours, y)


def test_a_recording_keeps_all_steps_whatever_recompute_says() -> None:
    layer, x = sluice.nn.LSTM(3, 5), torch.randn(9, 2, 3)
    with sluice.record(layer) as plain:
        layer(x)[0].pow(2).sum().backward()
    layer.recompute = 2
    with sluice.record(layer) as tape:
        layer(x)[0].pow(2).sum().backward()
    assert torch.equal(tape.forget, plain.forget)
    torch.testing.assert_close(tape.gradient.forget, plain.gradient.forget)


def test_precision_and_autocast() -> None:
    layer, x = sluice.nn.LSTM(3, 16), torch.randn(9, 2, 3)
    with sluice.record(layer) as tape:
        layer(x)
        exact = tape.forget
        for narrow in ("bfloat16", "int8"):
            layer.eval().precision = narrow
            y, _ = layer(x)
            assert torch.equal(tape.h, y) and not torch.equal(tape.forget, exact)
            torch.testing.assert_close(tape.forget, exact, rtol=0, atol=0.02)
        with pytest.raises(RuntimeError, match="int8"):
            _ = tape.gradient.h
        layer.precision = "float32"
        with torch.autocast("cpu", torch.bfloat16):
            y, _ = layer(x)
        y.float().sum().backward()
        assert tape.h.dtype == torch.float32 and torch.equal(tape.h.bfloat16(), y)
        assert tape.gradient.h[-1].eq(1).all()


def test_to_numpy_and_to_a_file(tmp_path: Path) -> None:
    model = Tagger()
    target = tmp_path / "new" / "tape.safetensors"
    with sluice.record(model) as tape:
        with pytest.raises(RuntimeError, match="recorded nothing"):
            tape.save(target)
        assert not target.parent.exists()
        model(torch.randn(4, 2, 3), lengths=torch.tensor([2, 4])).sum().backward()
    tape.save(target)
    assert list(target.parent.iterdir()) == [target]
    arrays = tape.numpy()
    with safe_open(target, framework="np") as file:
        assert file.metadata()["layout"] == "time, batch, width"
        assert set(file.keys()) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)
    assert len(arrays) == 2 * (4 * 6 + len(tape["head.top"].numpy()))
    place = tape["encoder"].layer(1, reverse=True)
    np.testing.assert_array_equal(arrays["encoder.l1_reverse.forget"], place.numpy()["forget"])
    np.testing.assert_array_equal(
        arrays["encoder.l1_reverse.gradient.c"], place.gradient.numpy()["c"]
    )
    with tape, torch.no_grad():
        model.bfloat16()
        model.head["top"].backend = model.encoder.backend = "reference"
        model(torch.randn(4, 2, 3).bfloat16())
    assert tape["head.top"].h.dtype == torch.bfloat16
    assert {a.dtype for a in tape.numpy().values()} == {np.dtype("float32")}


def test_private_names_raise_attribute_errors_on_a_tape() -> None:
    layer = sluice.nn.GRU(3, 3)
    tape = sluice.record(layer)
    assert "GRU" in repr(tape[""]) and repr(tape) == "<Tape of ''>"
    assert not hasattr(tape, "__array__") and not hasattr(tape[""], "_repr_html_")
    with tape:
        layer(torch.randn(4, 2, 3))
    assert repr(tape.layer(0)).endswith("h, reset, update, candidate>")
    assert torch.equal(copy.deepcopy(layer)(torch.ones(1, 3))[0], layer(torch.ones(1, 3))[0])
