"""What several tests of the kernels are given."""

from collections.abc import Iterator

import pytest

from sluice.run.kernels import extension


@pytest.fixture(params=["generic", "v3", "avx512", "avx512_bf16"])
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each instruction set in turn, as SLUICE_ISA chooses it."""
    if request.param not in extension._import_extension("generic").supported():
        pytest.skip(f"this processor lacks {request.param}")
    monkeypatch.setenv("SLUICE_ISA", request.param)
    extension.load_extension.cache_clear()
    yield request.param
    extension.load_extension.cache_clear()
