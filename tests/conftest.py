"""Settings that every test shares."""

import os

import pytest
import torch

import sluice

# A folder with kernels to test in place of the installed ones, such as `make sanitize` builds.
if folder := os.environ.get("SLUICE_KERNELS"):
    sluice.__path__.insert(0, folder)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tensors in tests are small: more threads only wait for each other on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
