"""Random cells: graphs of all operations and constructs, on the kernels and in plain torch.

Run it with a number of cells, and the seed of the first: `python tests/random_cells.py 2000 1`.

The operations are those of the table, so a new one takes part by itself. What is expected comes
from loops written here, in float64, and from torch's autograd.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from random_graphs import draw_graph
from sluice.equations.graph import Affine, Elementwise, Leaf, Node, RowMap, RowNorm
from sluice.equations.op_table import OPS
from sluice.equations.row_maps import apply_row_map, explain_misfit
from sluice.equations.specs import Sizes
from sluice.equations.text import from_text, to_text
from sluice.run import bptt, reference
from sluice.run.kernels import fused
from sluice.run.spec import RunSpec

_TOLERANCE = 1e-9


@dataclass
class Case:
    """A cell, what it is given, and the gradients that reach it."""

    seed: int
    spec: RunSpec
    upstream: list[Tensor | None]


# What it is given ---------------------------------------------------------------------------------


def make_case(seed: int) -> Case:
    """The case of a seed."""
    draw = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    graph = draw_graph(draw, f"Random{seed}")

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    is_even = any(stack.heads > 1 for stack in graph.stacks)
    own = dict(own=draw.choice([2, 6]))
    sizes = Sizes(
        draw.choice([2, 16, 18] if is_even else [1, 2, 5, 19]),
        draw.choice([2, 6, 16, 34] if is_even else [1, 3, 8, 16, 17, 33]),
        draw.choice([2, 8] if is_even else [1, 4, 9]),
        own,
    )
    steps, batch = draw.choice([1, 3, 7]), draw.choice([1, 2, 5])
    has_bias = draw.random() < 0.8
    parameters = tuple(
        normal(*p.shape(sizes)) / max(1, p.shape(sizes)[-1] if len(p.dimensions) > 1 else 1) ** 0.5
        for p in graph.parameters
        if has_bias or not p.is_bias
    )
    masks = tuple(
        (
            torch.rand(
                (draw.choice([1, steps]), draw.choice([1, batch]), sizes.of(m.width)),
                generator=generator,
            )
            < 0.7
        )
        .double()
        .mul(1.5)
        for m in graph.masks
    )
    marked = draw.random()
    resets = torch.rand((steps, batch), generator=generator) < 0.3 if marked < 0.4 else None
    lengths = torch.randint(0, steps + 1, (batch,), generator=generator) if marked > 0.3 else None
    widths = [sizes.of(state.width) for state in graph.states]
    spec = RunSpec(
        graph,
        sizes,
        normal(steps, batch, sizes.input),
        tuple(normal(batch, width) for width in widths),
        parameters,
        masks,
        lengths,
        resets,
        tuple(map(normal, widths)) if draw.random() < 0.3 else None,
        draw.random() < 0.3,
        tuple(normal(steps, batch, sizes.of(u.width)) for u in graph.inputs),
    )
    upstream: list[Tensor | None] = [normal(steps, batch, _count_features(spec))]
    upstream += [normal(batch, w) if draw.random() < 0.7 else None for w in widths]
    return Case(seed, spec, upstream)


def has_misfit(spec: RunSpec) -> bool:
    """Whether heads or rows do not divide a width: a layer would refuse it."""
    of = spec.sizes.of
    return any(
        isinstance(node, RowMap) and explain_misfit(node.op, of(node.operand.width), of(node.width))
        for node in spec.graph.nodes
    ) or any(
        spec.sizes.of(width) % stack.heads
        for stack in spec.graph.stacks
        for width in (stack.operand, *(width for _, width in stack.gates))
    )


def _count_features(spec: RunSpec) -> int:
    return spec.sizes.of(spec.graph.states[0].width)


# What is expected ---------------------------------------------------------------------------------


def run_plainly(spec: RunSpec) -> tuple[Tensor, ...]:
    """The output and the last states: loops over time and sequences, in torch's operations."""
    steps, batch = spec.x.shape[:2]
    names = [p.name for p in spec.graph.parameters]
    if len(names) != len(spec.parameters):
        names = [p.name for p in spec.graph.parameters if not p.is_bias]
    parameters = dict(zip(names, spec.parameters, strict=True))
    widths = [spec.sizes.of(state.width) for state in spec.graph.states]
    fresh = spec.learned_initial_states or [
        torch.full((w,), s.initial, dtype=spec.x.dtype)
        for s, w in zip(spec.graph.states, widths, strict=True)
    ]
    outputs, finals = [], []
    for b in range(batch):
        states = [state[b] for state in spec.states]
        length = steps if spec.lengths is None else int(spec.lengths[b])
        rows = [spec.x.new_zeros(_count_features(spec))] * steps
        for t in range(length)[::-1] if spec.reverse else range(length):
            starts = t + 1 if spec.reverse else t
            if spec.resets is not None and starts < length and bool(spec.resets[starts, b]):
                states = list(fresh)
            given = {("input", "x"): spec.x[t, b]}
            for one, tensor in zip(spec.graph.inputs, spec.inputs, strict=True):
                given["input", one.name] = tensor[t, b]
            for state, value in zip(spec.graph.states, states, strict=True):
                given["state", state.name] = value
            for mask, tensor in zip(spec.graph.masks, spec.masks, strict=True):
                given["mask", mask.name] = tensor.expand(steps, batch, -1)[t, b]
            found = _evaluate(spec, parameters, given)
            states = [found[state.name] for state in spec.graph.states]
            rows[t] = states[0]
        outputs.append(torch.stack(rows))
        finals.append(states)
    columns = [torch.stack(column) for column in zip(*finals, strict=True)]
    return (torch.stack(outputs, dim=1), *columns)


