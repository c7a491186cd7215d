"""Values that a pass records, against a plain loop over the cell's own step."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from cell_list import CELLS
from run.cases import cast, draw, error
from sampling import thin_out
from sluice.cells import Cell
from sluice.equations.graph import Elementwise
from sluice.equations.instrument import instrument_graph
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.kernels import extension, fused
from sluice.run.kernels.compiled_cell import compile_cell
from sluice.run.recording.record_spec import RecordSpec
from sluice.run.recording.recorded_pass import Recording
from sluice.run.spec import RunSpec, map_parameters_by_name

RUNS: dict[str, Callable[..., Any]] = {"fused": fused.run, "reference": reference.run}
WAYS: list[dict[str, Any]] = [
    {},
    {"reverse": True, "bias": False},
    {"lengths": True, "resets": True},
    {"lengths": True, "resets": True, "reverse": True},
]


def cut(value: Any) -> Any:
    """`sluice.detach`, with a tensor that has a gradient of its own."""
    return value.detach().requires_grad_() if isinstance(value, Tensor) else sluice.detach(value)


class Leaves(Cell):
    """Named values that are inputs, some of them twice, some unused."""

    candidate, keep, spare = sluice.Gate(), sluice.Gate(), sluice.Gate()
    bias, unread = sluice.Vector(), sluice.Vector()

    def step(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        decay = sluice.sigmoid(self.bias)
        from_input = sluice.tanh(self.candidate(x))
        twice = 2.0 * from_input
        past = cut(h)
        k = sluice.sigmoid(self.keep(x, past))
        return dict(
            h=k * c + decay * twice,
            c=from_input * decay + h * k,
            before=c,
            seen=x,
            decay=decay,
            one_less=1.0 - decay,
            from_input=from_input,
            again=from_input,
            twice=twice,
            past=past,
            keep=k,
            unread=self.unread * c,
            spare=sluice.sigmoid(self.spare(h=h)),
        )


class Held(Cell):
    """A state that is another's previous value, and one that is a product's result."""

    mix = sluice.Map(bias=False)
    write = sluice.Gate()

    def step(self, x: Any, h: Any, old: Any) -> dict[str, Any]:
        inner = sluice.sigmoid(self.write(x, h)) * old
        return dict(h=self.mix(inner), old=h, inner=inner)


OWN: dict[str, Callable[[], Cell]] = {**CELLS, "leaves": Leaves, "held": Held}


@pytest.fixture(autouse=True)
def poison_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")


def upstream(tensors: Any) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(t.shape, generator=generator).to(t.dtype) for t in tensors]


def plain(cell: Cell, job: RunSpec) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Values and derivatives by autograd through the cell's step on tensors, in a loop."""
    bound = cell.bind(map_parameters_by_name(job.graph, job.parameters), job.sizes)
    states, ys, found = job.states, {}, {}
    for t in job.steps:
        if job.reset_mask is not None:
            pairs = zip(job.reset_states, states, strict=True)
            states = tuple(torch.where(job.reset_mask[t], fresh, old) for fresh, old in pairs)
        masks = [mask.expand(*job.x.shape[:2], -1)[t] for mask in job.masks]
        here = tuple(state.view_as(state) for state in states)  # what this step itself reads
        x = job.x[t] if job.valid_mask is None else torch.where(job.valid_mask[t], job.x[t], 0.0)
        inputs = [*job.graph.states, *job.graph.masks]
        arguments = {g.name: v for g, v in zip(inputs, (*here, *masks), strict=True)}
        found[t] = own_tensors(bound, x, arguments, job)
        after = [found[t][state.name] for state in job.graph.states]
        if job.valid_mask is not None:
            pairs = zip(after, states, strict=True)
            after = [torch.where(job.valid_mask[t], new, old) for new, old in pairs]
        ys[t] = found[t][job.graph.states[0].name]
        ys[t] = ys[t] if job.valid_mask is None else torch.where(job.valid_mask[t], ys[t], 0.0)
        states = tuple(after)
    outputs = [torch.stack([ys[t] for t in sorted(ys)]), *states]
    every = [(t, name) for t in found for name in found[t]]
    wanted = [found[t][name] for t, name in every]
    got = torch.autograd.grad(outputs, wanted, upstream(outputs), allow_unused=True)
    gradients = {
        key: torch.zeros_like(w) if g is None else g
        for key, g, w in zip(every, got, wanted, strict=True)
    }
    valid = torch.ones(*job.x.shape[:2], 1) if job.valid_mask is None else job.valid_mask

    def join_steps(parts: Callable[[int, str], Tensor], name: str) -> Tensor:
        whole = torch.stack([parts(t, name) for t in range(job.x.shape[0])])
        return torch.where(valid.bool(), whole.detach(), 0.0)

    values = {
        name: join_steps(lambda t, n: found[t][n], name) for name in job.graph.outputs_by_name
    }
    return values, {
        n: join_steps(lambda t, n: gradients[t, n], n) for n in job.graph.outputs_by_name
    }


