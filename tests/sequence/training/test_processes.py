import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sampling import thin_out
from sequence.training.distributed_run import TRAININGS, run

HERE = Path(__file__).parent


def run_together(name: str, folder: Path) -> None:
    """By two processes that torchrun starts; where a training is carried over, one is killed."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    process = subprocess.run(
        [sys.executable, *launch, "--max-restarts=1", HERE / "distributed_run.py", folder, name],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
            "PYTHONPATH": str(HERE.parents[1]),
        },
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    is_killed = "failed (exitcode: -9) local_rank: 1" in process.stderr
    assert is_killed == (name == "carried")


def read_figures(folder: Path, name: str) -> dict[int, list[float]]:
    """The figures of each step; the last ones if a step was repeated."""
    lines = (folder / f"{name}.jsonl").read_text().splitlines()
    return {step: figures for step, *figures in map(json.loads, lines)}


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
@pytest.mark.parametrize("name", thin_out(TRAININGS, 3, 2))
def test_two_processes_equal_one_though_one_is_killed(name: str, tmp_path: Path) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    for folder in (together, alone):
        folder.mkdir()
    run_together(name, together)
    run(name, alone)
    ours, expected = read_figures(together, name), read_figures(alone, name)
    assert ours.keys() == expected.keys()
    for step, figures in expected.items():
        assert ours[step] == pytest.approx(figures, abs=1e-5)
    weights, expected_weights = (
        load_file(folder / name / "best.safetensors") for folder in (together, alone)
    )
    torch.testing.assert_close(weights, expected_weights, rtol=1e-3, atol=1e-4)
