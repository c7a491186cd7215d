"""Programs for the kernels: invalid ones are refused, valid ones have any size."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cell_list import CELLS
from run.cases import cast, draw, error, run_with_gradients
from sampling import thin_out
from sluice import Cell, Gate, Map, Norm, State, tanh
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.kernels import extension, fused
from sluice.run.kernels.compiled_cell import compile_cell
from sluice.run.kernels.encode import (
    PROGRAM,
    VERSION,
    ProgramEncoder,
    encode_sections,
    encode_tensors,
)
from sluice.run.kernels.extension import load_extension
from sluice.run.kernels.stepper import LayerWeights, PackedLayers, Stepper
from sluice.run.kernels.token_stepper import (
    PackedTokenLayers,
    RowBuffers,
    SamplingSpec,
    TokenStepper,
    TokenWeights,
)
from sluice.run.spec import RunSpec


def compare(job: Any, bound: float = 1e-10) -> None:
    for found, expected in zip(
        run_with_gradients(fused.run, job), run_with_gradients(reference.run, job), strict=True
    ):
        assert error(found, expected) < bound


@pytest.fixture(autouse=True)
def poison_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")


@pytest.mark.parametrize(
    ("name", "bits", "ways"),
    thin_out(
        [
            ("projected", 32, ["resets", "lengths", "reverse"]),
            ("lstm", 64, []),
            ("gru", 32, ["reverse", "lengths"]),
            ("layer-norm-two-stages", 64, ["lengths"]),
            ("slstm-exponential", 64, ["resets"]),
            ("zoneout-dropout-peephole", 32, []),
            ("soft-step", 64, ["resets"]),
        ],
        9,
    ),
)
def test_no_wrong_word_crashes(
    name: str, bits: int, ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cut, tag, length and word changed, in a process of its own: a crash is seen."""
    monkeypatch.delenv("SLUICE_POISON")  # absurd sizes would be filled
    script = Path(__file__).parent / "mutations.py"
    command = [sys.executable, str(script), name, str(bits), *ways]
    process = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert process.returncode == 0, (process.returncode, process.stdout, process.stderr[-3000:])
    assert "flipped" in process.stdout


def prepare(dtype: torch.dtype = torch.float64) -> tuple[Any, ProgramEncoder]:
    job = draw(CELLS["lstm"]().graph, Sizes(3, 8, 8), 2, 2, dtype=dtype)
    cell = compile_cell(job.graph, job.sizes, True, dtype)
    return job, ProgramEncoder(cell.graph, cell.program, cell.sizes, cell.bodies.addresses)


def test_messages_for_invalid_programs() -> None:
    job, writer = prepare()
    make, words, bodies = (
        partial(load_extension().Program, owner=job),
        writer.encode(),
        writer.encode_bodies(),
    )
    assert words[:2] == [PROGRAM, VERSION]
    with pytest.raises(
        ValueError, match=f"expected format version {VERSION}, got {VERSION + 1}; reinstall sluice"
    ):
        make([PROGRAM, VERSION + 1, *words[2:]], bodies, 8)
    with pytest.raises(ValueError, match=r"expected section 'sizes' with tag 1, got 7"):
        make([PROGRAM, VERSION, 7, *words[3:]], bodies, 8)
    with pytest.raises(ValueError, match=r"expected the input's width from 1 to .*, got 0"):
        make([PROGRAM, VERSION, 1, 1, 0, *words[5:]], bodies, 8)
    with pytest.raises(ValueError, match="section 'buffers': expected a role from 0 to 20, got 21"):
        at = 2
        while words[at] != 5:
            at += 2 + words[at + 1]
        make([*words[: at + 4], 21, *words[at + 5 :]], bodies, 8)
    with pytest.raises(ValueError, match="expected a body's index from -1 to -1, got 0"):
        make(words, [], 8)
    with pytest.raises(ValueError, match="expected 8 or 16 lanes, got 3"):
        make(words, bodies, 3)
    with pytest.raises(ValueError, match="the bodies: expected the address of a function, got 0"):
        make(words, [(0, accesses) for _, accesses in bodies], 8)


