"""Threads: many callers, forks, few processors, more threads than processors; bitwise equality."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import sluice
from child_process import run_python
from sampling import thin_out
from sluice.run.kernels import extension

HEAD = f"""
import os, signal, sys, threading, torch, sluice
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import built_kernels
signal.alarm(120)
torch.manual_seed(0)
layer = sluice.nn.LSTM(32, 128)
x = torch.randn(20, 9, 32)
def compute():
    layer.zero_grad()
    y = layer(x)[0]
    y.sum().backward()
    return torch.cat([y.detach().flatten(), layer.weight_hh_l0.grad.flatten()])
"""


def run(code: str, **environment: str) -> str:
    """The output of a new interpreter with a timeout of two minutes."""
    return run_python(HEAD + code, **environment)


def test_several_callers_at_once() -> None:
    layer, x = sluice.nn.LSTM(16, 128), torch.randn(30, 5, 16)
    expected = layer(x)[0]
    start = threading.Barrier(6)

    def work(_: int) -> bool:
        start.wait()
        return all(torch.equal(layer(x)[0], expected) for _ in range(20))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(6)))


def test_after_a_fork_and_while_another_thread_computes() -> None:
    code = """
expected = compute()
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        torch.set_num_threads(1)
        sluice.set_num_threads(2)
        os._exit(0 if torch.equal(compute(), expected) else 1)
    children.append(child)
print(sum(os.waitpid(child, 0)[1] for child in children), torch.equal(compute(), expected))
"""
    code += """
import time
sluice.set_num_threads(2)
torch.set_num_threads(1)
stop = []
def busy():
    while not stop: layer(x)
thread = threading.Thread(target=busy); thread.start()
bad = 0
for _ in range(5):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        layer(x)
        os._exit(0)
    bad += os.waitpid(child, 0)[1]
stop.append(1); thread.join()
print(bad)
"""
    assert run(code).split() == ["0", "True", "0"]


FORKS = """
import itertools, time
torch.set_num_threads(2)
wide = sluice.nn.LSTM(64, 256, 2, bidirectional=True, dropout=0.1, batch_first=True)
z, lengths, constants = torch.randn(32, 40, 64), torch.arange(1, 33), itertools.count()
def train():  # torch's own operators run on its threads here: 32,768 numbers are enough for them
    wide(z, lengths=lengths)[0].square().sum().backward()
def train_new():
    class New(sluice.Cell):
        candidate, factor = sluice.Gate(), 1 + 0.01 * next(constants)
        def step(self, x, h):
            return dict(h=sluice.tanh(self.candidate(x, h)) * self.factor)
    sluice.nn.Recurrent(New, 8, 16)(torch.randn(4, 2, 8))[0].sum().backward()
def fork(child):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        child()
        os._exit(0)
    return os.waitpid(pid, 0)[1]
"""


@pytest.mark.parametrize("team", thin_out(["0", "1"], 2))
def test_a_fork_after_torch_and_the_kernels_ran_on_threads(team: str) -> None:
    code = """
train()
print(fork(train), fork(train_new), fork(lambda: fork(train) and os._exit(1)))
train()
print(torch.get_num_threads())
"""
    assert run(FORKS + code, SLUICE_OPENMP=team).split() == ["0", "0", "0", "2"]


def test_a_fork_while_another_thread_compiles_or_imports() -> None:
    code = """
stop = []
def busy():
    while not stop: train_new(); wide(z, lengths=lengths)
thread = threading.Thread(target=busy); thread.start()
statuses = []
for delay in (0.0, 0.01, 0.05, 0.1, 0.15):
    time.sleep(delay)
    statuses.append(fork(lambda: (train_new(), train())))
stop.append(1); thread.join()
print(*statuses)
"""
    assert run(FORKS + code).split() == ["0"] * 5


@pytest.mark.exhaustive
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_on_one_processor_and_with_too_many_threads() -> None:
    code = """
expected = compute()
sluice.set_num_threads(7)
many = compute()
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(torch.equal(many[:x.shape[0] * 9 * 128], expected[:x.shape[0] * 9 * 128]))
a = compute()
sluice.set_num_threads(2)
b = compute()
torch.testing.assert_close(a, expected); torch.testing.assert_close(b, expected)
print(len(os.sched_getaffinity(0)))
"""
    assert run(code).split() == ["True", "1"]


class Rows(Dataset[torch.Tensor]):
    """Each item is made by a layer, in a worker."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.layer = sluice.nn.GRU(3, 20)

    def __len__(self) -> int:
        return 6

    def __getitem__(self, k: int) -> torch.Tensor:
        with torch.no_grad():
            y: torch.Tensor = self.layer(torch.full((4, 1, 3), float(k)))[0]
        return y


def test_in_the_workers_of_a_loader() -> None:
    rows = Rows()
    expected = torch.stack([rows[k] for k in range(6)])
    found = torch.cat(list(DataLoader(rows, batch_size=2, num_workers=2)))
    assert torch.equal(found, expected)


def test_masks_are_the_same_whatever_the_threads() -> None:
    cell = sluice.cells.zoneout(sluice.cells.LSTM, h=0.3, c=0.2)
    layer, x = sluice.nn.Recurrent(cell, 8, 64, num_layers=2, dropout=0.2), torch.randn(9, 6, 8)
    found = []
    try:
        for count in (1, 2, 3):
            extension.set_num_threads(count)
            torch.manual_seed(11)
            found.append(layer(x)[0])
    finally:
        extension.set_num_threads(torch.get_num_threads())
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_the_number_is_checked() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        sluice.set_num_threads(0)
