"""The public surface as type checkers, editors and ``inspect.signature`` see it."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import sluice

PROGRAM = """
import torch
from torch.nn.utils.rnn import pack_sequence

import sluice
from sluice.equations import Value


class Leaky(sluice.Cell):
    candidate, leak = sluice.Gate(), sluice.Gate()

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        k = sluice.sigmoid(self.leak(x, h))
        return dict(h=k * h + (1.0 - k) * sluice.tanh(self.candidate(x, h)), leak=k)


x, packed = torch.zeros(5, 2, 3), pack_sequence([torch.zeros(5, 3)])
lstm, gru = sluice.nn.LSTM(3, 4), sluice.nn.GRU(3, 4, bidirectional=True)
y, (h, c) = lstm(x)
reveal_type(y)  # Tensor
reveal_type(c)  # Tensor
reveal_type(lstm(packed, (h, c)))  # tuple[PackedSequence, tuple[Tensor, Tensor]]
reveal_type(lstm.forward(x, (h, c), lengths=h))  # tuple[Tensor, tuple[Tensor, Tensor]]
reveal_type(gru(x))  # tuple[Tensor, Tensor]
reveal_type(sluice.nn.RNN(3, 4, nonlinearity="relu")(packed)[0])  # PackedSequence
reveal_type(sluice.nn.Recurrent(Leaky, 3, 4)(x)[0])  # Tensor
reveal_type(lstm.stream()(x[0]))  # Tensor
reveal_type(sluice.nn.LSTMCell(3, 4)(x[0]))  # tuple[Tensor, Tensor]
reveal_type(sluice.nn.GRUCell(3, 4)(x[0]))  # Tensor
reveal_type(sluice.cells.GRU().step)  # def (x: Value, h: Value) -> dict[str, Value]
sluice.nn.LSTM(3, hiden=3)  # error: call-arg
sluice.nn.GRU(3, hiden=3)  # error: call-arg
sluice.nn.RNN(3, 4, nonlinarity="relu")  # error: call-arg
sluice.nn.Recurrent(Leaky, 3, 4, forget_bais=1.0)  # error: call-arg
gru(x, (h, c))  # error: call-overload
lstm(packed, lengths=h)  # error: call-overload
"""
EXPECTED = dict(line.split("  # ") for line in PROGRAM.splitlines() if line.count("  # ") == 1)


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The messages of mypy for each line of the program."""
    pytest.importorskip("mypy")
    file = tmp_path_factory.mktemp("typed") / "use.py"
    file.write_text(PROGRAM)
    # With the repository's settings, as `make types` has them: what it has read is not read again.
    lines = subprocess.run(
        [sys.executable, "-m", "mypy", str(file)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=600,
    ).stdout.splitlines()
    found: dict[str, str] = {}
    for line in lines:
        if match := re.search(r"use\.py:(\d+): (?:error|note): (.*)", line):
            code = PROGRAM.splitlines()[int(match[1]) - 1].split("  # ")[0]
            found[code] = f"{found.get(code, '')} {match[2]}".strip()
    return found


def simplify(message: str) -> str:
    """A revealed type without the modules of its names."""
    bare = message.replace("torch._tensor.", "torch.")
    bare = re.sub(r"\b(?:\w+\.)+(\w)", r"\1", bare)
    bare = re.sub(r"tuple\[[^][]*, fallback=(\w+)\]", r"\1", bare)  # a named tuple
    return bare.replace("Tensor | Symbol | float", "Value").replace("builtins.", "")


@pytest.mark.slow
@pytest.mark.parametrize("code", EXPECTED)
def test_a_type_checker_sees(code: str, messages: dict[str, str]) -> None:
    found, expected = simplify(messages.get(code, "")), EXPECTED[code]
    if expected.startswith("error"):
        assert f"[{expected.removeprefix('error: ')}]" in found, found
    else:
        assert f'Revealed type is "{expected}"' in found, found


def test_no_other_messages(messages: dict[str, str]) -> None:
    assert set(messages) == set(EXPECTED)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_signatures_name_torchs_arguments_in_torchs_order(name: str) -> None:
    own = list(inspect.signature(getattr(sluice.nn, name)).parameters)
    first = ["input_size", "hidden_size", "num_layers"]
    first += ["nonlinearity"] if name == "RNN" else []
    first += ["bias", "batch_first", "dropout", "bidirectional"]
    first += ["proj_size"] if name == "LSTM" else []
    first += ["device", "dtype"]
    assert own[: len(first)] == first
    assert {"learn_initial_state", "forget_bias", "chrono", "recompute"} < set(own)
    values = {"nonlinearity": "relu", "hidden_size": 4, "input_size": 3, "num_layers": 2}
    values |= {"bias": False, "batch_first": True, "dropout": 0.0, "bidirectional": True}
    values |= {"proj_size": 2, "device": "cpu", "dtype": torch.float64}
    arguments = [values[one] for one in first[: len(first) - 2]]
    theirs = getattr(torch.nn, name)(*arguments, dtype=torch.float64)
    ours = getattr(sluice.nn, name)(*[values[one] for one in first])
    shapes = [(key, value.shape, value.dtype) for key, value in ours.state_dict().items()]
    assert shapes == [(k, v.shape, v.dtype) for k, v in theirs.state_dict().items()]
