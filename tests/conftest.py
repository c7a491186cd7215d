"""Settings that every test shares.

``SLUICE_TEST_TEAM`` selects the threads that kernels run on where tests ask for several: their own
(the default, as torch has one thread here), those of torch's OpenMP runtime (``openmp``), or either
by turns (``alternating``). See ``make test-teams``.
"""

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
import torch

import built_kernels  # noqa: F401
from sluice.run.kernels import extension

TEAM = os.environ.get("SLUICE_TEST_TEAM", "own")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test comes first: begun last, it would run alone."""
    items.sort(key=lambda item: "test_the_site_builds" not in item.name)


def pytest_collection_finish() -> None:
    """The collector no longer walks through all modules and tests, which stay to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _use_one_thread() -> None:
    """Tensors in tests are small: more threads only wait for each other on a busy machine."""
    torch.set_num_threads(1 if TEAM == "own" else 2)


@pytest.fixture(autouse=True, scope="session")
def _alternate_teams() -> Iterator[None]:
    """Whose threads a job runs on then depends on when it starts."""
    stop, kernels = threading.Event(), extension.load_extension()

    def switch() -> None:
        while not stop.wait(0.0005):
            kernels.use_openmp(time.perf_counter_ns() % 2 == 0)

    switching = threading.Thread(target=switch, daemon=True)
    if TEAM == "alternating":
        switching.start()
    yield
    stop.set()


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
