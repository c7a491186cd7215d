"""Settings that every test shares."""

import signal

import pytest
import torch

import built_kernels  # noqa: F401
from sluice.run.kernels import extension


@pytest.fixture(autouse=True, scope="session")
def _use_one_thread() -> None:
    """Tensors in tests are small: more threads only wait for each other on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _share_little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "MULTIPLICATIONS_PER_THREAD", 1)


@pytest.fixture(autouse=True, scope="session")
def _interrupts_are_handled() -> None:
    """A shell that starts tests in the background makes them ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _set_seed() -> None:
    torch.manual_seed(0)
