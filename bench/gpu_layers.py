"""Checks of what surrounds the kernels: streams, graphs, recordings, autocast, whole layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import torch
from gpu_check import FLOOR, Limit, attempt, is_same, judge, list_narrow_limits, move
from gpu_pool import emit
from own_cells import Surge
from torch import Tensor, nn

import sluice
from cell_list import CELLS
from run.cases import draw, run_with_gradients
from run.rounded_reference import Rounding
from run.rounded_reference import run as run_rounded
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.gpu import fused

CELLS_OF_LAYERS = ("lstm", "gru", "layer-norm-lstm", "own")
STEPS, BATCH, INPUT, HIDDEN = 12, 5, 24, 96


def make_pass(name: str, **marks: bool) -> Any:
    """A pass in float32 on the GPU."""
    graph = (Surge if name == "own" else CELLS[name])().graph
    sizes = Sizes(INPUT, HIDDEN)
    return move(draw(graph, sizes, STEPS, BATCH, dtype=torch.float32, **marks), "cuda")


def make_layer(name: str, **options: Any) -> nn.Module:
    """A layer on the CPU, in float64: the reference."""
    torch.manual_seed(0)
    plain = {"lstm": sluice.nn.LSTM, "gru": sluice.nn.GRU}
    if name in plain:
        layer: Any = plain[name](INPUT, HIDDEN, **options)
    else:
        cell = Surge if name == "own" else CELLS[name]()
        layer = sluice.nn.Recurrent(cell, INPUT, HIDDEN, **options)
    layer.double().backend = "reference"
    return layer


def make_pair(name: str, **options: Any) -> tuple[Any, Any]:
    """The same layer twice: the reference, and on the GPU's kernels; RuntimeError without these."""
    exact, layer = make_layer(name, **options), make_layer(name, **options)
    layer.cuda().float()
    try:
        layer.backend = "fused"
    except ValueError:
        layer.backend = None
    if layer.resolved_backend.name != "fused":
        raise NotAvailableError(str(layer.resolved_backend))
    return exact, layer


class NotAvailableError(Exception):
    """Layers do not choose these kernels."""


def train(layer: Any, x: Tensor, **options: Any) -> list[Tensor]:
    """Values and gradients of a layer, for fixed upstream gradients."""
    x = x.detach().requires_grad_()
    y, last = layer(x, **options)
    last = last if isinstance(last, tuple) else (last,)
    weights = torch.linspace(-1, 1.5, y.numel(), device=y.device, dtype=torch.float64).view(y.shape)
    loss = (y * weights.to(y.dtype)).sum() + sum((k + 1) * s.sum() for k, s in enumerate(last))
    wanted = [x, *layer.parameters()]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    gradients = [
        torch.zeros_like(t) if g is None else g for g, t in zip(found, wanted, strict=True)
    ]
    return [y.detach(), *(s.detach() for s in last), *gradients]


def compare(what: str, found: list[Tensor], exact: list[Tensor], limit: float) -> None:
    """Emit whether ``found`` is within ``limit`` of ``exact``."""
    names = [f"tensor {k}" for k in range(len(exact))]
    limits = [Limit(limit)] * len(exact)
    judge(what, names, [f.detach().cpu() for f in found], exact, limits, True)


def check_stream(name: str) -> None:
    """A stream beside the default one: the same bits."""
    job = make_pass(name, lengths=True, resets=True)
    expected = run_with_gradients(fused.run, job)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        found = run_with_gradients(fused.run, job)
    torch.cuda.current_stream().wait_stream(stream)
    emit_bits(f"stream {name}", is_same(found, expected))


def emit_bits(what: str, are_same: bool) -> None:
    """Emit whether bits that must be the same are."""
    emit("ok" if are_same else "WRONG", what, "same bits" if are_same else "OTHER BITS")


def check_capture(name: str) -> None:
    """Inference in a CUDA graph, played again on another input."""
    job, other = make_pass(name), make_pass(name)
    x = torch.randn_like(other.x)
    with torch.no_grad():
        for _ in range(2):
            fused.run(job)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y, last = fused.run(job)
        for inputs in (x, x.flip(0)):
            job.x.copy_(inputs)
            other.x.copy_(inputs)
            graph.replay()
            expected_y, expected_last = fused.run(other)
            emit_bits(f"graph {name}", is_same([y, *last], [expected_y, *expected_last]))


