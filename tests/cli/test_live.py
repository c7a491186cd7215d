"""`sluice train --watch` and `sluice look --live`."""

import os
import pty
import termios
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

import sluice
from command import run, sentence
from sluice.cli import live
from sluice.cli.still import StillRenderable
from sluice.insight import JournalReader, Monitor

SMALL = ("--hidden", 8, "--layers", 1, "--batch", 4, "--seq-len", 30, "--dropout", 0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training that was watched."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "poem.txt").write_text("the cat sat on the mat\n" * 40)
    result = run(
        "train", folder / "poem.txt", *SMALL, "--out", folder / "out", "--steps", 12, "--watch",
        "--tensorboard",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder / "out"


def test_training_with_monitor_keeps_what_it_saw(trained: Path) -> None:
    reader = JournalReader(trained / "monitor.jsonl")
    reader.read()
    assert reader.end == "budget" and reader.skipped == 0
    assert reader.observations[0].step == 6
    seen = reader.observations[0].layers["layers.l0"]
    assert (seen.cell, seen.units, seen.flow_steps) == ("LSTM", 8, 30)
    # The gradient is that of the mean loss, as the optimizer sees it, and not of the sum.
    assert 0 < (seen.values["h"].gradient or 0) < 0.1


def test_what_was_seen_is_in_tensorboard(trained: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained / "training" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {
        "layers.l0/forget/mean",
        "layers.l0/forget/gradient",
        "layers.l0/gradient flow/factor per step",
        "layers.l0/timescale/median",
        "loss/training",
    } <= set(tags["scalars"])
    assert "layers.l0/forget/units" in tags["histograms"]


def test_another_terminal_shows_it(trained: Path) -> None:
    result = run("look", trained, "--live")
    assert result.exit_code == 0, result.output
    assert "layers.l0" in result.output and "forget" in result.output
    assert result.output.rstrip().endswith("The training has ended.")


def test_resuming_continues_the_file(trained: Path) -> None:
    poem = trained.parent / "poem.txt"
    result = run("train", poem, "--out", trained, "--resume", "--watch")  # it has ended
    assert result.exit_code == 0, result.output
    reader = JournalReader(trained / "monitor.jsonl")
    reader.read()
    assert reader.observations[0].step == 6 and reader.end == "budget"


def test_where_nothing_was_watched_it_says_what_to_do(tmp_path: Path) -> None:
    said = sentence(run("look", tmp_path, "--live"))
    assert "There is no monitor.jsonl in" in said and "--watch" in said
    assert "There is no folder" in sentence(run("look", tmp_path / "elsewhere", "--live"))


@pytest.mark.parametrize(
    "options, name", [(("--steps", 10), "--steps"), (("--text", "abc"), "--text")]
)
def test_options_of_a_page_are_refused(
    trained: Path, options: tuple[object, ...], name: str
) -> None:
    assert f"{name} does not apply to --live" in sentence(run("look", trained, "--live", *options))


def test_q_ends_the_view_and_leaves_the_terminal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = sluice.nn.LSTM(3, 4)
    monitor = Monitor(layer, every=1, journal=tmp_path / "monitor.jsonl")
    with monitor.observe():
        layer(torch.randn(5, 2, 3))[0].sum().backward()
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    os.write(leader, b"xq")
    with os.fdopen(follower, "r") as keyboard:
        monkeypatch.setattr("sys.stdin", keyboard)
        shown = Console(file=StringIO(), force_terminal=True, width=90)
        live._follow(shown, JournalReader(tmp_path / "monitor.jsonl"))
        assert termios.tcgetattr(follower) == before
    os.close(leader)
    monitor.close()
    text = shown.file.getvalue()
    assert "forget" in text and "q or Ctrl-C ends this view alone" in text


def test_what_stands_still_is_laid_out_once_for_each_width() -> None:
    class Counted:
        calls = 0

        def __rich__(self) -> str:
            self.calls += 1
            return "one two three"

    inner = Counted()
    still = StillRenderable(inner)
    for width, expected in ((80, "one two three"), (80, "one two three"), (5, "one \ntwo \nthree")):
        console = Console(width=width, file=StringIO())
        console.print(still)
        assert console.file.getvalue().strip() == expected
    assert inner.calls == 2
