"""The kernels of aarch64 Linux under qemu, and of Windows under wine, against the reference.

They take minutes and what they need is seldom installed: ``make test-aarch64`` and ``make
test-windows`` ask for them.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import sluice
from cell_list import CELLS
from codegen import test_vector_math
from cross.remote import Kernels, encode_arrays, encode_word, replace_kernels
from cross.targets import AARCH64, WINDOWS
from run.cases import error
from run.kernels import test_fused
from sluice.codegen.body import Body

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("SLUICE_TEST_CROSS" not in os.environ, reason="make test-aarch64"),
]


@pytest.fixture(scope="module", params=[AARCH64, WINDOWS], ids=lambda target: target.name)
def kernels(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Kernels]:
    if missing := request.param.find_missing():
        pytest.skip(missing)
    made = Kernels(request.param, tmp_path_factory.mktemp("bodies"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _use_other_kernels(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")
    replace_kernels(monkeypatch, kernels)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", CELLS)
def test_values_and_gradients_in_float64(kernels: Kernels, name: str, threads: int) -> None:
    test_fused.test_values_and_gradients_in_float64(name, threads)


@pytest.mark.parametrize("name", CELLS)
def test_float32_is_as_close_as_the_reference(kernels: Kernels, name: str) -> None:
    test_fused.test_float32_is_as_close_as_the_reference(name)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("op", ["exp", "log", "tanh", "sigmoid", "log_sigmoid"])
def test_functions_are_within_four_units(
    kernels: Kernels, op: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(body: Body, bits: int, isa: str, rows: int, blocks: int, slots: list[Any]) -> None:
        address = kernels.compile_bodies({"f": body}, bits).addresses["f"]
        words = [w for a, row, block in slots for w in (a.ctypes.data, row, block)]
        places = [(3 * k, a.ctypes.data, a.nbytes) for k, (a, *_) in enumerate(slots)]
        head = b"".join(map(encode_word, (address, rows, blocks)))
        kernels.ask("body", head, encode_arrays(words, places))
        for _, to, size in places:
            ctypes.memmove(to, kernels.read(size), size)

    monkeypatch.setattr(test_vector_math, "call", call)
    test_vector_math.test_within_four_units_in_the_last_place(op, bits, "generic")


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_layers_are_those_of_torch(kernels: Kernels, kind: str) -> None:
    options = dict(num_layers=2, bidirectional=True)
    theirs = getattr(torch.nn, kind)(19, 37, **options).double()
    ours = getattr(sluice.nn, kind)(19, 37, **options).double()
    ours.load_state_dict(theirs.state_dict())
    results = []
    for layer in (theirs, ours):
        x = torch.linspace(-2, 2, 11 * 5 * 19, dtype=torch.float64).view(11, 5, 19).sin()
        x.requires_grad_()
        y = layer(x)[0]
        (y * torch.arange(y.numel()).view(y.shape).cos()).sum().backward()
        results.append([y, x.grad, *(p.grad for p in layer.parameters())])
    assert all(error(b, a) < 1e-13 for a, b in zip(*results, strict=True))


@pytest.mark.parametrize(("precision", "bound"), [("bfloat16", 1e-2), ("int8", 2e-2)])
@pytest.mark.parametrize("name", ["lstm", "gru", "layer-norm-gru", "peephole"])
def test_precisions_are_within_their_bounds(
    kernels: Kernels, name: str, precision: str, bound: float
) -> None:
    layer = sluice.nn.Recurrent(CELLS[name](), 33, 65).eval()
    x = torch.randn(40, 3, 33)
    with torch.no_grad():
        layer.backend = "reference"
        exact = layer.double()(x.double())[0]
        layer.float().backend = None
        layer.precision = precision
        assert layer.resolved_backend.name == "fused"
        y = layer(x)[0]
    difference = (y.double() - exact).pow(2).mean() / exact.pow(2).mean()
    assert 0 < difference.sqrt() < bound


def test_threads_and_batches_do_not_change_values(kernels: Kernels) -> None:
    layer, x = sluice.nn.GRU(20, 140), torch.randn(6, 9, 20)
    with torch.no_grad():
        found = layer(x)[0]
        for b in range(9):
            assert torch.equal(layer(x[:, b : b + 1])[0], found[:, b : b + 1])
        try:
            for threads in (2, 4):
                sluice.set_num_threads(threads)
                assert torch.equal(layer(x)[0], found)
        finally:
            sluice.set_num_threads(torch.get_num_threads())
