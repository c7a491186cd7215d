"""Models of piano rolls begin from how often each key sounds."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.sequence import load_data, make_task
from sluice.sequence.models import ChoraleConfig, ChoraleModel


def test_a_task_begins_from_the_frequencies_of_its_training_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pieces = [[sorted(set(rng.integers(40, 70, 3).tolist())) for _ in range(9)] for _ in range(12)]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"train": pieces[:9], "valid": pieces[9:]}))
    task = make_task(load_data(path))
    rolls = np.zeros((81, 88))
    for step, keys in enumerate(step for piece in pieces[:9] for step in piece):
        rolls[step, np.array(keys) - 21] = 1
    expected = (rolls.sum(axis=0) + 0.5) / 82
    model = task.model.eval()
    with torch.no_grad():
        model.readout.weight.zero_()
        logits, _ = model(torch.zeros(4, 2, 88))
    np.testing.assert_allclose(logits.sigmoid()[2, 1], expected, rtol=1e-5)


def test_unknown_steps_do_not_count() -> None:
    model = ChoraleModel(ChoraleConfig(features=2, hidden_size=4))
    model.fit_frequencies(torch.tensor([[1.0, 0.0], [float("nan"), 0.0], [1.0, 1.0]]))
    assert model.readout.bias.sigmoid().tolist() == pytest.approx([2.5 / 3, 1.5 / 4])
