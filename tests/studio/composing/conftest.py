"""A composing process as a studio starts it, and the models that it holds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from composing_process import save_small_model, start_process
from sluice.studio.composing.client import ComposingClient
from sluice.studio.composing.config import ComposingConfig
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.inputs import find_checkpoint


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundled model and a small one, which has a card."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copy(find_checkpoint(), folder / "a-bundled.safetensors")
    save_small_model(folder / "small.safetensors")
    (folder / "small.md").write_text("# A small model\n\nIt knows nothing.\n")
    return folder


@pytest.fixture(scope="session")
def small_model(models: Path) -> Path:
    """A folder with the small model alone."""
    folder = models / "small"
    folder.mkdir()
    shutil.copy(models / "small.safetensors", folder)
    return folder


@pytest.fixture(scope="session")
def composing_address(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[str]:
    """The address of a process with both models."""
    path = tmp_path_factory.mktemp("composing") / "socket"
    with start_process(ComposingConfig(f"unix:{path}", models, parent=os.getpid())) as started:
        yield started[1]


@pytest.fixture
def client_of_process(composing_address: str) -> ComposingClient:
    return ComposingClient([composing_address], patience=2.0)


@pytest.fixture(scope="session")
def bundled() -> Composer:
    return Composer.load()


@pytest.fixture(scope="session")
def small(models: Path) -> Composer:
    return Composer.load(models / "small.safetensors")
