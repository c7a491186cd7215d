from pathlib import Path

import pytest

from sluice.sequence import (
    Checkpoint,
    CheckpointError,
    LanguageModel,
    LanguageModelConfig,
    Vocabulary,
)
from sluice.tunes.composition import inputs
from sluice.tunes.errors import TuneError


def test_the_bundled_model_is_named_shipped() -> None:
    loaded = inputs.load_trained(inputs.SHIPPED)
    assert isinstance(loaded.model, LanguageModel) and "M:6/8" in loaded.vocabulary


def test_models_that_cannot_be_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=r"no file of weights at .*nowhere"):
        inputs.load_trained(tmp_path / "nowhere")
    path = tmp_path / "text.safetensors"
    model = LanguageModel(LanguageModelConfig(5, embedding_size=4, hidden_size=4))
    Checkpoint(model, Vocabulary(("a", "b"))).save(path)
    with pytest.raises(TuneError, match="not of tunes"):
        inputs.load_trained(path)
    monkeypatch.setattr(inputs, "_find_shipped", lambda: None)
    with pytest.raises(TuneError, match="no model of tunes"):
        inputs.load_trained(inputs.SHIPPED)