def own_tensors(bound: Cell, x: Tensor, arguments: Any, job: RunSpec) -> dict[str, Tensor]:
    """A step's values; a vector's are spread out first, so that each step has its own."""
    meaning = bound.interpreter
    rows = {v.name for v in job.graph.vectors}
    vector = meaning.vector
    spread = {n: vector(n).expand(x.shape[0], -1).clone() for n in rows}
    meaning.vector = lambda name: spread[name]  # type: ignore[method-assign]
    try:
        return bound.step(x, **arguments)
    finally:
        meaning.vector = vector  # type: ignore[method-assign]


def record_pass(
    run: Callable[..., Any], job: RunSpec, **options: Any
) -> tuple[Recording, list[Tensor]]:
    recording = Recording(job, None)
    y, last = run(job, recording=recording, **options)
    return recording, [y, *last]


@pytest.mark.parametrize("name", thin_out(OWN, 3))
@pytest.mark.parametrize("backend", RUNS)
def test_values_and_derivatives(backend: str, name: str) -> None:
    for seed, (marks, threads) in enumerate(zip(WAYS, (1, 3, 3, 1), strict=True)):
        cell, sizes = OWN[name](), (Sizes(3, 4, 2), Sizes(17, 34, 15))[seed % 2]
        job = draw(cell.graph, sizes, 5, 1 + (seed + 2) % 7, seed=seed, **marks)
        values, gradients = plain(cell, job)
        extension.set_num_threads(threads)
        try:
            recording, outputs = record_pass(RUNS[backend], job)
            torch.autograd.backward(outputs, upstream(outputs))
        finally:
            extension.set_num_threads(torch.get_num_threads())
        assert recording.backend == backend
        assert set(recording.names) == set(values)
        for key in values:
            assert error(recording.value(key), values[key]) < 1e-9, (marks, key)
            assert recording.value(key).shape == values[key].shape
            difference = (recording.gradient(key) - gradients[key]).abs().max()
            assert difference < 1e-9 * (1 + gradients[key].abs().max()), (marks, key)


@pytest.mark.parametrize("name", thin_out(OWN, 6, 1))
@pytest.mark.parametrize("backend", RUNS)
def test_instrumented_graphs_give_the_same_bits(backend: str, name: str) -> None:
    graph = OWN[name]().graph
    narrow = ("bfloat16", "int8") if name in ("gru", "layer-norm-lstm", "projected") else ()
    for precision in ("float32", *narrow) if backend == "fused" else (None,):
        options = {"precision": precision} if precision else {}
        marks = {"lengths": True, "resets": True}
        job = cast(draw(graph, Sizes(20, 36, 18), 5, 3, **marks), torch.float32)
        y, last = RUNS[backend](job, **options)
        more = replace(job, graph=instrument_graph(graph, pre=True, maps=True))
        _, found = record_pass(RUNS[backend], more, **options)
        assert all(torch.equal(a, b) for a, b in zip((y, *last), found, strict=True))