def _evaluate(
    spec: RunSpec, parameters: dict[str, Tensor], given: dict[tuple[str, str], Tensor]
) -> dict[str, Tensor]:
    """One step of one sequence: every value a vector of its width."""
    values: dict[Node, Tensor] = {}
    for node in spec.graph.nodes:
        own = [values[operand] for operand in node.operands]
        if isinstance(node, Leaf):
            if node.kind == "constant":
                values[node] = torch.tensor([float(node.name)], dtype=torch.float64)
            elif node.kind == "size":
                values[node] = torch.tensor([spec.sizes.of(node.name)], dtype=torch.float64)
            elif node.kind == "vector":
                values[node] = parameters[node.name]
            else:
                values[node] = given[node.kind, node.name]
        elif isinstance(node, Elementwise):
            full = own if node.op == "where" else torch.broadcast_tensors(*own)
            values[node] = OPS[node.op].torch(*full)
        elif isinstance(node, RowMap):
            values[node] = apply_row_map(node.op, own[0], spec.sizes.of(node.width))
        elif isinstance(node, Affine):
            values[node] = _map(spec, parameters, node, own[0])
        elif isinstance(node, RowNorm):
            values[node] = _normalise(spec, parameters, node, own)
        else:
            raise AssertionError(f"{type(node).__name__} has no meaning here")
    return {
        name: values[node].expand(spec.sizes.of(node.width)) for name, node in spec.graph.outputs
    }


def _map(spec: RunSpec, parameters: dict[str, Tensor], node: Affine, operand: Tensor) -> Tensor:
    stack, first = spec.graph.get_stack(node.stack), 0
    for gate, width in stack.gates:
        count = spec.sizes.of(width)
        if gate == node.gate:
            break
        first += count
    weight = parameters[f"weight_{stack.name}"][first : first + count]
    blocks = zip(weight.chunk(stack.heads), operand.chunk(stack.heads), strict=True)
    found = torch.cat([block @ part for block, part in blocks])
    bias = parameters.get(f"bias_{stack.name}")
    return found if bias is None else found + bias[first : first + count]


def _normalise(
    spec: RunSpec, parameters: dict[str, Tensor], node: RowNorm, group: list[Tensor]
) -> Tensor:
    joined, norm = torch.cat(group), spec.graph.get_norm(node.norm)
    bias = parameters.get(f"bias_{norm.name}")
    whole = F.layer_norm(
        joined, joined.shape, parameters[f"weight_{norm.name}"], bias, norm.epsilon
    )
    return whole.split([len(part) for part in group])[node.index]


