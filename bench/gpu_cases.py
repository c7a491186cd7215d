"""One size on a GPU: passes as users meet them beside cuDNN's, and kernels alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from gpu_check import CELLS_HERE
from gpu_pool import describe_error, emit
from gpu_timing import clock, kept_launches
from torch import Tensor, nn

import sluice
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.gpu import fused
from sluice.run.spec import RunSpec, initial_states

LAYER_SIZES = [(16, 256), (16, 768), (64, 512)]
TORCHS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}
LAYERS: dict[str, Any] = {"lstm": sluice.nn.LSTM, "gru": sluice.nn.GRU}
INPUTS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
SHORT = {"bfloat16": "bf16", "float16": "f16", "float32": "f32", "float32 TF32": "tf32"}
LOOP_STEPS = 32
IS_DRY = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cuda" if torch.cuda.is_available() and not IS_DRY else "cpu"


def parse_item(item: str) -> tuple[str, int, int, int]:
    """Cell, batch, hidden size and steps of an item."""
    _, name, batch, hidden = item.split(":")
    shape = int(batch), int(hidden)
    return name, *shape, 3 if IS_DRY else 1024 if shape == (16, 768) else 256


def make_pass(name: str, batch: int, hidden: int, steps: int, precision: str) -> RunSpec:
    """A pass with random parameters and input; the input is in the type that is multiplied."""
    graph, sizes = CELLS_HERE[name]().graph, Sizes(hidden, hidden)
    torch.manual_seed(0)
    x = torch.randn(steps, batch, hidden, device=DEVICE, dtype=INPUTS[precision])
    like = torch.zeros(0, device=DEVICE)
    starts = initial_states(graph, sizes, like)
    shapes = [p.shape(sizes) for p in graph.parameters]
    parameters = [torch.randn(s, device=DEVICE) * hidden**-0.5 for s in shapes]
    return RunSpec(
        graph,
        sizes,
        x.requires_grad_(),
        tuple(s.expand(batch, -1).contiguous() for s in starts),
        tuple(p.requires_grad_() for p in parameters),
    )


def infer(run: Callable[[], Any]) -> Callable[[], Any]:
    """A call without gradients."""

    def call() -> Any:
        with torch.no_grad():
            return run()

    return call


def train(run: Callable[[], Any], wanted: list[Tensor]) -> Callable[[], None]:
    """A call and its way back to ``wanted``."""
    with torch.no_grad():
        upstream = torch.randn_like(run()[0])

    def call() -> None:
        torch.autograd.grad(run()[0], wanted, upstream, allow_unused=True)

    return call


def build_calls(item: str, precision: str, steps: int) -> tuple[RunSpec, dict[str, Any]]:
    """Our own pass of an item in both ways."""
    name, batch, hidden, _ = parse_item(item)
    spec = make_pass(name, batch, hidden, steps, precision)
    run = partial(fused.run, spec, precision)
    wanted = [spec.x, *spec.parameters]
    return spec, {"inference": infer(run), "training": train(run, wanted)}


def measure_case(item: str, compiled: dict[str, str]) -> None:
    """All that is compared at one size, in microseconds a step, of what has been compiled."""
    name, batch, hidden, steps = parse_item(item)
    numbers: dict[str, dict[str, float]] = {}
    problems: dict[str, str] = {}

    def take(what: str, calls: Callable[[], dict[str, Any]], count: int = steps) -> None:
        try:
            made = calls()
            numbers[what] = {way: clock(run) / count * 1e6 for way, run in made.items()}
        except Exception as problem:
            problems[what] = describe_error(problem)
            if "CUDA error" in str(problem):
                raise

    tilings = {}
    for precision in INPUTS:
        if problem := compiled.get(f"{item}:{precision}", "not compiled in time"):
            problems[precision] = problem
            continue
        take(f"ours {precision}", lambda p=precision: build_calls(item, p, steps)[1])
        try:
            numbers[f"kernel {precision}"], tilings[precision] = measure_kernels(item, precision)
        except Exception as problem:
            problems[f"kernel {precision}"] = describe_error(problem)
    if name in TORCHS:
        for what in ("float16", "bfloat16", "float32 TF32", "float32"):
            torch.backends.cudnn.allow_tf32 = what.endswith("TF32")
            take(f"cuDNN {what}", partial(build_torch, item, what.split()[0]))
    if name in LAYERS and (batch, hidden) in LAYER_SIZES:
        for precision in INPUTS:
            take(f"layer {precision}", partial(build_layer, item, precision))
    if (batch, hidden) == (16, 256) or IS_DRY:
        take("loop", partial(build_loop, item), min(LOOP_STEPS, steps))
    found = {"numbers": numbers, "tilings": tilings, "problems": problems}
    emit("note", item, format_numbers(numbers, tilings), steps=steps, **found)
    for what, problem in problems.items():
        emit("FAIL", f"{item} {what}", problem)


def build_torch(item: str, dtype: str) -> dict[str, Any]:
    """Torch's own layer, which is cuDNN's."""
    name, batch, hidden, steps = parse_item(item)
    kind = getattr(torch, dtype)
    layer = TORCHS[name](hidden, hidden).to(DEVICE).to(kind)
    x = torch.randn(steps, batch, hidden, device=DEVICE, dtype=kind, requires_grad=True)
    run = partial(layer, x)
    return {"inference": infer(run), "training": train(run, [x, *layer.parameters()])}


def build_layer(item: str, precision: str) -> dict[str, Any]:
    """Our layer, float32 around its kernels; nothing where layers do not choose these kernels."""
    name, batch, hidden, steps = parse_item(item)
    layer = LAYERS[name](hidden, hidden).to(DEVICE)
    try:
        layer.backend, layer.precision = "fused", precision
    except ValueError:
        return {}
    if layer.resolved_backend.name != "fused" or IS_DRY:
        return {}
    x = torch.randn(steps, batch, hidden, device=DEVICE, requires_grad=True)
    run = partial(layer, x)
    return {"inference": infer(run), "training": train(run, [x, *layer.parameters()])}


def build_loop(item: str) -> dict[str, Any]:
    """The equations in a Python loop of torch's operations."""
    name, batch, hidden, steps = parse_item(item)
    spec = make_pass(name, batch, hidden, min(LOOP_STEPS, steps), "float32")
    run = partial(reference.run, spec)
    return {"inference": infer(run), "training": train(run, [spec.x, *spec.parameters])}


def measure_kernels(item: str, precision: str) -> tuple[dict[str, float], dict[str, str]]:
    """Microseconds a step of the kernels alone, and how they are cut up."""
    steps = parse_item(item)[3]
    _, calls = build_calls(item, precision, steps)
    numbers, tilings = {}, {}
    for way, parts in (("inference", ["forward"]), ("training", ["forward", "backward"])):
        with kept_launches() as kept:
            calls[way]()
        for part in parts:
            name = "inference" if way == "inference" else part
            numbers[name] = kept.clock(part) / steps * 1e6
            tilings[part] = kept.describe(part)
    return numbers, tilings


def format_numbers(numbers: dict[str, Any], tilings: dict[str, Any]) -> str:
    """All times of a size as ``inference/training``, and of the kernels alone, in one line."""
    parts = []
    for what, found in numbers.items():
        if found:
            kind, _, dtype = what.replace("kernel", "k").partition(" ")
            times = "/".join(f"{value:.3g}" for value in found.values())
            parts.append(f"{kind} {SHORT.get(dtype, dtype)} {times}")
    tiles = tilings.get("bfloat16", {})
    return ", ".join(parts) + " " + ",".join(tiles.values())
