"""Sketches of recorded steps: the numbers on them are those of the tape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import sluice
from sluice import insight
from sluice.insight.sketches import _compute_node_values
from sluice.render.latex import format_equations
from sluice.report import look
from sluice.report.page.cell_figure import build_cell_figure


def numbers(figure: Any) -> list[float]:
    found = [text.get_text().strip("$") for text in figure.axes[0].texts]
    return [
        float(t) for t in found if t.removeprefix("-").replace(".", "").isdecimal() and "." in t
    ]


@pytest.fixture
def model() -> torch.nn.ModuleDict:
    torch.manual_seed(1)
    return torch.nn.ModuleDict(
        {"a": sluice.nn.LSTM(3, 6), "b": sluice.nn.GRU(6, 4, bidirectional=True)}
    )


def run(model: torch.nn.ModuleDict, **options: Any) -> sluice.insight.Tape:
    with torch.no_grad(), sluice.record(model, **options) as tape:
        model["b"](model["a"](torch.randn(9, 2, 3))[0])
    return tape


def test_one_unit_several_and_all(model: torch.nn.ModuleDict) -> None:
    tape = run(model)
    place = tape["a"].layer(0)
    names = ("h", "c", "input", "forget", "candidate", "output")
    for unit, chosen in ((3, [3]), ([1, 4], [1, 4]), (None, list(range(6)))):
        figure = insight.sketch_recorded(tape, "a", step=5, sequence=1, unit=unit)
        expected = [place[name][5, 1, chosen].mean().item() for name in names]
        expected += [place[name][4, 1, chosen].mean().item() for name in ("h", "c")]
        found = numbers(figure)
        for value in expected:
            assert any(abs(value - number) < 0.0051 for number in found), value
    written = [text.get_text() for text in figure.axes[0].texts]
    assert "LSTM a.l0, step 5, sequence 1, mean of all units" in written


def test_unnamed_wires_are_coloured_and_the_reverse_direction_comes_from_behind(
    model: torch.nn.ModuleDict,
) -> None:
    tape = run(model, maps=True)
    graph, back = model["b"].cell.graph, tape["b"].layer(0, reverse=True)
    here = {name: value[4, 0].double() for name, value in back.items()}
    past = {name: value[5, 0].double() for name, value in back.items()}
    found = _compute_node_values(graph, here, past)
    (h,) = graph.state_leaves
    torch.testing.assert_close(found[h], back.h[5, 0].double())  # time runs backwards
    torch.testing.assert_close(
        found[graph.outputs_by_name["h"]],
        (1 - found[graph.outputs_by_name["update"]]) * found[graph.outputs_by_name["candidate"]]
        + found[graph.outputs_by_name["update"]] * found[h],
        rtol=0,
        atol=1e-6,
    )
    elementwise = {node for node in graph.nodes if type(node).__name__ == "Elementwise"}
    assert elementwise <= set(found)
    figure = insight.sketch_recorded(tape, "b", reverse=True, step=4, unit=0)
    assert any(abs(back.h[5, 0, 0].item() - number) < 0.0051 for number in numbers(figure))


def test_the_first_step_and_steps_left_out_have_no_state_before(model: torch.nn.ModuleDict) -> None:
    tape, part = run(model), run(model, layers=["a"], every=4)
    whole = len(numbers(insight.sketch_recorded(tape, "a", step=3, unit=0)))
    assert len(numbers(insight.sketch_recorded(tape, "a", step=0, unit=0))) == whole - 2
    assert len(numbers(insight.sketch_recorded(part, step=4, unit=0))) == whole - 2
    with pytest.raises(
        IndexError, match=r"step must be a recorded one \(every 4th step, 0 to 8\), got 5"
    ):
        insight.sketch_recorded(part, step=5)


def test_from_a_file_and_from_a_folder(model: torch.nn.ModuleDict, tmp_path: Path) -> None:
    tape = run(model, to=tmp_path / "run")
    tape.save(tmp_path / "tape.safetensors")
    graph = model["a"].cell.graph
    expected = numbers(insight.sketch_recorded(tape, "a", step=2, unit=1))
    for path in (tmp_path / "run", tmp_path / "tape.safetensors"):
        assert (
            numbers(insight.sketch_saved_recording(graph, path, "a.l0", step=2, unit=1)) == expected
        )
        with pytest.raises(
            ValueError, match=r"say which layer of .*; it holds a\.l0, b\.l0, b\.l0_r"
        ):
            insight.sketch_saved_recording(graph, path, step=2)
        with pytest.raises(ValueError, match=r"b\.l0 of .* does not run LSTM: it has"):
            insight.sketch_saved_recording(graph, path, "b.l0", step=2)


def test_a_stream(model: torch.nn.ModuleDict) -> None:
    stream = model["a"].stream()
    with sluice.record(stream) as tape:
        for x in torch.randn(3, 1, 3):
            stream(x)
    assert len(numbers(insight.sketch_recorded(tape, step=-1, unit=0))) > 6


def test_unknown_selections_are_refused(model: torch.nn.ModuleDict) -> None:
    tape = run(model)
    for options, message in (
        ({"step": 9}, r"step must be a recorded one \(0 to 8\), got 9"),
        ({"step": 1, "sequence": 2}, "sequence must be from 0 to 1, got 2"),
        ({"step": 1, "unit": 6}, "unit must be from 0 to 5, got 6"),
    ):
        with pytest.raises(IndexError, match=message):
            insight.sketch_recorded(tape, "a", **options)
    with pytest.raises(ValueError, match="choose one of a, b"):
        insight.sketch_recorded(tape, step=1)


@pytest.mark.parametrize("options", [{"bidirectional": True}, {"reverse": True}])
def test_a_layer_that_reads_from_the_end_finds_the_states_of_the_step_after(
    options: Any, tmp_path: Path
) -> None:
    layer = sluice.nn.LSTM(3, 4, **options)
    with sluice.record(layer) as tape:
        layer(torch.randn(6, 2, 3))
    both = "bidirectional" in options
    at: Any = {"step": 2, "sequence": 1, "unit": 3}
    figure = sluice.insight.sketch_recorded(tape, **at, reverse=both)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert {"$c_{t+1}$", "$h_{t+1}$"} < set(written) and "$c_{t-1}$" not in written
    after = tape.layer(0, reverse=both).c[3, 1, 3]
    assert numbers(figure).count(round(float(after), 2)) >= 1
    tape.save(tmp_path / "run")
    label = "l0_reverse" if both else "l0"
    saved = sluice.insight.sketch_saved_recording(
        layer.cell.graph, str(tmp_path / "run"), label, **at, reverse=not both
    )
    assert [text.get_text() for text in saved.axes[0].texts] == written


def test_equations_from_the_end() -> None:
    plain = format_equations(sluice.cells.GRU().graph, reverse=True).plain()
    assert "h_{t+1}" in plain and "t-1" not in plain
    model = torch.nn.Sequential(sluice.nn.GRU(3, 4, bidirectional=True))
    report = look(model, torch.randn(6, 1, 3))
    figures = [place["figure"] for place in report.data["places"]]
    assert figures == ["GRU", "GRU, from the end"]
    shown = build_cell_figure(sluice.cells.GRU().graph, reverse=True)
    assert shown["name"] == figures[1] and shown["plain"] == plain
