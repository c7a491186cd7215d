"""Selective units, on synthetic values."""

from __future__ import annotations

import json
import math

import pytest
import torch

import sluice
from sluice.insight import Probe
from sluice.report.page import ReportInputs, look
from sluice.report.page.forward import StateDataset
from sluice.report.page.selectivity import Selectivity, find_selective_units
from sluice.report.properties import text_properties


def make_tape(values: torch.Tensor) -> StateDataset:
    lengths = torch.full((values.shape[1],), values.shape[0])
    return StateDataset(
        {"l0": values}, {"steps": lengths}, {"l0": "steps"}, list(range(values.shape[1]))
    )


def test_a_unit_that_counts_is_found() -> None:
    lines = [list("one two\nthree\n" * 8) for _ in range(3)]
    properties = text_properties(lines)
    values = torch.randn(len(lines[0]), 3, 6)
    values[..., 4] = -torch.stack(properties["letters since the line began"], 1).float()
    ids = [torch.zeros(len(line), dtype=torch.long) for line in lines]
    inputs = ReportInputs(torch.nn.Identity(), ids, tokens=lines, properties=properties)
    found = {one.name: one for one in find_selective_units(inputs, make_tape(values))}
    line = found["letters since the line began"]
    assert line.units[0] == 4 and line.r[0] < -0.999
    assert line.probe.score > 0.99 and not line.is_class
    assert "inside double quotes" not in found  # it never varies


def test_properties_of_text() -> None:
    text = text_properties([list('He said "no (not\nme)" X')])
    assert text["inside brackets"][0].nonzero().flatten().tolist() == [12, 13, 14, 15, 16, 17, 18]
    assert text["inside double quotes"][0].nonzero().flatten().tolist() == list(range(8, 20))
    assert text["the line ends next"][0].nonzero().flatten().tolist() == [15]
    assert text["a capital letter"][0].nonzero().flatten().tolist() == [0, 22]


def count_letters(lines: int) -> tuple[list[str], torch.Tensor]:
    text = list("one two\nthree\n" * lines)
    return text, text_properties([text])["letters since the line began"][0]


def test_a_property_of_the_cell_state_is_not_judged_by_what_the_gate_lets_out() -> None:
    """A counter in c; h, saturated, is not what units are ranked on, nor what is probed."""
    text, count = count_letters(20)
    letters = sorted(set(text))
    layer = sluice.nn.LSTM(len(letters), 2)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.bias_ih_l0[:] = 9.0  # every gate open, candidate 1: c counts
        layer.weight_ih_l0[[0, 1, 2, 3], letters.index("\n")] = -18.0  # and restarts at a line feed
    ids = torch.tensor([[letters.index(letter)] for letter in text])

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.layer(torch.nn.functional.one_hot(ids, len(letters)).float())[0]

    properties = {"letters since the line began": [count]}
    report = look(Model(), ids, tokens=[text], properties=properties)
    (row,) = [one for one in report.data["followed"] if one["name"] in properties]
    # c from numbers: it counts from 0 at a line feed and to the line's length, as the property.
    assert row["r"][0] > 0.999 and row["score"] > 0.99 > row["control"]
    assert row["verdict"] == "found" and row["words"].startswith("read off the state: R² 1.00")


@pytest.mark.parametrize("events", [(10, 60, 190), (10, 60), (180, 190)])
def test_rare_inputs_make_a_page(events: tuple[int, ...]) -> None:
    x = torch.randn(200, 1, 3)
    x[:, 0, 0] = 0.0
    x[list(events), 0, 0] = 1.0
    report = look(torch.nn.Sequential(sluice.nn.LSTM(3, 8)), x)
    (row,) = [one for one in report.data["followed"] if one["name"] == "input 0"]
    if len(events) == 3:
        assert row["score"] is not None and row["control"] is not None
    else:
        part = "held-out part" if events[-1] < 150 else "part to fit"
        assert row["words"] == f"not measurable: constant in the {part}"
        assert row["score"] is row["control"] is None and row["units"] == []
    json.dumps(dict(report.data), allow_nan=False)


def judge(score: float, control: float, common: float | None) -> tuple[str, str]:
    found = Probe(score, 1.0, control, torch.zeros(2, 1))
    one = Selectivity("l0", "p", found, common is not None, common, [0], [0.5])
    return one.verdict, one.describe()


def test_what_a_layer_knows_is_said_where_the_probe_beats_its_control() -> None:
    assert judge(0.93, 0.55, 0.6) == (
        "found",
        "read off the state: accuracy 0.93, its control 0.55",
    )
    lost = judge(0.4, 0.52, None)
    assert lost == ("not found", "not shown: R² 0.40 does not beat its control 0.52")
    verdict, words = judge(0.904, 0.55, 0.9)
    assert verdict == "not found" and words.endswith("always naming the commonest class, 0.90")
    verdict, words = judge(-0.2, -0.5, None)
    assert verdict == "not found" and words.endswith("does not beat the mean of all, 0.00")
    assert judge(0.9, math.nan, None)[0] == "not measurable"
