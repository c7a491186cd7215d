"""What a monitor accepts and refuses, how often it looks, and its file."""

import json
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

import sluice
from sluice.insight import JournalReader, Monitor, MonitorError, Observation
from sluice.insight.monitor.journal import JournalWriter, find_journal
from sluice.insight.monitor.schedule import GRACE, ObservationSchedule


class Clock:
    """Seconds that pass when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def run(monitor: Monitor, layer: nn.Module, steps: int = 1) -> None:
    for _ in range(steps):
        with monitor.observe():
            layer(torch.randn(6, 2, 3))[0].sum().backward()


@pytest.mark.parametrize("seconds, extra", [(0.1, 0.05), (0.001, 0.01), (2.0, 1.0)])
def test_observing_stays_within_its_share_of_the_time(seconds: float, extra: float) -> None:
    schedule, spent, trained, observed = ObservationSchedule(None, 0.025), 0.0, 0.0, 0
    while trained < 300:
        trained += seconds
        if schedule.is_due():
            observed += 1
            # The first one compiles, which is not told of the budget.
            cost = extra if observed > 1 else 5.0
            spent += cost if observed > 1 else 0.0
            schedule.add_observed(seconds, cost)
        else:
            schedule.add_plain(seconds)
        assert spent <= 0.025 * (trained + GRACE) + 1e-9
    assert schedule.cost.setup == pytest.approx(5.0)
    assert 0.015 < schedule.cost.share < 0.03 and schedule.cost.share == pytest.approx(
        spent / trained, rel=0.02
    )


def test_the_first_steps_say_what_a_step_takes() -> None:
    schedule = ObservationSchedule(None, 0.025)
    due = []
    for seconds in (9.0, 3.0, 0.1, 0.1, 0.1, 0.1, 0.1):
        due.append(schedule.is_due())
        schedule.add_plain(seconds)
    assert due == [False] * 5 + [True, True]  # nothing was observed in between


def test_every_observes_just_those_steps() -> None:
    layer = sluice.nn.GRU(3, 4)
    monitor = Monitor(layer, every=3)
    run(monitor, layer, 8)
    assert [one.step for one in monitor.observations] == [1, 4, 7]


@pytest.mark.parametrize(
    "model, words",
    [
        (nn.LSTM(3, 4), "holds no recurrent layer of sluice.nn.*sluice.nn.convert"),
        (nn.Linear(3, 4), "holds no recurrent layer"),
        (torch.compile(sluice.nn.LSTM(3, 4), backend="eager"), "compiled"),
    ],
)
def test_what_cannot_be_looked_into_is_refused(model: nn.Module, words: str) -> None:
    with pytest.raises(MonitorError, match=words):
        Monitor(model)


@pytest.mark.parametrize(
    "options", [{"every": 0}, {"budget": 0.0}, {"budget": 1.5}, {"sequences": 0}, {"patience": 0}]
)
def test_arguments_out_of_range_are_refused_by_name(options: dict[str, float]) -> None:
    with pytest.raises(MonitorError, match=f"{next(iter(options))} must be"):
        Monitor(sluice.nn.LSTM(3, 4), **options)


def test_layers_of_torch_beside_ours_are_named() -> None:
    said: list[str] = []
    Monitor(nn.ModuleList([sluice.nn.LSTM(3, 4), nn.GRU(4, 4)]), on_message=said.append)
    assert said == [
        "The gates of 1, a GRU of torch's, cannot be seen; sluice.nn.convert(model) makes it one "
        "of Sluice's with the same weights."
    ]


def test_a_block_in_which_nothing_ran_says_so_once() -> None:
    said: list[str] = []
    monitor = Monitor(sluice.nn.LSTM(3, 4), every=1, on_message=said.append)
    for _ in range(2):
        with monitor.observe():
            pass
    assert len(said) == 1 and said[0].startswith("Nothing was seen") and not monitor.observations


def test_an_error_in_the_block_passes_and_the_next_step_is_observed() -> None:
    layer = sluice.nn.LSTM(3, 4)
    monitor = Monitor(layer, every=1)
    with pytest.raises(ZeroDivisionError), monitor.observe():
        raise ZeroDivisionError
    run(monitor, layer)
    assert [one.step for one in monitor.observations] == [2]


def test_without_a_backward_pass_there_are_values_and_no_gradients() -> None:
    layer = sluice.nn.LSTM(3, 4)
    monitor = Monitor(layer, every=1)
    with monitor.observe(), torch.no_grad():
        layer(torch.randn(6, 2, 3))
    seen = monitor.observations[0].layers["l0"]
    assert seen.values["forget"].gradient is None and seen.flow == () and seen.timescales


def test_a_line_of_the_journal_is_the_observation(tmp_path: Path) -> None:
    path = tmp_path / "new" / "monitor.jsonl"
    layer = sluice.nn.LSTM(3, 4, 2)
    layer.backend = "reference"  # some kernels' sigmoid ends one unit in the last place below 1
    with torch.no_grad():
        layer.bias_ih_l0[4:8] = 200.0  # an infinite timescale
    monitor = Monitor(layer, every=1, journal=path, on_message=lambda message: None)
    run(monitor, layer, 3)
    monitor.close("budget")
    begin, *lines, end = path.read_text().splitlines()
    assert json.loads(begin) == {"event": "begin", "format": 1, "step": 0}
    assert json.loads(end) == {"event": "end", "reason": "budget"}
    for line, one in zip(lines, monitor.observations, strict=True):
        found = Observation.from_json(json.loads(line, parse_constant=pytest.fail))
        assert found.to_json() == line == one.to_json()
        assert found.layers["l0"].timescales == (float("inf"),) * 3
    reader = JournalReader(path)
    assert reader.read() and not reader.read()
    assert [one.step for one in reader.observations] == [1, 2, 3] and reader.end == "budget"


def make_observation(step: int) -> Observation:
    return Observation(step=step, seconds=0.0, share=0.0, layers={})


def test_a_resumed_training_continues_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "monitor.jsonl"
    first = JournalWriter(path, 0)
    for step in (5, 10, 15):
        first.write(make_observation(step))
    with path.open("a") as file:
        file.write('{"step": 20, "seco')  # killed here
    reader = JournalReader(path)
    reader.read()
    assert [one.step for one in reader.observations] == [5, 10, 15]
    second = JournalWriter(path, 11)  # its checkpoint was older
    second.write(make_observation(12))
    reader.read()
    assert [one.step for one in reader.observations] == [5, 10, 12]
    assert (reader.skipped, reader.end) == (1, None)
    anew = JournalReader(path)
    anew.read()
    assert [one.step for one in anew.observations] == [5, 10, 12]


def test_a_new_training_replaces_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "monitor.jsonl"
    for steps in ((5, 10, 15), (3,)):
        writer = JournalWriter(path, 0)
        for step in steps:
            writer.write(make_observation(step))
        if steps[0] == 5:
            (reader := JournalReader(path)).read()
    reader.read()
    assert [one.step for one in reader.observations] == [3]


def test_lines_that_are_something_else_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "monitor.jsonl"
    good = make_observation(4).to_json()
    path.write_bytes(b"\n".join([b"[1]", b"\xff\xfe", b"{}", good.encode(), b"null", b""]))
    reader = JournalReader(path)
    reader.read()
    assert [one.step for one in reader.observations] == [4] and reader.skipped == 4


def test_a_journal_is_found_in_its_folder_or_missed_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (path := tmp_path / "training" / "monitor.jsonl").touch()
    assert find_journal(tmp_path) == find_journal(str(path)) == path
    with pytest.raises(MonitorError, match=r"There is no folder .*--watch"):
        find_journal(tmp_path / "elsewhere")
    path.unlink()
    with pytest.raises(MonitorError, match=r"There is no monitor.jsonl in .*--watch"):
        find_journal(tmp_path)


@pytest.mark.parametrize("layers, width", [(2, 80), (5, 100)])
def test_the_display_fits_its_width_and_names_every_gate(layers: int, width: int) -> None:
    layer = sluice.nn.LSTM(3, 4, layers)
    monitor = Monitor(layer, every=1, settle=0, patience=1, on_message=lambda message: None)
    run(monitor, layer, 4)
    console = Console(width=width, file=StringIO())
    console.print(monitor)
    text = console.file.getvalue()
    assert text.startswith("Step 4")
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    for name in ("forget", "input", "output", *(f"l{k}" for k in range(layers))):
        assert name in text