@pytest.mark.parametrize("name", thin_out(CELLS, 3, 2))
@pytest.mark.parametrize("backend", RUNS)
def test_preactivations_are_what_enters_the_gates(backend: str, name: str) -> None:
    graph = CELLS[name]().graph
    job = draw(graph, Sizes(3, 4, 2), 5, 3, lengths=True, reverse=True)
    recording, outputs = record_pass(
        RUNS[backend], replace(job, graph=instrument_graph(graph, True, False))
    )
    torch.autograd.backward(outputs, upstream(outputs))
    functions = {"sigmoid": torch.sigmoid, "tanh": torch.tanh}
    gates = {g for stack in graph.stacks for g, _ in stack.gates if stack.name in ("ih", "hh")}
    assert {n for n in recording.names if n.startswith("pre.")} >= {f"pre.{g}" for g in gates}
    for gate in gates & set(graph.outputs_by_name):
        node = graph.outputs_by_name[gate]
        if isinstance(node, Elementwise) and node.op in functions and name != "soft-step":
            before = recording.value(f"pre.{gate}").requires_grad_()
            after = torch.where(job.valid_mask, functions[node.op](before), 0.0)
            torch.testing.assert_close(after.detach(), recording.value(gate))
            (expected,) = torch.autograd.grad(after, before, recording.gradient(gate))
            torch.testing.assert_close(recording.gradient(f"pre.{gate}"), expected)


def test_only_what_is_recorded_has_its_derivative_kept() -> None:
    job = draw(CELLS["lstm"]().graph, Sizes(3, 5), 4, 2)
    recording = Recording(job, None, RecordSpec(frozenset({"forget"}), every=3))
    y, _ = fused.run(job, recording=recording)
    y.sum().backward()
    whole, (z, *_) = record_pass(fused.run, job)
    z.sum().backward()
    assert recording.names == ("forget",)
    assert torch.equal(recording.value("forget"), whole.value("forget")[::3])
    assert torch.equal(recording.gradient("forget"), whole.gradient("forget")[::3])
    compiled = compile_cell(
        job.graph, job.sizes, True, torch.float64, ("forget",)
    ).program.gradient_locations
    assert set(compiled) == {"forget"}


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("name", thin_out(OWN, 3, 2))
def test_outputs_on_the_kernels_are_bit_for_bit_those_without(name: str, precision: str) -> None:
    marks = {"lengths": True, "resets": True}
    job = cast(draw(OWN[name]().graph, Sizes(20, 36, 18), 9, 5, **marks), torch.float32)
    y, last = fused.run(job, precision)
    recording, found = record_pass(fused.run, job, precision=precision)
    assert all(torch.equal(a, b) for a, b in zip((y, *last), found, strict=True))
    with torch.no_grad():
        silent, found = record_pass(fused.run, job, precision=precision)
    assert all(torch.equal(a, b) for a, b in zip((y, *last), found, strict=True))
    assert all(torch.equal(recording.value(n), silent.value(n)) for n in recording.names)
    assert torch.equal(recording.value(job.graph.states[0].name), y)


@pytest.mark.parametrize("name", thin_out(OWN, 3))
def test_parameter_gradients_are_those_without_a_recording(name: str) -> None:
    job = cast(draw(OWN[name]().graph, Sizes(20, 36, 18), 9, 5, resets=True), torch.float32)
    tensors = (job.x, *job.states, *job.parameters)
    found = []
    for options in ({}, {"recording": Recording(job, None)}):
        y, last = fused.run(job, **options)
        outputs = [y, *last]
        found.append(torch.autograd.grad(outputs, tensors, upstream(outputs), allow_unused=True))
    for a, b in zip(*found, strict=True):
        assert a is b is None or torch.equal(a, b)


@pytest.mark.parametrize("name", thin_out(OWN, 3, 1))
def test_outputs_of_the_reference_are_bit_for_bit_those_without(name: str) -> None:
    job = cast(draw(OWN[name]().graph, Sizes(20, 36, 18), 9, 5, lengths=True), torch.float32)
    y, last = reference.run(job)
    _, found = record_pass(reference.run, job)
    assert all(torch.equal(a, b) for a, b in zip((y, *last), found, strict=True))
    assert all(t.requires_grad for t in found)
    with torch.no_grad():
        silent, found = record_pass(reference.run, job)
    assert torch.equal(found[0], y) and torch.equal(silent.value(job.graph.states[0].name), y)


@pytest.mark.parametrize("name", ["lstm", "gru-reset-before", "projected"])
def test_threads_that_share_units(name: str) -> None:
    job = draw(CELLS[name]().graph, Sizes(9, 130, 70), 4, 1, resets=True)
    found = []
    for threads in (1, 2):
        extension.set_num_threads(threads)
        recording, outputs = record_pass(fused.run, job)
        torch.autograd.backward(outputs, upstream(outputs))
        found.append(recording)
    for key in found[0].names:
        assert torch.equal(found[0].value(key), found[1].value(key))
        assert found[0].gradient(key).abs().max() > 0
        assert error(found[1].gradient(key), found[0].gradient(key)) < 1e-12


