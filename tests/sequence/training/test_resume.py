import errno
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sampling import thin_out
from sequence.training.kill_and_resume import PLAN, Stream, model
from sluice.folder_lock import FolderInUseError
from sluice.sequence import CheckpointError, Progress, TrainingConfig, TrainingResult, train
from sluice.sequence.batching.bucketed import BucketBatches
from sluice.sequence.training import ConstantRate, Cosine
from sluice.sequence.training.state_files import CheckpointFolder, decode_state

CHEAP = replace(PLAN, epochs=1, save_steps=2)


def run(
    folder: Path, plan: TrainingConfig = CHEAP, resume: bool = True, **more: Any
) -> TrainingResult:
    return train(model(), Stream(15), Stream(3), plan, folder=folder, resume=resume, **more)


def last(folder: Path) -> dict[str, Any]:
    """All contents of the newest checkpoint except the seconds, as plain values."""
    content = CheckpointFolder(folder).load()
    assert content is not None
    state = decode_state(content)
    for name in ("seconds", "validation_seconds"):
        del state["trainer"][name]
    return state


def same(one: Any, other: Any) -> bool:
    """Whether two trees of tensors and plain values are equal bit for bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    run(folder)
    return folder


@pytest.mark.slow
def test_killed_at_any_moment_the_result_is_that_of_an_unbroken_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "kill_and_resume.py", tmp_path, "0"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3
    assert same(last(tmp_path), last(tmp_path / "unbroken"))
    for name in ("end", "best"):
        weights = load_file(tmp_path / f"{name}.safetensors")
        assert same(weights, load_file(tmp_path / "unbroken" / f"{name}.safetensors"))
    left = {"unbroken", "end.safetensors", "best.safetensors"}
    states = {path.name for path in CheckpointFolder(tmp_path).list_files()}
    assert len(states) == 2
    assert {path.name for path in tmp_path.iterdir()} == left | states


class Full:
    """A file system that is full from the n-th flush of a file on."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, handle: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("after", thin_out([0, 1, 5, 12], 2, 1))
