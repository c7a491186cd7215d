"""`additive_attention` against a composition of torch's operations, written here."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from sluice.nn import AdditiveAttention, additive_attention
from sluice.run.kernels import attention as kernels
from sluice.run.kernels import extension

SIZES = [(1, 1, 1, 1, 1), (5, 3, 7, 19, 4), (3, 2, 4, 64, 6), (1, 9, 2, 33, 3), (9, 1, 5, 16, 2)]
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}


def compose(
    queries: Tensor, keys: Tensor, values: Tensor, vector: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """One query of one sequence at a time."""
    contexts, weights = [], []
    nothing = 0 * sum(t.sum() for t in (queries, keys, values, vector))  # of which all are parts
    for b in range(queries.shape[1]):
        read = [s for s in range(len(keys)) if mask is None or mask[s, b]]
        for t in range(len(queries)):
            row = queries.new_zeros(len(keys)) + nothing
            context = queries.new_zeros(values.shape[2]) + nothing
            if read:
                scores = torch.stack([(queries[t, b] + keys[s, b]).tanh() @ vector for s in read])
                row = row.index_copy(0, torch.tensor(read), scores.softmax(0))
                context = row[read] @ values[read, b]
            contexts.append(context)
            weights.append(row)
    shape = (queries.shape[1], len(queries), -1)
    return tuple(torch.stack(x).view(shape).transpose(0, 1) for x in (contexts, weights))


def draw(sizes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    time, batch, steps, width, features = sizes
    shapes = (time, batch, width), (steps, batch, width), (steps, batch, features), (width,)
    return [torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes]


def differentiate(function: Callable[..., Any], tensors: list[Tensor], mask: Any) -> list[Tensor]:
    contexts, weights = function(*tensors, mask)
    torch.manual_seed(1)
    upstream = [torch.randn(y.shape, dtype=y.dtype) for y in (contexts, weights)]
    return [contexts, weights, *torch.autograd.grad((contexts, weights), tensors, upstream)]


def masks(steps: int, batch: int) -> list[Tensor | None]:
    lengths = torch.arange(batch) * 2 % (steps + 1)  # the first sequence has no step
    return [None, torch.arange(steps)[:, None] < lengths, torch.rand(steps, batch) < 0.6]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", SIZES)
def test_values_and_gradients_are_the_compositions(
    sizes: tuple[int, ...], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")
    tensors = draw(sizes, dtype)
    for mask in masks(sizes[2], sizes[1]):
        found = differentiate(additive_attention, tensors, mask)
        expected = differentiate(compose, tensors, mask)
        assert found[0].grad_fn is not None and "AttentionFunction" in found[0].grad_fn.name()
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_gradients_are_those_of_differences_and_can_be_differentiated_again() -> None:
    tensors = draw((3, 2, 4, 5, 3))
    for mask in masks(4, 2):
        run = lambda *all_four: additive_attention(*all_four, mask)  # noqa: B023, E731
        assert torch.autograd.gradcheck(run, tensors)
        assert torch.autograd.gradgradcheck(run, tensors)


@pytest.mark.parametrize("used", [0, 1])
def test_one_of_the_two_results_may_have_no_gradient(used: int) -> None:
    tensors = draw((3, 2, 4, 5, 3))
    mask = masks(4, 2)[1]
    found = additive_attention(*tensors, mask)[used].square().sum()
    expected = compose(*tensors, mask)[used].square().sum()
    of_found = torch.autograd.grad(found, tensors, allow_unused=True)
    of_expected = torch.autograd.grad(expected, tensors, allow_unused=True)
    for one, other in zip(of_found, of_expected, strict=True):
        assert other is not None
        torch.testing.assert_close(torch.zeros_like(other) if one is None else one, other)


@pytest.mark.parametrize("place", range(4))
def test_a_tensor_without_gradient_needs_none(place: int) -> None:
    tensors = draw((3, 2, 4, 5, 3))
    fixed = [t.detach() if k == place else t for k, t in enumerate(tensors)]
    rest = [t for k, t in enumerate(fixed) if k != place]
    grads = [
        torch.autograd.grad(f(*fixed, None)[0].square().sum(), rest)
        for f in (additive_attention, compose)
    ]
    torch.testing.assert_close(*grads)


def test_what_is_not_read_has_no_influence() -> None:
    tensors = draw((3, 2, 4, 5, 3))
    mask = torch.tensor([[True, False], [True, False], [False, False], [True, False]])
    expected = differentiate(additive_attention, tensors, mask)
    spoiled = [t.detach().clone() for t in tensors]
    for k in (1, 2):
        spoiled[k][~mask] = torch.nan
    found = differentiate(additive_attention, [t.requires_grad_() for t in spoiled], mask)
    assert all(one.equal(other) for one, other in zip(found, expected, strict=True))
    assert found[0][:, 1].eq(0).all() and found[1][:, 1].eq(0).all()


def test_other_memory_layouts_are_read_and_given_gradients() -> None:
    tensors = draw((3, 2, 4, 5, 3))
    strided = [
        t.detach().transpose(0, -1).contiguous().transpose(0, -1).requires_grad_() for t in tensors
    ]
    assert not strided[0].is_contiguous()
    for mask in (None, masks(4, 2)[1]):
        one = differentiate(additive_attention, strided, mask)
        other = differentiate(additive_attention, tensors, mask)
        assert all(a.equal(b) for a, b in zip(one, other, strict=True))


def test_results_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "_threads", 1)
    for sizes in SIZES:
        tensors, mask = draw(sizes, torch.float32), masks(sizes[2], sizes[1])[2]
        expected = differentiate(additive_attention, tensors, mask)
        for threads in (2, 3, 8):
            extension.set_num_threads(threads)
            found = differentiate(additive_attention, tensors, mask)
            assert all(one.equal(other) for one, other in zip(found, expected, strict=True))
        extension.set_num_threads(1)


def test_scores_do_not_depend_on_the_batch_or_time() -> None:
    queries, keys, _, vector = (t.detach() for t in draw((5, 4, 6, 40, 1), torch.float32))
    whole = kernels.compute_scores(queries, keys, vector, None)
    for b in range(4):
        alone = kernels.compute_scores(queries[2:3, b : b + 1], keys[:3, b : b + 1], vector, None)
        assert alone[0, 0].equal(whole[2, b, :3])


@pytest.mark.parametrize("isa", ["generic", "v3", "avx512", "avx512_bf16"])
def test_every_instruction_set(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    generic = extension._import_extension("generic")
    if generic is None or isa not in generic.supported():
        pytest.skip(f"no {isa} here")
    module = extension._import_extension(isa)
    assert module is not None
    monkeypatch.setattr(extension, "load_extension", lambda: module)
    tensors, mask = draw((3, 2, 4, 37, 3), torch.float32), masks(4, 2)[2]
    found = differentiate(additive_attention, tensors, mask)
    for one, other in zip(found, differentiate(compose, tensors, mask), strict=True):
        torch.testing.assert_close(one, other, rtol=2e-5, atol=2e-5)


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # of jvp
def test_transforms_batched_gradients_and_traces_run_the_composition() -> None:
    tensors = draw((3, 2, 4, 5, 3))
    mask = masks(4, 2)[1]
    expected = additive_attention(*tensors, mask)

    def run(*all_four: Tensor) -> Tensor:
        return additive_attention(*all_four, mask)[0]

    of_queries = torch.func.grad(lambda q: run(q, *tensors[1:]).square().sum())(tensors[0])
    by_autograd = torch.autograd.grad(expected[0].square().sum(), tensors[0], retain_graph=True)
    torch.testing.assert_close(of_queries, by_autograd[0])
    many = torch.stack([tensors[0], 2 * tensors[0]])
    mapped = torch.func.vmap(lambda q: run(q, *tensors[1:]))(many)
    torch.testing.assert_close(mapped[1], run(many[1], *tensors[1:]))
    upstream = torch.randn(3, *expected[0].shape, dtype=torch.float64)
    batched = torch.autograd.grad(expected[0], tensors, upstream, True, is_grads_batched=True)
    alone = torch.autograd.grad(expected[0], tensors, upstream[1])
    for one, other in zip(batched, alone, strict=True):
        torch.testing.assert_close(one[1], other)
    _, dual = torch.func.jvp(lambda q: run(q, *tensors[1:]), (tensors[0],), (many[1],))
    assert dual.isfinite().all() and dual.abs().sum() > 0


def test_a_compiled_exported_or_cast_module_gives_the_same() -> None:
    attention = AdditiveAttention(8, 6, hidden=10)
    queries, memory, lengths = torch.randn(3, 2, 8), torch.randn(5, 2, 6), torch.tensor([5, 2])
    expected = attention(queries, memory, lengths)
    compiled = torch.compile(attention, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(queries, memory, lengths), expected)
    exported = torch.export.export(attention, (queries, memory, lengths)).module()
    torch.testing.assert_close(exported(queries, memory, lengths), expected)
    with torch.autocast("cpu", torch.bfloat16):
        cast = attention(queries, memory, lengths)
    torch.testing.assert_close(cast[0].float(), expected[0], rtol=0.1, atol=0.05)


def test_lengths_and_a_mask_together() -> None:
    attention = AdditiveAttention(8, 6)
    queries, memory = torch.randn(3, 2, 8), torch.randn(5, 2, 6)
    mask = torch.rand(5, 2) < 0.7
    lengths = torch.tensor([9, 2])
    both = mask & (torch.arange(5)[:, None] < lengths)
    _, weights = attention(queries, memory, lengths, mask)
    assert weights.ne(0).equal(both.T.expand_as(weights))


@pytest.mark.parametrize(
    ("place", "shape", "message"),
    [
        (0, (3, 2, 6), "queries, keys, values and vector must be"),
        (1, (4, 3, 5), "queries, keys, values and vector must be"),
        (3, (5, 1), "queries, keys, values and vector must be"),
        (4, (4, 3), "mask must be boolean of shape"),
    ],
)
def test_shapes_that_do_not_agree_are_refused(
    place: int, shape: tuple[int, ...], message: str
) -> None:
    arguments: list[Any] = [*draw((3, 2, 4, 5, 3)), torch.ones(4, 2, dtype=torch.bool)]
    arguments[place] = torch.ones(shape, dtype=arguments[place].dtype)
    with pytest.raises(ValueError, match=message):
        additive_attention(*arguments)
    with pytest.raises(ValueError, match="mask must be boolean"):
        additive_attention(*draw((3, 2, 4, 5, 3)), torch.ones(4, 2))


def test_empty_sizes_run_the_composition() -> None:
    contexts, weights = additive_attention(*draw((0, 2, 4, 5, 3)))
    assert contexts.shape == (0, 2, 3) and weights.shape == (0, 2, 4)