# Both, compared -----------------------------------------------------------------------------------


def differentiate(
    run: Callable[[RunSpec], tuple[Tensor, ...]], case: Case
) -> tuple[list[Tensor], list[Tensor]]:
    """The results of ``run``, and the gradients of all tensors."""
    spec = case.spec.replace_tensors([t.clone().requires_grad_() for t in case.spec.tensors])
    found = run(spec)
    pairs = [(o, g) for o, g in zip(found, case.upstream, strict=True) if g is not None]
    total = sum(((o * g).sum() for o, g in pairs), spec.x.sum() * 0.0)
    for tensor in spec.tensors:
        total = total + (tensor * 0.0).sum()
    return [o.detach() for o in found], list(torch.autograd.grad(total, spec.tensors))


def run_fused(spec: RunSpec) -> tuple[Tensor, ...]:
    y, last = fused.run(spec)
    return (y, *last)


def run_reference(spec: RunSpec) -> tuple[Tensor, ...]:
    y, last = reference.run(spec)
    return (y, *last)


def measure_difference(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest difference, relative to the largest number of each tensor where it is above 1."""
    largest = 0.0
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape, (one.shape, other.shape)
        if one.numel():
            difference = (one - other).abs().max() / (1.0 + other.abs().max())
            largest = max(largest, float(difference.nan_to_num(float("inf"))))
    return largest


def is_steep(case: Case, expected: list[Tensor]) -> bool:
    """Whether numbers change by more than the tolerance where inputs are rounded otherwise."""
    moved = [
        t + 1e-13 * torch.randn_like(t) * t.abs().max() for t in case.spec.tensors if t.numel()
    ]
    if len(moved) != len(case.spec.tensors):
        return False
    other = replace(case, spec=case.spec.replace_tensors(moved))
    found, gradients = differentiate(run_plainly, other)
    return measure_difference([*found, *gradients], expected) > _TOLERANCE / 10


def check(seed: int) -> bool:
    """Compare the case of a seed; False where its numbers cannot be compared."""
    try:
        case = make_case(seed)
    except ValueError as error:
        assert "needs a multiple of" in str(error)  # heads that divide no width
        return False
    spec = case.spec
    if has_misfit(spec):
        return False
    assert from_text(to_text(spec.graph)) == spec.graph
    expected, gradients = differentiate(run_plainly, case)
    whole = [*expected, *gradients]
    if not all(t.isfinite().all() for t in whole):
        return False
    with torch.no_grad():
        calm = measure_difference(list(run_fused(spec)), expected)
    ways = {"kernels, without gradients": calm}
    for name, run in (("kernels", run_fused), ("reference", run_reference)):
        found = differentiate(run, case)
        ways[name] = measure_difference([*found[0], *found[1]], whole)
    filled = [
        torch.zeros_like(o) if g is None else g
        for g, o in zip(case.upstream, expected, strict=True)
    ]
    back = bptt.backward(spec, filled[0], tuple(filled[1:]))
    learned = back.learned_initial_states if spec.learned_initial_states else ()
    own = [back.x, *back.states, *back.parameters, *learned, *back.inputs]
    ways["adjoint"] = measure_difference(own, gradients)
    worst = max(ways.values())
    if worst > _TOLERANCE and not is_steep(case, whole):
        raise AssertionError(f"seed {seed}: {ways}\n{to_text(spec.graph)}")
    return worst <= _TOLERANCE


def main(count: int, first: int) -> None:
    """Check so many cells; print each that fails."""
    start, compared, failed = time.monotonic(), 0, list[int]()
    for seed in range(first, first + count):
        try:
            compared += check(seed)
        except Exception as error:  # the next seed is to be tried all the same
            failed.append(seed)
            sys.stdout.write(f"seed {seed}: {type(error).__name__}: {str(error)[:3000]}\n")
    seconds = time.monotonic() - start
    sys.stdout.write(
        f"{count} random cells in {seconds:.0f} s: {compared} compared, "
        f"{len(failed)} failed {failed or ''}\n"
    )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] + ["100", "1"][len(sys.argv) - 1 :])))
