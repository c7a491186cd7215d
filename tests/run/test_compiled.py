"""Compiled programs run the kernels, forward and back, bit for bit as plain calls do."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import sluice
from sampling import thin_out
from sluice.cells import LayerNormLSTM, PeepholeLSTM, zoneout
from sluice.nn import Recurrent
from sluice.run import bptt, reference
from sluice.run.kernels import tensor_tape

# torch's own compiler warns of its own deprecated parts.
pytestmark = pytest.mark.filterwarnings("ignore")


class Leaky(sluice.Cell):
    """A cell of one's own."""

    leak, candidate = sluice.Gate(), sluice.Gate()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        k = sluice.sigmoid(self.leak(x, h))
        return {"h": k * h + (1 - k) * sluice.tanh(self.candidate(x, h))}


LAYERS: dict[str, Callable[[], Any]] = {
    "lstm": lambda: sluice.nn.LSTM(3, 5, num_layers=2, bidirectional=True),
    "projected": lambda: sluice.nn.LSTM(3, 7, proj_size=2, learn_initial_state=True),
    "gru": lambda: sluice.nn.GRU(3, 5, bias=False, batch_first=True),
    "leaky": lambda: Recurrent(Leaky, 3, 5, bidirectional=True),
    "own": lambda: Recurrent(zoneout(LayerNormLSTM(), c=0.2), 3, 5).eval(),
    "double": lambda: Recurrent(PeepholeLSTM, 3, 5, learn_initial_state=True).double(),
}


def compile_whole(layer: nn.Module, backend: str = "aot_eager") -> Callable[..., Any]:
    torch._dynamo.reset()
    return torch.compile(layer, fullgraph=True, dynamic=True, backend=backend)


def compute_all(run: Callable[..., Any], layer: nn.Module, x: Tensor, **marks: Any) -> list[Tensor]:
    """The outputs, and the gradients of a loss that weighs each of their numbers differently."""
    y, last = run(x, **marks)
    outputs = [y, *(last if isinstance(last, tuple) else (last,))]
    loss = sum(
        (t * torch.linspace(-1, 1, t.numel(), dtype=t.dtype).view_as(t)).sum() for t in outputs
    )
    return [*outputs, *torch.autograd.grad(loss, [x, *layer.parameters()])]