def check_layer(name: str) -> None:
    """Two layers, both directions, lengths and resets: values and gradients."""
    exact, layer = make_pair(name, num_layers=2, bidirectional=True)
    x = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64)
    lengths, resets = torch.tensor([12, 7, 0, 3, 12]), torch.rand(STEPS, BATCH) < 0.2
    found = train(layer, x.cuda().float(), lengths=lengths, resets=resets.cuda())
    expected = train(exact, x, lengths=lengths, resets=resets)
    compare(f"layer {name}", found, expected, 20 * FLOOR)


def check_record(name: str) -> None:
    """A recording's values and derivatives, and the same outputs as without."""
    exact, layer = make_pair(name)
    x = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64)
    plain = train(layer, x.cuda().float())
    tapes, results = [], []
    for of, inputs in ((layer, x.cuda().float()), (exact, x)):
        with sluice.record(of) as tape:
            results.append(train(of, inputs))
        tapes.append(tape.tensors())
    assert set(tapes[0]) == set(tapes[1]), "names differ"
    names = sorted(tapes[1])
    judge(
        f"record {name}",
        names,
        [tapes[0][n].cpu() for n in names],
        [tapes[1][n].cpu() for n in names],
        [Limit(20 * FLOOR)] * len(names),
        True,
    )
    compare(f"recorded {name}", results[0], results[1], 20 * FLOOR)
    emit_bits(f"record changes nothing {name}", torch.equal(plain[0], results[0][0]))


def check_recompute(name: str) -> None:
    """Steps that are computed again in the backward pass."""
    exact, layer = make_pair(name)
    x = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64)
    layer.recompute = 5
    compare(f"recompute {name}", train(layer, x.cuda().float()), train(exact, x), 20 * FLOOR)


def check_double(name: str) -> None:
    """The gradient of a gradient."""
    exact, layer = make_pair(name)
    x = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64)

    def twice(of: Any, inputs: Tensor) -> list[Tensor]:
        inputs = inputs.detach().requires_grad_()
        y = of(inputs)[0]
        (first,) = torch.autograd.grad(y.square().sum(), inputs, create_graph=True)
        parameters = list(of.parameters())
        second = torch.autograd.grad(first.square().sum(), parameters, allow_unused=True)
        return [first.detach(), *(g for g in second if g is not None)]

    compare(f"double {name}", twice(layer, x.cuda().float()), twice(exact, x), 1e-4)


def check_autocast(name: str) -> None:
    """Autocast to both narrow types, values and gradients."""
    rounded, layer = make_pair(name)
    x = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64)
    for dtype in (torch.bfloat16, torch.float16):
        run = partial(run_rounded, rounding=Rounding(dtype, is_autocast=True))
        with mock.patch.object(reference, "run", run):
            expected = train(rounded, x)
        with torch.autocast("cuda", dtype=dtype):
            found = train(layer, x.cuda().float())
        assert found[0].dtype == dtype
        gradients = ["d x", *(f"d {p}" for p, _ in layer.named_parameters())]
        values = [f"value {k}" for k in range(len(found) - len(gradients))]
        names = values + gradients
        limits = list_narrow_limits(name, names)
        judge(f"autocast {str(dtype)[6:]} {name}", names, found, expected, limits, True)


CHECKS: dict[str, Callable[[str], None]] = {
    "stream": check_stream,
    "graph": check_capture,
    "layer": check_layer,
    "record": check_record,
    "recompute": check_recompute,
    "double": check_double,
    "autocast": check_autocast,
}


def check(name: str) -> None:
    """One of the checks, for some cells."""

    def run(cell: str) -> None:
        try:
            CHECKS[name](cell)
        except NotAvailableError as problem:
            emit("note", f"{name} {cell}", f"not available: {problem}")

    for cell in CELLS_OF_LAYERS:
        attempt(f"{name} {cell}", partial(run, cell))
