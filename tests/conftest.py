"""Settings that every test shares."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
import torch


def _take(path: Path) -> None:
    name = f"sluice.{path.name.partition('.')[0]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


# A folder with kernels to test in place of the installed ones, such as `make sanitize` builds.
for _path in Path(os.environ.get("SLUICE_KERNELS", os.devnull)).glob("_kernels_*.so"):
    _take(_path)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tensors in tests are small: more threads only wait for each other on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