@pytest.fixture
def no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop of torch operations must not be run."""

    def refuse(*_: object) -> object:
        raise AssertionError("the reference ran")

    for module in (reference, bptt):
        monkeypatch.setattr(module, "iterate_steps", refuse)


@pytest.mark.parametrize("marked", thin_out([False, True], 2, 1))
@pytest.mark.parametrize("name", thin_out(LAYERS, 6))
def test_compiled_is_bit_for_bit_the_plain_call(
    name: str, marked: bool, no_reference: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")
    layer = LAYERS[name]()
    dtype, is_first = next(layer.parameters()).dtype, layer.batch_first
    compiled = compile_whole(layer)
    for steps, batch in ((6, 3), (9, 4), (9, 2)):
        shape = (batch, steps) if is_first else (steps, batch)
        x = torch.randn(*shape, 3, dtype=dtype, requires_grad=True)
        marks: dict[str, Tensor] = {}
        if marked:
            marks["lengths"] = torch.tensor([steps - 2, steps, 0, 1][:batch])
            marks["resets"] = torch.rand(shape) < 0.3
        plain = compute_all(layer, layer, x, **marks)
        for mine, theirs in zip(compute_all(compiled, layer, x, **marks), plain, strict=True):
            assert torch.equal(mine, theirs)
        with torch.no_grad():
            assert torch.equal(compiled(x, **marks)[0], plain[0])


def test_compiled_gradients_are_those_of_torchs_layer() -> None:
    theirs = nn.LSTM(3, 5, 2).double()
    ours = sluice.nn.LSTM(3, 5, 2).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(7, 3, 3, dtype=torch.float64, requires_grad=True)
    found = compute_all(compile_whole(ours), ours, x)[3:]
    y, (h, c) = theirs(x)
    weights = [torch.linspace(-1, 1, t.numel(), dtype=t.dtype).view_as(t) for t in (y, h, c)]
    loss = sum((t * w).sum() for t, w in zip((y, h, c), weights, strict=True))
    expected = torch.autograd.grad(loss, [x, *theirs.parameters()])
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


def test_inductor_runs_the_kernels_too(no_reference: None) -> None:
    model = nn.Sequential(nn.Linear(3, 3), sluice.nn.GRU(3, 5))
    compiled = compile_whole(model, "inductor")
    for steps in (6, 11):
        x = torch.randn(steps, 2, 3, requires_grad=True)
        for mine, theirs in zip(
            compute_all(compiled, model, x), compute_all(model, model, x), strict=True
        ):
            torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_the_precision_setting_reaches_a_compiled_program(precision: str) -> None:
    layer = sluice.nn.LSTM(8, 16).eval()
    layer.precision = precision
    compiled, x = compile_whole(layer), torch.randn(6, 3, 8)
    with torch.no_grad():
        y = layer(x)[0]
        assert torch.equal(compiled(x)[0], y)
        layer.precision = "float32"
        assert not torch.equal(layer(x)[0], y)
    if precision == "bfloat16":
        layer.precision = "bfloat16"
        x.requires_grad_()
        for mine, theirs in zip(
            compute_all(compiled, layer, x), compute_all(layer, layer, x), strict=True
        ):
            assert torch.equal(mine, theirs)


def test_int8_weights_refuse_gradients_in_a_compiled_program_too() -> None:
    layer = sluice.nn.LSTM(3, 5).eval()
    layer.precision = "int8"
    x = torch.randn(6, 3, 3, requires_grad=True)
    y = compile_whole(layer)(x)[0]
    assert torch.equal(y, layer(x)[0])
    with pytest.raises(RuntimeError, match="int8 weights do not train"):
        y.sum().backward()
    # torch 2.6 keeps the words to itself.
    with pytest.raises(Exception, match=r"int8 weights are for evaluation|Observed exception"):
        compile_whole(layer.train())(x)


def test_autocast_is_that_of_the_plain_call() -> None:
    layer = sluice.nn.LSTM(8, 16, num_layers=2)
    x = torch.randn(6, 3, 8, requires_grad=True)
    results = []
    for run in (layer, compile_whole(layer)):
        with torch.autocast("cpu", torch.bfloat16):
            y = run(x)[0]
        results.append([y, *torch.autograd.grad(y.float().sin().sum(), [x, *layer.parameters()])])
    for mine, theirs in zip(results[1], results[0], strict=True):
        assert mine.dtype == theirs.dtype
        torch.testing.assert_close(mine, theirs, rtol=1e-2, atol=1e-2)


def test_the_reference_runs_where_it_is_asked_for() -> None:
    layer = sluice.nn.GRU(3, 5)
    layer.backend = "reference"
    x = torch.randn(6, 3, 3, requires_grad=True)
    found = compute_all(compile_whole(layer), layer, x)
    layer.backend = None
    for mine, theirs in zip(found, compute_all(layer, layer, x), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_passes_in_any_order_keep_their_own_tapes() -> None:
    layer = sluice.nn.LSTM(3, 5)
    compiled = compile_whole(layer)
    xs = [torch.randn(6, 3, 3, requires_grad=True) for _ in range(4)]
    losses = [compiled(x)[0].sin().sum() for x in xs]
    for x, loss in [*zip(xs, losses, strict=True)][::-1]:
        (found,) = torch.autograd.grad(loss, x)
        assert torch.equal(found, torch.autograd.grad(layer(x)[0].sin().sum(), x)[0])


def test_threads_share_a_compiled_program() -> None:
    layer = sluice.nn.LSTM(3, 5)
    compiled = compile_whole(layer)
    compiled(torch.randn(6, 3, 3, requires_grad=True))
    wrong = list[int]()

    def work(seed: int) -> None:
        x = torch.randn(6, 3, 3, generator=torch.Generator().manual_seed(seed)).requires_grad_()
        expected = torch.autograd.grad(layer(x)[0].sin().sum(), x)[0]
        for _ in range(20):
            (found,) = torch.autograd.grad(compiled(x)[0].sin().sum(), x)
            if not torch.equal(found, expected):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_tape_is_freed_with_its_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    tapes = list[Any]()
    run_with_tape = tensor_tape.run_with_tape

    def watch(*arguments: Any) -> Any:
        found = run_with_tape(*arguments)
        tapes.append(weakref.ref(found[2].untyped_storage()))
        return found

    monkeypatch.setattr(tensor_tape, "run_with_tape", watch)
    layer = sluice.nn.LSTM(3, 5)
    compiled = compile_whole(layer)
    y = compiled(torch.randn(6, 3, 3))[0]
    compiled(torch.randn(6, 3, 3))[0].sum().backward()
    with torch.no_grad():
        compiled(torch.randn(6, 3, 3))
    assert len(tapes) == 2  # inference keeps none
    del y  # which was never differentiated
    gc.collect()
    assert [tape() for tape in tapes] == [None, None]


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_a_checkpointed_block_is_run_again(backend: str) -> None:
    layer = sluice.nn.GRU(3, 5)
    block: Callable[[Tensor], Tensor] = lambda x: layer(x.tanh())[0].sin()  # noqa: E731
    x = torch.randn(6, 3, 3, requires_grad=True)
    expected = torch.autograd.grad(block(x).sum(), [x, *layer.parameters()])
    torch._dynamo.reset()
    again = lambda x: checkpoint(block, x, use_reentrant=False)  # noqa: E731
    run = torch.compile(again, backend=backend)
    found = torch.autograd.grad(run(x).sum(), [x, *layer.parameters()])
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_a_recorder_refuses_a_compiled_program() -> None:
    layer, x = sluice.nn.GRU(3, 5), torch.randn(4, 2, 3)
    compiled = compile_whole(layer)
    y = compiled(x)[0]
    with sluice.record(layer) as tape:
        layer(x)
        with pytest.raises(RuntimeError, match=r"sluice\.record cannot look into torch\.compile"):
            compiled(x + 1)
    with pytest.raises(RuntimeError, match="recorded nothing"):
        tape.h  # noqa: B018  # the call before is not taken for this one
    assert torch.equal(compiled(x)[0], y)


def test_lengths_beyond_the_input_are_refused() -> None:
    layer = sluice.nn.GRU(3, 5)
    compiled = compile_whole(layer)
    x = torch.randn(4, 2, 3)
    compiled(x, lengths=torch.tensor([4, 2]))
    with pytest.raises(ValueError, match="lengths"):
        compiled(x, lengths=torch.tensor([5, 2]))


def test_torch_finds_the_operators_registered_as_it_asks() -> None:
    layer = sluice.nn.GRU(3, 4)
    p = [t.clone().requires_grad_() for t in layer.get_layer_parameters(0)]
    x, h = torch.randn(5, 2, 3, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    inputs: tuple[Any, ...] = (layer.cell.text, [3, 4, 0], x, [h], p, [], None, None, [], False)
    torch.library.opcheck(torch.ops.sluice.run.default, (*inputs, "float32"))
    torch.library.opcheck(torch.ops.sluice.run.default, inputs)  # as older programs call it
    plain = (*inputs[:2], x.detach(), [h.detach()], [t.detach() for t in p], *inputs[5:])
    torch.library.opcheck(torch.ops.sluice.run_pass.default, (*plain, "float32", False))
    y, last, tape = torch.ops.sluice.run_pass(*plain, "float32", True)
    upstream, needs = [torch.randn_like(y), None], [True, True, True, False, True, True]
    torch.library.opcheck(
        torch.ops.sluice.backpropagate.default,
        (*plain, "float32", tape, y, upstream, needs),
        test_utils=("test_schema", "test_faketensor"),
    )
    gradients = [torch.randn_like(y), torch.randn_like(last)]
    found = torch.ops.sluice.run_backward(*plain, gradients)
    own = torch.ops.sluice.run(*inputs)
    expected = torch.autograd.grad(own, [x, h, *p], gradients)
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.equal(mine, theirs)
