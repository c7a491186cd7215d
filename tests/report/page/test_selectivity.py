"""Selective units and matching spans, on synthetic values."""

from __future__ import annotations

import torch

from sluice.report.page import ReportInputs
from sluice.report.page.forward import StateDataset
from sluice.report.page.selectivity import find_selective_units, find_spans, span_edges
from sluice.report.properties import text_properties


def make_tape(values: torch.Tensor) -> StateDataset:
    lengths = torch.full((values.shape[1],), values.shape[0])
    return StateDataset({"l0": values}, lengths, list(range(values.shape[1])))


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


def test_matches_of_a_span_exclude_the_span_itself() -> None:
    values = torch.zeros(24, 2, 3)
    values[4:8, 0, 1] = values[12:16, 1, 1] = 5.0
    first = find_spans(make_tape(values), {"l0": values[:, :1]}, [0, 4, 8, 24], sequence=0, first=0)
    found = {span.start: span for span in first}
    assert found[4].units == [1] and found[0].units == []
    best = found[4].matches[0]
    assert (best.sequence, best.start, best.stop, best.units) == (1, 12, 16, 1)
    assert all(match.sequence == 1 or match.start >= 8 for match in found[4].matches)


def test_spans_begin_at_marks_or_every_eight_steps() -> None:
    assert span_edges(None, 10, 30) == [0, 8, 16, 20]
    assert span_edges([0, 12, 15, 40], 10, 30) == [0, 2, 5, 20]


def test_properties_of_text() -> None:
    text = text_properties([list('He said "no (not\nme)" X')])
    assert text["inside brackets"][0].nonzero().flatten().tolist() == [12, 13, 14, 15, 16, 17, 18]
    assert text["inside double quotes"][0].nonzero().flatten().tolist() == list(range(8, 20))
    assert text["the line ends next"][0].nonzero().flatten().tolist() == [15]
    assert text["a capital letter"][0].nonzero().flatten().tolist() == [0, 22]
