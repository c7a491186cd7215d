"""Phases of known cells, counted by hand, and invariants of every cell's phases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cell_list import CELLS
from sluice.codegen.body import ADD_ROW, LOAD, STORE
from sluice.codegen.lower import lower_graph
from sluice.codegen.program import Phase, Program, collect_bodies
from sluice.equations.graph import is_comparison, sort_topologically
from sluice.equations.instrument import instrument_graph


def products(phases: list[Phase]) -> list[list[tuple[str, tuple[str, ...]]]]:
    return [[(p.stack, p.gates) for p in phase.products] for phase in phases]


def stores(program: Program, phase: Phase) -> list[str]:
    """The roles of the buffers that a phase's body stores to."""
    body = phase.body
    outputs = () if body is None else body.outputs
    return [program.buffers[phase.buffers[access.slot]].role for _, access in outputs]


def test_an_lstm_step_is_one_phase() -> None:
    program = lower_graph(CELLS["lstm"]().graph, True)
    gates = ("input", "forget", "candidate", "output")
    assert products(program.hoisted) == [[("ih", gates)]]
    assert products(program.forward) == [[("hh", gates)]]
    assert stores(program, program.hoisted[0]) == []  # the product goes where the step reads it
    assert stores(program, program.forward[0]) == ["next"] * 2 + ["tape"] * 4  # h, c; four gates


def test_an_lstm_step_back_is_one_body_and_one_product() -> None:
    program = lower_graph(CELLS["lstm"]().graph, True)
    gates = ("input", "forget", "candidate", "output")
    assert products(program.backward) == [[], [("hh", gates)]]
    # Four gates' deltas, each also summed for a bias; dc for the step before. dh is the product.
    found = stores(program, program.backward[0])
    assert sorted(found) == ["deltas"] * 4 + ["flow out"] + ["row gradients"] * 4


def test_a_gru_that_resets_after_its_product_needs_one_phase() -> None:
    program = lower_graph(CELLS["gru"]().graph, True)
    assert products(program.forward) == [[("hh", ("reset", "update", "candidate"))]]
    # The new h; r, z and n; and for the derivative of r the product of n that it multiplies.
    assert stores(program, program.forward[0]) == ["next"] + ["tape"] * 4


def test_a_gru_that_resets_before_its_product_needs_two() -> None:
    program = lower_graph(CELLS["gru-reset-before"]().graph, True)
    assert products(program.forward) == [[("hh", ("reset", "update"))], [("hh", ("candidate",))]]
    first, second = program.forward
    # r * h for the product; r and z; and z * h and 1 - z for the second phase.
    assert sorted(stores(program, first)) == ["step kept"] * 2 + ["step operand"] + ["tape"] * 2
    assert stores(program, second) == ["next", "tape"]


def test_layer_norm_splits_a_step_at_each_norm() -> None:
    program = lower_graph(CELLS["layer-norm-lstm"]().graph, True)
    found = [[s.norm for s in phase.statistics] for phase in program.forward]
    assert found == [[], ["norm_hh"], ["norm_c"]]
    assert [[s.norm for s in phase.statistics] for phase in program.hoisted] == [[], ["norm_ih"]]


def temporaries(program: Program, name: str) -> set[int]:
    """The buffers that only the phases of one section write and read."""
    roles = {f"{name} {kind}" for kind in ("tile", "kept", "operand")}
    if name == "back":
        roles |= {"deltas", "row sums"}
    return {k for k, buffer in enumerate(program.buffers) if buffer.role in roles}


def find_written(phase: Phase) -> Iterator[tuple[int, int]]:
    """The buffers and items that a phase's body writes."""
    for _, access in phase.body.outputs if phase.body else ():
        assert access.kind != LOAD
        if access.kind in (STORE, ADD_ROW):
            yield phase.buffers[access.slot], access.item


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CELLS)
def test_phases_read_what_earlier_ones_have_written(name: str, bias: bool) -> None:
    graph = instrument_graph(CELLS[name]().graph, pre=True, maps=True)
    program = lower_graph(graph, bias, tuple(graph.outputs_by_name))
    for section in ("hoisted", "step", "back"):
        phases = {"step": program.forward, "back": program.backward}.get(section, program.hoisted)
        own, ready = temporaries(program, section), set[tuple[int, int]]()
        for phase in phases:
            sources = [source for s in phase.statistics for source in s.sources]
            sources += [(mean.source, mean.item) for mean in phase.means]
            for product in phase.products:
                items = len(product.gates) if product.transposed else 1
                sources += [(product.operand, item) for item in range(items)]
            assert {source for source in sources if source[0] in own} <= ready
            for product in phase.products:
                items = 1 if product.transposed else len(product.gates)
                ready |= {(product.target, product.item + k) for k in range(items)}
            inputs = phase.body.inputs if phase.body else ()
            loads = {(phase.buffers[a.slot], a.item) for _, a in inputs if a.kind == LOAD}
            assert {load for load in loads if load[0] in own} <= ready
            ready |= set(find_written(phase))


@pytest.mark.parametrize("name", CELLS)
def test_comparisons_are_neither_stored_nor_loaded(name: str) -> None:
    graph = instrument_graph(CELLS[name]().graph, pre=True, maps=True)
    program = lower_graph(graph, True, tuple(graph.outputs_by_name))
    for body in collect_bodies(program).values():
        assert not any(is_comparison(node) for node, _ in body.inputs + body.outputs)


def test_a_comparison_is_computed_again_in_every_phase_that_needs_it() -> None:
    program = lower_graph(CELLS["rising"]().graph, True)
    maps = ("hh", "candidate"), ("first", "first"), ("second", "second")
    assert products(program.forward) == [[(stack, (gate,))] for stack, gate in maps]
    for phase in program.forward:
        assert phase.body is not None
        known, outputs = (
            [n for n, _ in pairs] for pairs in (phase.body.inputs, phase.body.outputs)
        )
        assert any(map(is_comparison, sort_topologically(outputs, known)))