def test_a_layer_of_another_program_is_refused() -> None:
    job, writer = prepare()
    program = load_extension().Program(writer.encode(), writer.encode_bodies(), 8, job)
    words = encode_tensors(*job.parameters)
    load_extension().LayerFloat64(program, words, False, 1)
    with pytest.raises(ValueError, match="a layer: expected 16 lanes, got 8"):
        load_extension().LayerFloat32(program, words, False, 1)
    with pytest.raises(ValueError, match=r"a parameter of 96 numbers of 8 bytes, got \d+ bytes"):
        load_extension().LayerFloat64(program, [words[0], words[1] - 8, *words[2:]], False, 1)
    with pytest.raises(ValueError, match="expected a weight, got none"):
        load_extension().LayerFloat64(program, [0, 0, *words[2:]], False, 1)


def test_a_tape_of_another_pass_is_refused() -> None:
    long = draw(CELLS["lstm"]().graph, Sizes(3, 8, 8), 5, 2)
    short = draw(CELLS["lstm"]().graph, Sizes(3, 8, 8), 4, 2)

    def run(job: RunSpec) -> tuple[tuple[Tensor, ...], Any]:
        settings = fused.FusedCall.of_spec(job)
        return fused.run_forward(settings, job.x, job.states, job.shared_tensors)

    tapes = [run(job)[1] for job in (long, short)]
    settings = fused.FusedCall.of_spec(long)
    y = run(long)[0][0]
    gradients = [torch.ones_like(y), *(torch.ones_like(s) for s in long.states)]
    needs = [False, *[True] * len(long.tensors)]
    assert fused.run_backward(settings, tapes[0], long.tensors, y, gradients, needs)
    with pytest.raises(ValueError, match="expected the tape of a forward pass with the same"):
        fused.run_backward(settings, tapes[1], long.tensors, y, gradients, needs)
    target = torch.empty(1)
    for place, item in ((-1, 0), (10_000, 0), (0, -1), (0, 1 << 40)):
        with pytest.raises(ValueError, match="tape"):
            tapes[0].read(settings.cell.handle, place, item, target.data_ptr())


def delay_line(count: int) -> type[Cell]:
    """A cell with ``count`` states besides its output: the output of earlier steps."""
    names = [f"a{k}" for k in range(count)]
    space: dict[str, Any] = {"tanh": tanh}
    exec(
        f"def step(self, x, h, {', '.join(names)}):\n"
        f"    late = [h, {', '.join(names)}]\n"
        f"    return dict(zip({names!r}, late), h=tanh(self.g(x, late[{count}] * h)))",
        space,
    )
    return type("DelayLine", (Cell,), {"g": Gate(), "step": space["step"]})


@pytest.mark.parametrize("count", [30, 31, 100])
def test_many_states(count: int) -> None:
    graph = delay_line(count)().graph
    assert len(graph.states) == count + 1
    compare(draw(graph, Sizes(3, 9, 9), count + 5, 3, resets=count == 31, lengths=count == 31))


def sub_steps(count: int) -> type[Cell]:
    """A cell whose step solves an equation in ``count`` sub-steps."""

    class Euler(Cell):
        g, f = Gate(), Map()

        def step(self, x: Any, h: Any) -> Any:
            for _ in range(count):
                h = h + (1 / count) * tanh(self.f(h))
            return dict(h=tanh(self.g(x, h)))

    return Euler


@pytest.mark.parametrize("count", thin_out([64, 100], 2))
def test_many_sub_steps(count: int) -> None:
    compare(draw(sub_steps(count)().graph, Sizes(3, 9, 9), 4, 3, reverse=count == 64))


@pytest.mark.parametrize("width", [1, 7, 8, 9, 15, 16, 17, 33])
@pytest.mark.parametrize("threads", [1, 3])
def test_unusual_sizes(width: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "_threads", threads)
    for batch in (1, 2, 5, 49):
        compare(draw(delay_line(3)().graph, Sizes(width + 2, width, width), 3, batch, resets=True))


