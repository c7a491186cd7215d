"""When a GPU's kernels are chosen, and why; the rules alone, which need no GPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import sluice
from run.cases import cast, draw, error
from run.gpu.interpreter import in_interpreter
from sluice.equations.specs import Sizes
from sluice.nn import stack
from sluice.run import dispatch, execute, reference
from sluice.run.gpu import fused
from sluice.run.gpu.measured import PlainCall
from sluice.run.spec import RunSpec


def choose(
    dtype: torch.dtype = torch.float32,
    unsupported: str | None = None,
    backend: str | None = None,
    kind: str = "LSTM",
    hidden: int = 256,
    batch: int | None = 16,
    steps: int | None = 100,
    is_single: bool = True,
    is_plain: bool = True,
) -> dispatch.BackendChoice:
    call = PlainCall(kind, hidden, is_single, batch, steps) if is_plain else None
    return dispatch._choose_on_gpu(torch.zeros(1, dtype=dtype), unsupported, backend, call)


def test_what_cudnn_lacks_runs_on_the_kernels() -> None:
    choice = choose(unsupported="the cell MGU")
    assert choice.name == "fused" and "cuDNN lacks the cell MGU" in choice.reason
    assert choice.is_on_gpu and not choice.has_step_kernels


def test_a_layer_can_ask_for_the_kernels() -> None:
    choice = choose(torch.float16, backend="fused", steps=1)
    assert choice.name == "fused" and "layer.backend" in choice.reason


@pytest.mark.parametrize(
    ("expected", "options"),
    [
        ("fused", dict(dtype=torch.bfloat16, hidden=768, steps=1000)),
        ("fused", dict(dtype=torch.bfloat16, hidden=768, batch=None, steps=None)),
        ("native", dict(dtype=torch.bfloat16, hidden=768, steps=4)),
        ("native", dict(dtype=torch.bfloat16, hidden=4096)),
        ("native", dict(dtype=torch.float16)),
        ("fused", dict(dtype=torch.float16, batch=64)),
        ("fused", dict(dtype=torch.float16, is_single=False)),
        ("fused", dict(dtype=torch.float16, kind="GRU")),
        ("fused", dict(kind="GRU")),
        ("native", dict(hidden=128)),
        ("native", dict(hidden=512, batch=256)),
        ("native", dict(kind="RNN")),
        ("native", dict(dtype=torch.float64)),
    ],
)
def test_plain_layers_run_where_they_were_measured_to_be_faster(
    expected: str, options: dict[str, Any]
) -> None:
    choice = choose(**options)
    assert choice.name == expected, choice
    assert ("not measured" in choice.reason) == (expected == "native")


def test_a_layer_says_what_it_is_called_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[PlainCall | None] = []
    choose_backend = dispatch.choose_backend

    def note(*arguments: Any) -> dispatch.BackendChoice:
        calls.append(arguments[3])
        return choose_backend(*arguments)

    monkeypatch.setattr(stack, "choose_backend", note)
    monkeypatch.setattr(stack, "is_eager", lambda: False)  # a plain call on a CPU does not ask
    x = torch.zeros(7, 3, 4)
    layer = sluice.nn.GRU(4, 5, num_layers=2)
    layer(x)
    layer(x[:, 0])
    layer(pack_sequence([x[:7, 0], x[:2, 0]]))
    sluice.nn.LSTM(4, 5, batch_first=True)(x)
    sluice.nn.Recurrent(sluice.cells.MGU, 4, 5)(x)
    assert calls == [
        PlainCall("GRU", 5, False, 3, 7),
        PlainCall("GRU", 5, False, 1, 7),
        PlainCall("GRU", 5, False, 2, 7),
        PlainCall("LSTM", 5, True, 7, 3),
        None,
    ]


def test_autocast_counts_as_the_type_that_it_asks_for() -> None:
    assert choose(hidden=768, batch=64).name == "native"
    before = torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", True)  # torch.autocast would refuse without a GPU
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    try:
        assert choose(hidden=768, batch=64).name == "fused"
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_autocast_dtype("cuda", before)


def test_cells_of_one_step_stay_with_torch() -> None:
    assert choose(is_plain=False).name == "native"


def test_what_does_not_fit_into_a_gpu_has_a_reason() -> None:
    graph = sluice.cells.MGU().graph
    sizes = Sizes(4, 20000)
    weights = [torch.empty(p.shape(sizes), device="meta") for p in graph.parameters]
    states = (torch.zeros(1, 20000),)
    spec = RunSpec(graph, sizes, torch.zeros(2, 1, 4), states, tuple(weights))
    assert fused.find_obstacle(spec, "bfloat16") == (
        "a step of 20000 hidden units does not fit into this GPU"
    )
    assert fused.find_obstacle(replace(spec, x=torch.zeros(0, 1, 4)), "float32") is not None
    small = draw(graph, Sizes(4, 24), 2, 3)
    assert fused.find_obstacle(small, "float64") is None


def test_what_does_not_fit_runs_on_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "find_obstacle", lambda *_: "it is too large")
    job = cast(draw(sluice.cells.MGU().graph, Sizes(4, 6), 3, 2), torch.float32)
    narrow = replace(job, x=job.x.detach().half())
    dispatch._issued_warnings.clear()
    with pytest.warns(RuntimeWarning, match="it is too large"):
        y, _ = execute._run_on_gpu(narrow, None, None, "float16")
    expected, _ = reference.run(replace(narrow, x=narrow.x.float()))
    assert torch.equal(y, expected)


@in_interpreter
def test_what_fits_runs_on_the_kernels() -> None:
    job = draw(sluice.cells.MGU().graph, Sizes(4, 6), 3, 2)
    y, last = execute._run_on_gpu(job, None, None, "float64")
    again, _ = execute._run_on_gpu(job, None, 2, "float64")
    expected, states = reference.run(job)
    assert all(error(a, b) < 1e-12 for a, b in zip((y, *last), (expected, *states), strict=True))
    assert error(again, y) < 1e-12 and again.grad_fn is not None