def test_a_full_disk_leaves_the_complete_files(
    after: int, tmp_path: Path, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", Full(after))
        with pytest.raises(OSError, match="No space left"):
            run(tmp_path)
    assert not list(tmp_path.glob(".*"))
    run(tmp_path)
    assert same(last(tmp_path), last(unbroken))


def test_a_file_size_limit_leaves_the_complete_files(tmp_path: Path, unbroken: Path) -> None:
    """The system itself refuses: best.safetensors fits, a checkpoint does not."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    run(tmp_path, on_progress=stop_at(5))
    newest = last(tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            run(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert same(last(tmp_path), newest)
    run(tmp_path)
    assert same(last(tmp_path), last(unbroken))


def stop_at(step: int) -> Callable[[Progress], None]:
    def interrupt(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return interrupt


@pytest.mark.parametrize("step", thin_out([1, 2, 9], 3, 2))
def test_an_interrupted_run_is_resumed(step: int, tmp_path: Path, unbroken: Path) -> None:
    stopped = run(tmp_path, on_progress=stop_at(step))
    assert (stopped.stop_reason, stopped.steps) == ("interrupted", step)
    progress: list[Progress] = []
    assert run(tmp_path, on_progress=progress.append).stop_reason == "budget"
    assert progress[0].step == step + 1
    assert same(last(tmp_path), last(unbroken))


def test_sigterm_ends_after_the_current_step(tmp_path: Path, unbroken: Path) -> None:
    def ask(progress: Progress) -> None:
        if progress.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    assert run(tmp_path, on_progress=ask).steps == 4
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    run(tmp_path)
    assert same(last(tmp_path), last(unbroken))


def test_a_second_interrupt_ends_at_once(tmp_path: Path) -> None:
    """The first takes effect after the step; the second comes during the final validation."""
    learner = model()

    def insist(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        learner.dropout.register_forward_pre_hook(lambda *_: os.kill(os.getpid(), signal.SIGINT))

    plan = replace(CHEAP, validations=1)
    with pytest.raises(KeyboardInterrupt):
        train(learner, Stream(15), Stream(3), plan, folder=tmp_path, on_progress=insist)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert last(tmp_path)["trainer"]["steps"] == 1


def test_seconds_accumulate_over_resumes(tmp_path: Path) -> None:
    plan = replace(CHEAP, epochs=None, seconds=100, validations=4)
    first = run(tmp_path, plan, on_progress=stop_at(3), clock=ticking())
    assert 0 < first.seconds < 50
    progress: list[Progress] = []
    second = run(tmp_path, plan, on_progress=progress.append, clock=ticking())
    assert progress[0].seconds > first.seconds
    assert second.stop_reason == "budget"
    assert second.seconds == pytest.approx(100, abs=5)
    assert all(early.seconds < late.seconds for early, late in pairwise(progress))


def ticking() -> Callable[[], float]:
    ticks = iter(range(1000))
    return lambda: 2.0 * next(ticks)


def test_the_older_checkpoint_replaces_a_damaged_one(tmp_path: Path, unbroken: Path) -> None:
    run(tmp_path, on_progress=stop_at(9))
    newest, older = CheckpointFolder(tmp_path).list_files()
    newest.write_bytes(newest.read_bytes()[:-1])
    progress: list[Progress] = []
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged; trying an older"):
        run(tmp_path, on_progress=progress.append)
    assert progress[0].step == int(older.stem.removeprefix("last-")) + 1 < 10
    assert same(last(tmp_path), last(unbroken))


def test_two_damaged_checkpoints_are_an_error(tmp_path: Path) -> None:
    run(tmp_path, on_progress=stop_at(9))
    for path in CheckpointFolder(tmp_path).list_files():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(CheckpointError, match=r"All checkpoints in .* are damaged"),
    ):
        run(tmp_path)


def test_resuming_an_ended_run_returns_its_best(unbroken: Path) -> None:
    learner, progress = model(), list[Progress]()
    outcome = train(
        learner,
        Stream(15),
        Stream(3),
        CHEAP,
        folder=unbroken,
        resume=True,
        on_progress=progress.append,
    )
    assert (outcome.stop_reason, progress) == ("budget", [])
    assert same(learner.state_dict(), load_file(unbroken / "best.safetensors"))


def test_a_new_run_starts_only_after_an_ended_one(tmp_path: Path, unbroken: Path) -> None:
    run(tmp_path, on_progress=stop_at(3))
    before = last(tmp_path)
    with pytest.raises(CheckpointError, match=r"stopped after step 3; resume it"):
        run(tmp_path, resume=False)
    assert same(last(tmp_path), before)
    run(tmp_path)
    run(tmp_path, resume=False)
    assert same(last(tmp_path), last(unbroken))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.03}, "had learning_rate = 0.02, got 0.03"),
        ({"schedule": ConstantRate()}, "had schedule = "),
        ({"bptt": 5}, r"had bptt = \[5, 9\], got \[5, 5\]"),
    ],
)
def test_another_plan_is_refused(change: dict[str, Any], message: str, unbroken: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        run(unbroken, replace(CHEAP, **change))
    assert run(unbroken, replace(CHEAP, save_steps=5)).stop_reason == "budget"


def test_an_ended_run_goes_on_with_a_larger_budget(tmp_path: Path) -> None:
    """With a constant rate, in two parts or at once: the same weights bit for bit."""
    short = replace(CHEAP, epochs=None, steps=5, schedule=ConstantRate(), warmup=0.0, validations=1)
    whole = replace(short, steps=12)
    run(tmp_path / "parts", short)
    progress: list[Progress] = []
    longer = run(tmp_path / "parts", whole, on_progress=progress.append)
    assert (longer.stop_reason, longer.steps, progress[0].step) == ("budget", 12, 6)
    run(tmp_path / "whole", whole)
    parts, once = (last(tmp_path / name) for name in ("parts", "whole"))
    assert same(parts["shared"], once["shared"]) and same(parts["ranks"], once["ranks"])


def test_the_learning_rate_is_that_of_the_new_budget(tmp_path: Path) -> None:
    short = replace(CHEAP, epochs=None, steps=4, schedule=Cosine(), warmup=0.1, validations=2)
    run(tmp_path, short)
    rates: list[float] = []
    plan = replace(short, steps=16)
    run(tmp_path, plan, on_progress=lambda progress: rates.append(progress.learning_rate))
    # Steps 5 to 16 of 16: a half cosine from the end of the warmup, at 1.6 steps.
    expected = [0.01 * (1 + math.cos(math.pi * (step - 1.6) / 14.4)) for step in range(4, 16)]
    assert rates == pytest.approx(expected)


def test_a_budget_of_another_kind_counts_what_was_done(tmp_path: Path) -> None:
    run(tmp_path, replace(CHEAP, epochs=None, steps=4))
    assert run(tmp_path, CHEAP).steps > 4  # an epoch
    with pytest.raises(CheckpointError, match=r"It has had 1 epochs already: a budget of 0.5"):
        run(tmp_path, replace(CHEAP, epochs=0.5))


def test_patience_starts_anew_with_a_budget(tmp_path: Path) -> None:
    stuck = replace(CHEAP, epochs=None, steps=20, patience=1, validations=20, learning_rate=5.0)
    assert run(tmp_path, stuck).stop_reason == "patience"
    before = last(tmp_path)["trainer"]["steps"]
    assert run(tmp_path, replace(stuck, steps=40)).steps > before


def test_missing_weights_are_written_again(tmp_path: Path) -> None:
    run(tmp_path)
    best = (tmp_path / "best.safetensors").read_bytes()
    (tmp_path / "best.safetensors").unlink()
    run(tmp_path)
    assert (tmp_path / "best.safetensors").read_bytes() == best


def test_two_trainings_in_one_folder_are_refused(tmp_path: Path) -> None:
    def again(progress: Progress) -> None:
        run(tmp_path)

    with pytest.raises(FolderInUseError, match=f"{tmp_path} is in use by a training, process"):
        run(tmp_path, on_progress=again)
    assert not (tmp_path / ".lock").exists()
    assert last(tmp_path)["trainer"]["steps"] == 1  # saved though the callback failed
    run(tmp_path)


def test_data_of_other_content_are_refused(tmp_path: Path) -> None:
    words = [[3, 4, 5], [4, 5, 6], [5, 6, 7]] * 4

    plan = replace(CHEAP, bptt=None)
    source = BucketBatches(words, 4, seed=0)
    train(model(), source, source, plan, folder=tmp_path, on_progress=stop_at(1))
    other = BucketBatches([*words[1:], words[0]], 4, seed=0)
    with pytest.raises(CheckpointError, match="was on other data: their contents differ"):
        train(model(), other, other, plan, folder=tmp_path, resume=True)
    train(model(), source, source, plan, folder=tmp_path, resume=True)


@pytest.fixture
def default_hangup() -> Iterator[None]:
    """Under nohup a hangup is ignored, and a training goes on."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
def test_a_hangup_ends_as_sigterm_does(
    tmp_path: Path, unbroken: Path, default_hangup: None
) -> None:
    def hang_up(progress: Progress) -> None:
        if progress.step == 4:
            os.kill(os.getpid(), signal.SIGHUP)

    assert run(tmp_path, on_progress=hang_up).stop_reason == "interrupted"
    run(tmp_path)
    assert same(last(tmp_path), last(unbroken))


def test_equal_runs_write_equal_checkpoints(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(tmp_path / name, clock=lambda: 0.0)
    one, two = (CheckpointFolder(tmp_path / name).load() for name in ("one", "two"))
    assert one is not None and one == two


def test_a_checkpoint_of_an_earlier_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "last-000000000009.state").write_bytes(b"sluice training 1\n" + bytes(99))
    with pytest.raises(CheckpointError, match="was written by an earlier version of Sluice"):
        run(tmp_path)


def test_another_model_or_other_data_are_refused(unbroken: Path) -> None:
    with pytest.raises(CheckpointError, match="had training batches = 15, got 14"):
        train(model(), Stream(14), Stream(3), CHEAP, folder=unbroken, resume=True)
    other = model()
    other.extra = torch.nn.Linear(2, 3)
    with pytest.raises(CheckpointError, match=r"expected extra.bias of shape none, got \[3\]"):
        train(other, Stream(15), Stream(3), CHEAP, folder=unbroken, resume=True)
