"""The cross-entropy by blocks against torch's of all logits."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sluice.sequence.batch import Batch
from sluice.sequence.models import (
    LanguageModel,
    LanguageModelConfig,
    Seq2Seq,
    Seq2SeqConfig,
    cross_entropy,
)
from sluice.sequence.models.cross_entropy import sum_cross_entropy


@pytest.fixture(autouse=True)
def _use_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that little work has several blocks: 64 rows, the last one shorter."""
    monkeypatch.setattr(cross_entropy, "_BLOCK", 64)


def draw(dtype: torch.dtype, rows: int = 75, has_bias: bool = True) -> list[Any]:
    hidden, weight, bias = (
        torch.randn(shape, dtype=dtype).requires_grad_() for shape in ((rows, 2, 5), (7, 5), (7,))
    )
    return [hidden, weight, bias if has_bias else None, torch.randint(0, 7, (rows, 2))]


def compose(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ignore_index: int,
    label_smoothing: float = 0.0,
) -> Tensor:
    return functional.cross_entropy(
        functional.linear(hidden, weight, bias).flatten(0, 1),
        targets.flatten(),
        ignore_index=ignore_index,
        reduction="sum",
        label_smoothing=label_smoothing,
    )


@pytest.mark.parametrize("ignore_index", [0, -1])
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_sum_and_its_gradients(dtype: torch.dtype, has_bias: bool, ignore_index: int) -> None:
    given = draw(dtype, has_bias=has_bias)
    wanted = [t for t in given[:3] if t is not None]
    found, expected = (f(*given, ignore_index) for f in (sum_cross_entropy, compose))
    assert found.grad_fn.name() == "_CrossEntropyFunctionBackward"
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(-1.5 * y, wanted) for y in (found, expected)]
    torch.testing.assert_close(
        *gradients, rtol=1e-5, atol=1e-5 if dtype == torch.float32 else 1e-12
    )
    with torch.no_grad():
        torch.testing.assert_close(sum_cross_entropy(*given, ignore_index), expected)


def test_smoothed_targets_and_their_gradients() -> None:
    given = draw(torch.float64)
    found, expected = (f(*given, 0, 0.3) for f in (sum_cross_entropy, compose))
    assert found.grad_fn.name() == "_CrossEntropyFunctionBackward"
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(y, given[:3]) for y in (found, expected)))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_differences_and_second_derivatives(label_smoothing: float) -> None:
    hidden, weight, bias, targets = draw(torch.float64, rows=35)

    def run(*three: Tensor) -> Tensor:
        return sum_cross_entropy(*three, targets, 0, label_smoothing)

    assert torch.autograd.gradcheck(run, (hidden, weight, bias), fast_mode=True)
    assert torch.autograd.gradgradcheck(run, (hidden, weight, bias), fast_mode=True)


@pytest.mark.parametrize("place", range(3))
def test_what_needs_no_gradient_has_none(place: int) -> None:
    given = draw(torch.float64)
    given[place] = given[place].detach()
    wanted = [t for k, t in enumerate(given[:3]) if k != place]
    gradients = [torch.autograd.grad(f(*given, 0), wanted) for f in (sum_cross_entropy, compose)]
    torch.testing.assert_close(*gradients)


def test_no_target_at_all() -> None:
    given = draw(torch.float64)
    found = sum_cross_entropy(*given[:3], torch.zeros_like(given[3]), 0)
    assert found == 0
    assert all(g.eq(0).all() for g in torch.autograd.grad(found, given[:3]))


def test_rows_without_a_target_are_not_read() -> None:
    given = draw(torch.float64)
    expected = torch.autograd.grad(sum_cross_entropy(*given, 0), given[:3])
    spoiled = given[0].detach().masked_fill(given[3].eq(0)[..., None], torch.nan).requires_grad_()
    found = sum_cross_entropy(spoiled, *given[1:], 0)
    gradients = torch.autograd.grad(found, [spoiled, *given[1:3]])
    torch.testing.assert_close(gradients, expected)


def test_extreme_logits_are_as_torchs() -> None:
    given = draw(torch.float32)
    large = [1e4 * given[0].detach(), *given[1:]]
    torch.testing.assert_close(sum_cross_entropy(*large, 0), compose(*large, 0))


@pytest.mark.filterwarnings("ignore")
def test_transforms_and_compiled_programs_run_the_composition() -> None:
    given = draw(torch.float32)
    expected = compose(*given, 0)
    of_hidden = torch.func.grad(lambda h: sum_cross_entropy(h, *given[1:], 0))(given[0])
    torch.testing.assert_close(of_hidden, torch.autograd.grad(expected, given[0])[0])
    compiled = torch.compile(sum_cross_entropy, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(*given, 0), expected)
    with torch.autocast("cpu", torch.bfloat16):
        cast = sum_cross_entropy(*given, 0)
    torch.testing.assert_close(cast.float(), expected, rtol=0.05, atol=0)


@pytest.mark.parametrize("where", ["model", "readout"])
def test_what_was_added_to_a_call_changes_the_loss(where: str) -> None:
    """A hook on the model, or on the readout of an encoder–decoder, sees every call."""
    tokens = torch.randint(3, 9, (4, 2))
    batch = Batch(tokens, tokens, torch.tensor([4, 4]))
    sizes = {"embedding_size": 5, "hidden_size": 8, "num_layers": 1, "dropout": 0.0}
    models: list[Any] = [Seq2Seq(Seq2SeqConfig(9, 9, **sizes))]
    if where == "model":
        models.append(LanguageModel(LanguageModelConfig(vocabulary_size=9, **sizes)))
    for model in models:
        hooked = model if where == "model" else model.readout

        def flatten(_: object, __: object, found: Any) -> Any:
            return (0 * found[0], found[1]) if where == "model" else 0 * found

        handle = hooked.register_forward_hook(flatten)
        assert model.loss(batch)[0].total.item() == pytest.approx(8 * math.log(9))
        handle.remove()
        assert model.loss(batch)[0].total.item() != pytest.approx(8 * math.log(9))