def test_bfloat16_is_within_its_bound() -> None:
    job = cast(draw(CELLS["lstm"]().graph, Sizes(8, 20), 12, 3), torch.float32)
    exact, outputs = record_pass(reference.run, job)
    torch.autograd.backward(outputs, upstream(outputs))
    narrow, outputs = record_pass(fused.run, job, precision="bfloat16")
    torch.autograd.backward(outputs, upstream(outputs))
    for name in exact.names:
        assert error(narrow.value(name), exact.value(name)) < 0.03
        assert error(narrow.gradient(name), exact.gradient(name)) < 0.05


@pytest.mark.parametrize("backend", RUNS)
def test_the_last_backward_pass_counts(backend: str) -> None:
    job = draw(CELLS["gru"]().graph, Sizes(3, 5), 4, 2)
    recording, (y, *_) = record_pass(RUNS[backend], job)
    y[1].sum().backward(retain_graph=True)
    early = recording.gradient("h")
    assert early[1].abs().min() > 0 and early[2:].abs().max() == 0
    y[3].sum().backward(retain_graph=True)
    late = recording.gradient("h")
    assert torch.equal(late[3], torch.ones_like(late[3])) and not torch.equal(late[1], early[1])
    (gradient,) = torch.autograd.grad(y[1].square().sum(), job.x, create_graph=True)
    torch.testing.assert_close(recording.gradient("h")[1], 2 * y[1].detach())
    assert not recording.gradient("h").requires_grad and gradient.requires_grad


def with_only_the_input(job: RunSpec) -> RunSpec:
    """The job with nothing to learn but its input."""
    states, parameters = (tuple(t.detach() for t in ts) for ts in (job.states, job.parameters))
    return replace(job, states=states, parameters=parameters)


@pytest.mark.parametrize("backend", RUNS)
def test_recording_works_when_nothing_requires_a_gradient(backend: str) -> None:
    job = draw(CELLS["gru"]().graph, Sizes(3, 5), 4, 2)
    frozen = replace(with_only_the_input(job), x=job.x.detach())
    recording, (y, *_) = record_pass(RUNS[backend], frozen)
    assert not y.requires_grad
    with pytest.raises(RuntimeError, match="no backward pass"):
        recording.gradient("h")


@pytest.mark.parametrize("backend", RUNS)
def test_only_the_input_learns(backend: str) -> None:
    job = draw(CELLS["lstm"]().graph, Sizes(3, 5), 4, 2)
    frozen = with_only_the_input(job)
    found = []
    for each in (job, frozen):
        recording, (y, *_) = record_pass(RUNS[backend], each)
        y.square().sum().backward()
        found.append([recording.gradient(name) for name in recording.names])
    assert all(torch.allclose(a, b, atol=1e-14) for a, b in zip(*found, strict=True))


class Counted:
    """Stands in for a tape, and supports weak references."""

    def __init__(self, tape: Any) -> None:
        self.holds, self.read = tape.holds, tape.read


def test_a_tape_is_freed_when_all_of_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    tapes: list[weakref.ref[Any]] = []
    on_tape = fused.TapeReader

    def count(job: RunSpec, handle: Any, tape: Any, *rest: Any) -> Any:
        tape = Counted(tape)
        tapes.append(weakref.ref(tape))
        return on_tape(job, handle, tape, *rest)

    monkeypatch.setattr(fused, "TapeReader", count)
    recording, outputs = record_pass(fused.run, draw(CELLS["lstm"]().graph, Sizes(3, 5), 4, 2))
    first, *others = recording.names
    for name in others:
        recording.value(name)
    assert tapes[0]() is not None
    recording.value(first)
    assert tapes[0]() is None
    torch.autograd.backward(outputs, upstream(outputs))
    assert tapes[1]() is not None
    del recording  # nothing waits for the garbage collector
    assert tapes[1]() is None


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    yield
    extension.set_num_threads(torch.get_num_threads())
