import pytest
import torch

from sluice.sequence import CheckpointError
from sluice.sequence.compression import compress_weights, decompress_weights

WEIGHTS = {"matrix": torch.randn(5, 40) * torch.tensor([[1e-3], [1.0], [50.0], [0.0], [7.0]]),
           "vector": torch.randn(40) * 1e6}  # fmt: skip


def test_no_compression_by_default() -> None:
    assert all(compress_weights(WEIGHTS, None)[name] is tensor for name, tensor in WEIGHTS.items())


def test_int8_moves_a_weight_by_half_a_step_of_its_row() -> None:
    written = compress_weights(WEIGHTS, "int8")
    assert written["matrix"].dtype == torch.int8
    found = decompress_weights(written)
    steps = WEIGHTS["matrix"].abs().amax(dim=1, keepdim=True) / 127
    assert ((found["matrix"] - WEIGHTS["matrix"]).abs() <= steps * 0.5001).all()
    assert found["matrix"][3].eq(0).all()
    torch.testing.assert_close(found["vector"], WEIGHTS["vector"], rtol=0, atol=0)
    assert found.keys() == WEIGHTS.keys()


def test_float16_is_torchs_rounding_of_matrices() -> None:
    written = compress_weights(WEIGHTS, "float16")
    assert written["matrix"].dtype == torch.float16
    found = decompress_weights(written)
    torch.testing.assert_close(found["matrix"], WEIGHTS["matrix"].half().float(), rtol=0, atol=0)
    torch.testing.assert_close(found["vector"], WEIGHTS["vector"], rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "value"), [("float16", 1e5), ("int8", float("nan"))])
def test_invalid_arguments_are_refused(dtype: str, value: float) -> None:
    with pytest.raises(CheckpointError, match=f"matrix has values that {dtype} cannot represent"):
        compress_weights({"matrix": torch.full((2, 2), value)}, dtype)


def test_another_dtype_and_lost_scales_are_refused() -> None:
    with pytest.raises(CheckpointError, match="float16, int8 or None, got 'int4'"):
        compress_weights(WEIGHTS, "int4")
    written = compress_weights(WEIGHTS, "int8")
    del written["scales of matrix"]
    with pytest.raises(CheckpointError, match="scales of matrix are missing"):
        decompress_weights(written)
