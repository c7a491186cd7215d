"""When a GPU's kernels are chosen, and why; the rules alone, which need no GPU."""

from __future__ import annotations

import pytest
import torch

from sluice.run import dispatch
from sluice.run.gpu.measured import PlainCall


def choose(
    dtype: torch.dtype = torch.float32,
    unsupported: str | None = None,
    backend: str | None = None,
    is_lstm: bool = True,
    hidden: int = 128,
    steps: int | None = 100,
    is_plain: bool = True,
) -> dispatch.BackendChoice:
    call = PlainCall(is_lstm, hidden, steps) if is_plain else None
    return dispatch._choose_on_gpu(torch.zeros(1, dtype=dtype), unsupported, backend, call)


def test_what_cudnn_lacks_runs_on_the_kernels() -> None:
    choice = choose(unsupported="the cell MGU")
    assert choice.name == "fused" and "cuDNN lacks the cell MGU" in choice.reason
    assert choice.is_on_gpu and not choice.has_step_kernels


def test_a_layer_can_ask_for_the_kernels() -> None:
    choice = choose(torch.float16, backend="fused", steps=1)
    assert choice.name == "fused" and "layer.backend" in choice.reason


@pytest.mark.parametrize(
    ("dtype", "is_lstm", "hidden", "steps", "expected"),
    [
        (torch.bfloat16, True, 768, 1000, "fused"),
        (torch.bfloat16, True, 768, None, "fused"),
        (torch.bfloat16, True, 768, 4, "native"),
        (torch.bfloat16, True, 4096, 1000, "native"),
        (torch.float16, True, 256, 1000, "native"),
        (torch.float16, False, 256, 1000, "fused"),
        (torch.float32, False, 256, 1000, "fused"),
        (torch.float32, True, 2048, 1000, "native"),
        (torch.float64, True, 256, 1000, "native"),
    ],
)
def test_plain_layers_run_where_they_were_measured_to_be_faster(
    dtype: torch.dtype, is_lstm: bool, hidden: int, steps: int | None, expected: str
) -> None:
    choice = choose(dtype, is_lstm=is_lstm, hidden=hidden, steps=steps)
    assert choice.name == expected, choice
    assert ("were measured" in choice.reason) == (expected == "fused")


def test_autocast_counts_as_the_type_that_it_asks_for() -> None:
    assert choose(hidden=768).name == "native"
    before = torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", True)  # torch.autocast would refuse without a GPU
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    try:
        assert choose(hidden=768).name == "fused"
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_autocast_dtype("cuda", before)


def test_cells_of_one_step_stay_with_torch() -> None:
    assert choose(is_plain=False).name == "native"