class Softened(Cell):
    """Bodies read the input before its products, and products read the results."""

    g, f = Gate(), Map()
    h = State()

    def step(self, x: Any, h: Any) -> Any:
        return dict(h=tanh(self.g(tanh(x) * x, h) + tanh(self.f(tanh(self.f(h))))))


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (1, 3), (2, 2), (9, 2)])
@pytest.mark.parametrize("inputs", [5, 64, 130])
def test_bodies_before_products(
    batch: int, threads: int, inputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extension, "_threads", threads)
    compare(draw(Softened().graph, Sizes(inputs, 130, 130), 6, batch, lengths=batch > 1))


class NormOfInput(Cell):
    """Statistics of the input and a state together; only one of the results is used."""

    n, f = Norm(), Map()

    def step(self, x: Any, h: Any) -> Any:
        _, b = self.n(x, h)
        return dict(h=tanh(self.f(b)))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("sizes", [(9, 9, 9), (16, 17, 17)])
def test_norms_of_input_and_state(
    sizes: tuple[int, int, int], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extension, "_threads", threads)
    for batch in (1, 6):
        compare(draw(NormOfInput().graph, Sizes(*sizes), 5, batch, lengths=batch > 1))


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@pytest.mark.parametrize("batch", [7, 100, 161])
def test_narrow_operands_of_several_threads(
    precision: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each thread converts the operands of its own rows, wherever these begin."""
    graph = CELLS["gru-reset-before"]().graph
    job = cast(draw(graph, Sizes(20, 36, 18), 4, batch), torch.float32)
    monkeypatch.setattr(extension, "_threads", 1)
    alone = fused.run(job, precision)
    monkeypatch.setattr(extension, "_threads", 3)
    torch.testing.assert_close(fused.run(job, precision), alone, rtol=0, atol=0)


def tokens(vocabulary: int = 11, width: int = 6) -> TokenStepper:
    job = draw(CELLS["gru"]().graph, Sizes(width, 8, 8), 1, 1, dtype=torch.float32)
    layer = LayerWeights(job.graph, job.sizes, tuple(p.detach() for p in job.parameters))
    language = TokenWeights(torch.randn(vocabulary, width), torch.randn(vocabulary, 8), None)
    return TokenStepper(PackedTokenLayers([layer], language, "float32"), 3)


def test_tokens_outside_the_vocabulary_are_refused() -> None:
    steps = tokens()
    good = torch.tensor([0, 10, 5])
    assert steps.logits(good).isfinite().all()
    choices, uniforms = torch.ones(1, 11, dtype=torch.bool), torch.rand(4, 3, dtype=torch.float64)
    for wrong in (-1, 11, 1 << 40):
        bad = torch.tensor([0, wrong, 5])
        runs = (
            lambda bad=bad: steps.logits(bad),
            lambda bad=bad: steps.feed(bad[None]),
            lambda bad=bad: steps.generate(SamplingSpec(-1), choices, bad, uniforms),
        )
        for run in runs:
            with pytest.raises(ValueError, match=f"expected tokens from 0 to 10, got {wrong}"):
                run()
    with pytest.raises(ValueError, match="expected choices of 11 numbers of 1 bytes, got 10 bytes"):
        steps.generate(SamplingSpec(-1), choices[:, 1:], good, uniforms)
    assert steps.generate(SamplingSpec(-1), choices, good, uniforms) is not None


def test_rows_outside_a_stream_are_refused() -> None:
    job = draw(CELLS["gru"]().graph, Sizes(6, 8, 8), 1, 1)
    layer = LayerWeights(job.graph, job.sizes, tuple(p.detach() for p in job.parameters))
    steps = Stepper(PackedLayers([layer], "float64"), 3)
    steps.rearrange(torch.tensor([2, 2, 0]))
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match=f"expected rows from 0 to 2, got {wrong}"):
            steps.rearrange(torch.tensor([0, 1, wrong]))
    with pytest.raises(ValueError, match="a layer with input width 8, got 6"):
        Stepper(PackedLayers([layer, layer], "float64"), 3)


def test_a_list_of_sections() -> None:
    assert encode_sections(5, [1, 2], []) == [5, VERSION, 1, 2, 1, 2, 2, 0]
    tensor: Tensor = torch.ones(3)
    assert encode_tensors(tensor, None) == [tensor.data_ptr(), 12, 0, 0]
    assert math.isclose(tensor.sum().item(), 3)


def test_a_stream_steps_as_many_rows_as_it_is_told() -> None:
    job = draw(CELLS["gru"]().graph, Sizes(6, 8, 8), 1, 1, dtype=torch.float32)
    layer = LayerWeights(job.graph, job.sizes, tuple(p.detach() for p in job.parameters))
    packed = PackedLayers([layer], "float32")
    x, states = torch.randn(5, 6), torch.randn(5, 8)
    narrow, wide = Stepper(packed, 2), Stepper(packed, 5)
    for stepper, count in ((wide, 5), (wide, 2), (wide, 4), (narrow, 2)):
        stepper.set_batch(count)
        stepper.write([(states[:count],)])
        y = torch.empty(count, 8)
        stepper.step(x[:count].contiguous().data_ptr(), y.data_ptr())
        (found,) = stepper.read()[0]
        assert found.shape == (count, 8) and torch.equal(found, y)
        if count == 5:
            expected = y
        assert torch.equal(y, expected[:count])
    for wrong in (0, 6):
        with pytest.raises(ValueError, match=f"a batch of 1 to 5, got {wrong}"):
            wide.set_batch(wrong)


def test_streams_share_a_vocabulary_of_their_own_layers_alone() -> None:
    one, other = tokens(), tokens()
    assert not torch.equal(*(steps.logits(torch.tensor([1, 2, 3])) for steps in (one, other)))
    with pytest.raises(ValueError, match="a stream of the same packed layers"):
        one._stream.share_vocabulary(other._packed.stream)


def test_each_sequence_has_its_own_filter() -> None:
    """As if each was sampled alone: by its temperature, top-k, top-p and typical mass."""
    ways = [SamplingSpec(-1, 0.3), SamplingSpec(-1, 2.0, 3), SamplingSpec(-1, 1.0, 0, 0.5, 0.6)]
    steps = tokens()
    states = steps.read()
    rows = RowBuffers(4, 11)
    rows.choices[0, 1, :4] = 0
    rows.filters[:3] = torch.tensor([way.filter for way in ways], dtype=torch.float64)
    rows.choices[0, 3] = 0  # a row that is not used
    found = set()
    for seed in range(40):
        rows.uniforms[0, :3] = torch.rand(3, generator=torch.Generator().manual_seed(seed))
        rows.tokens[:3] = torch.tensor([1, 2, 3])
        steps.write(states)
        steps.sample_next(rows.encode(3, -1))
        for b, way in enumerate(ways):
            steps.write(states)
            alone = steps.generate(
                way, rows.choices[0, b : b + 1], torch.tensor([1, 2, 3]), rows.uniforms[:, :3]
            )
            assert alone is not None and rows.sampled[0, b] == alone[0, b]
        found.add(tuple(rows.sampled[0, :3].tolist()))
    assert len(found) > 10
    short = rows.encode(2, -1)
    with pytest.raises(ValueError, match="expected uniform numbers of 3 numbers of 8 bytes"):
        steps.sample_next(short)


def test_a_row_of_nan_samples_no_token() -> None:
    steps = tokens()
    states = steps.read()
    states[0][0][1] = torch.nan
    rows = RowBuffers(3, 11)
    rows.filters[:] = torch.tensor(SamplingSpec(-1).filter)
    for _ in range(2):
        steps.write(states)
        steps.sample_next(rows.encode(3, -1))
        assert rows.sampled[0, 1] == -1 and (rows.sampled[0, ::2] >= 0).all()
    allowed, uniforms = torch.ones(1, 11), torch.zeros(2, 3, dtype=torch.float64)
    assert steps.generate(SamplingSpec(-1), allowed, torch.tensor([0, 0, 0]), uniforms) is None
