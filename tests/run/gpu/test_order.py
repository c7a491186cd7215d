"""Several programs a batch tile, one at a time in the worst order: no meeting is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from unittest import mock

import pytest
import torch

from cell_list import GPU_CELLS
from run.cases import cast, run_with_gradients
from run.gpu.comparison import find_faults, find_rounding_faults
from run.gpu.interpreter import in_interpreter
from run.gpu.jobs import MARKS, draw_job
from run.gpu.programs import run_in_order
from run.rounded_reference import Rounding
from run.rounded_reference import run as run_rounded
from sampling import thin_out
from sluice.codegen.gpu import kernel
from sluice.codegen.gpu.layout import TileShape
from sluice.codegen.gpu.meetings import find_meetings
from sluice.codegen.program import Program
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.gpu import fused, launch
from sluice.run.gpu.kernels import load_kernel
from sluice.run.gpu.tiles import Tiling
from sluice.run.spec import RunSpec

TILING = Tiling(TileShape(4, 4, 16), 4, False)
QUICK = ("projected", "layer-norm-gru", "slstm")
"""Meetings for states of other widths, for norms both ways, and for heads of several tiles."""
_EXHAUSTIVE = pytest.mark.exhaustive
MOST_SLOW = [
    name if name in QUICK[1:] else pytest.param(name, marks=_EXHAUSTIVE) for name in GPU_CELLS
]


def draw_cell(name: str, **marks: bool) -> RunSpec:
    """A pass with two tiles of units, of each head too; the last is not full."""
    sizes = Sizes(input=3, hidden=12 if name == "slstm" else 6, projection=6)
    return draw_job(name, sizes, 3, 3, seed=3, **marks)


def list_faults(job: RunSpec, backwards: bool) -> list[str]:
    expected = run_with_gradients(reference.run, job)
    with run_in_order(backwards):
        found = run_with_gradients(partial(fused.run, tiling=TILING), job)
    return find_faults(found, expected, 1e-10)


@pytest.mark.parametrize("name", thin_out(GPU_CELLS, 12))
@in_interpreter
def test_no_meeting_is_missing(name: str) -> None:
    job = draw_cell(name)
    for backwards in (False, True):
        assert not list_faults(job, backwards), f"backwards: {backwards}"


@pytest.mark.parametrize("name", MOST_SLOW)
@in_interpreter
def test_no_meeting_is_missing_with_lengths_and_resets(name: str) -> None:
    for backwards in (False, True):
        assert not list_faults(draw_cell(name, **MARKS), backwards), f"backwards: {backwards}"


@pytest.mark.parametrize("name", thin_out(QUICK, 3, 2))
@in_interpreter
def test_no_meeting_is_missing_where_states_lie_in_a_narrow_type(name: str) -> None:
    job = draw_cell(name)
    rounding = Rounding(torch.float16, are_weight_gradients_narrow=True)
    expected = run_with_gradients(partial(run_rounded, rounding=rounding), job)
    run = partial(fused.run, tiling=TILING, precision="float16")
    for backwards in (False, True):
        with run_in_order(backwards):
            found = run_with_gradients(run, cast(job, torch.float32))
        assert not find_rounding_faults(found, expected), f"backwards: {backwards}"


@pytest.mark.parametrize("name", thin_out(MOST_SLOW, 3))
@in_interpreter
def test_every_meeting_is_needed(name: str) -> None:
    job = draw_cell(name)
    meetings = list_meetings(job)
    assert any(part == "forward" for part, _ in meetings)
    unnoticed = []
    for meeting in meetings:
        with leave_out(*meeting):
            if not (list_faults(job, False) or list_faults(job, True)):
                unnoticed.append(meeting)
    assert not unnoticed


@in_interpreter
def test_a_meeting_that_fails_makes_nan() -> None:
    job = draw_cell("lstm")
    with run_in_order(False, is_met=False), torch.no_grad():
        y, last = fused.run(job, tiling=TILING)
    assert y.isnan().all() and all(state.isnan().all() for state in last)


@in_interpreter
def test_a_head_in_one_tile_needs_no_meeting() -> None:
    job = draw_job("slstm", Sizes(3, 8, 6), 3, 3, seed=3)
    assert list_meetings(job)
    texts = []

    def note(found: kernel.KernelShape) -> tuple[str, tuple[str, ...]]:
        source = kernel.emit_kernel(found)
        texts.append(source[0].partition("def kernel")[2])
        return source

    with replace_in_kernels("sluice.run.gpu.kernels.emit_kernel", note):
        for backwards in (False, True):
            assert not list_faults(job, backwards), f"backwards: {backwards}"
    assert len(texts) == 2
    assert not any("_arrive" in text or "_wait" in text for text in texts)


def list_meetings(job: RunSpec) -> list[tuple[str, int]]:
    """All meetings of a pass: part, and the phase that each comes before."""
    found: dict[tuple[str, int], None] = {}

    def note(program: Program, part: str, partial_phases: set[int]) -> list[bool]:
        meets = find_meetings(program, part, partial_phases)
        found.update({(part, n): None for n, is_meeting in enumerate(meets) if is_meeting})
        return meets

    with replace_in_kernels("sluice.codegen.gpu.kernel.find_meetings", note):
        list_faults(job, False)
    return list(found)


@contextmanager
def leave_out(part: str, phase: int) -> Iterator[None]:
    """Kernels without the meeting before a phase."""

    def find(program: Program, of_part: str, partial_phases: set[int]) -> list[bool]:
        meets = find_meetings(program, of_part, partial_phases)
        return [m and (of_part, n) != (part, phase) for n, m in enumerate(meets)]

    with replace_in_kernels("sluice.codegen.gpu.kernel.find_meetings", find):
        yield


@contextmanager
def replace_in_kernels(name: str, function: Callable[..., object]) -> Iterator[None]:
    """Kernels made with ``function`` in place of ``name``; none of them stays."""
    _forget_kernels()
    try:
        with mock.patch(name, function):
            yield
    finally:
        _forget_kernels()


def _forget_kernels() -> None:
    load_kernel.cache_clear()
    launch.load_launch.cache_clear()
    launch.find_tiling.cache_clear()
