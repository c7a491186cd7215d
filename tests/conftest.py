"""Settings that every test shares."""

import signal

import pytest
import torch

import built_kernels  # noqa: F401
from sluice.run.kernels import extension


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tensors in tests are small: more threads only wait for each other on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _little_work_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "MULTIPLICATIONS_PER_THREAD", 1)


@pytest.fixture(autouse=True, scope="session")
def _interrupts_are_heard() -> None:
    """A shell that starts tests in the background has them ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
