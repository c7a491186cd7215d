"""`sluice show` and `sluice sketch`: equations, bodies and pictures of cells."""

import sys
from pathlib import Path

import pytest
import torch

import sluice
from command import run, sentence
from sluice.cells import Elman


def test_show_prints_a_body() -> None:
    result = run("show", "lstm", "--as", "llvm")
    assert result.exit_code == 0
    assert result.output.startswith("define void @forward_0(")
    assert result.output.count("call <16 x float> @sluice.sigmoid") == 3
    assert result.output.count("call <16 x float> @sluice.tanh") == 2
    back = run("show", "resetbeforegru", "--as", "llvm", "--part", "backward", "--double")
    assert back.exit_code == 0 and "<8 x double>" in back.output


def test_show_prints_a_gpu_kernel() -> None:
    result = run("show", "gru", "--as", "triton")
    assert result.exit_code == 0
    compile(result.output, "kernel", "exec")
    _, _, kernel = result.output.partition("def kernel(")
    assert kernel.count(" = _sigmoid(") == 2 and kernel.count(" = _tanh(") == 1
    back = run("show", "gru", "--as", "triton", "--part", "backward")
    assert back.exit_code == 0 and "GO0" in back.output


OWN_CELL = """
from sluice import Cell, Gate, sigmoid, tanh

class Leaky(Cell):
    leak, candidate = Gate(), Gate()
    def step(self, x, h):
        k = sigmoid(self.leak(x, h))
        return dict(h=k * h + (1 - k) * tanh(self.candidate(x, h)), leak=k)

class Broken(Cell):
    leak = Gate()
    def step(self, x, h):
        return dict(h=self.leak(x, h) if h else h)
"""


def test_show_prints_equations_latex_and_graph(tmp_path: Path) -> None:
    assert run("show", "GRU").stdout.splitlines()[-1] == "h_t = (1 − z_t) ⊙ h̃_t + z_t ⊙ h_{t-1}"
    latex = run("show", "peephole-lstm", "--as", "latex").stdout
    assert latex.endswith("h_{t} &= o_{t} \\odot \\tanh(c_{t})\n")
    assert run("show", "elman", "--as", "graph").stdout == Elman().text
    (tmp_path / "own.py").write_text(OWN_CELL)
    own = run("show", f"{tmp_path / 'own.py'}:Leaky").stdout
    assert "leak_t = σ(W_{i,leak} x_t + b_{i,leak} + " in own


def test_pictures_are_written_to_the_given_path(tmp_path: Path) -> None:
    assert run("show", "elman", "--out", tmp_path / "a" / "e.svg").exit_code == 0
    assert b"<svg" in (tmp_path / "a" / "e.svg").read_bytes()
    result = run("sketch", "lstm", "--series", "--theme", "dark", "--out", tmp_path / "l.png")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == ["l-1.png", "l-2.png", "l-3.png", "l-4.png"]


def test_a_sketch_is_animated_or_shows_recorded_values(tmp_path: Path) -> None:
    assert run("sketch", "gru", "--animate", "--out", tmp_path / "g.svg").exit_code == 0
    assert "prefers-reduced-motion" in (tmp_path / "g.svg").read_text()
    layer, tape = sluice.nn.GRU(3, 4), tmp_path / "tape.safetensors"
    with sluice.record(layer) as recorded:
        layer(torch.randn(5, 2, 3))
    recorded.save(tape)
    shown = run("sketch", "gru", "--recording", tape, "--step", 4, "--unit", 1, "--unit", 2,
               "--out", tmp_path / "r.svg")  # fmt: skip
    assert shown.exit_code == 0, shown.output
    for arguments, message in (
        (("--animate", "--out", tmp_path / "a.png"), "writes .svg files only, got 'a.png'"),
        (("--animate", "--series"), "exclude each other"),
        (("--recording", tape, "--step", 5), "step must be a recorded one (0 to 4), got 5"),
        (("--recording", tape, "--layer", "l1"), "there is no layer 'l1' of"),
        (("--recording", tmp_path / "none"), "none: there is no recording"),
    ):
        assert message in sentence(run("sketch", "gru", *arguments))
    assert "does not run LSTM" in sentence(run("sketch", "lstm", "--recording", tape))
    assert not list(tmp_path.glob("a*"))


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (("elman", "gru", "--output"), ["s.svg"]),
        (("gru", "--unrolled", 3), ["s.svg"]),
        (("elman", "--layers", 2, "--bidirectional", "--language", "de"), ["s.svg"]),
        (("elman", "--reverse"), ["s.svg"]),
        (("elman", "--strokes"), ["s-1.svg"]),
        (("elman", "--blanks"), ["s-1.svg", "s-2.svg"]),
    ],
)
def test_forms_of_sketches(arguments: tuple[object, ...], files: list[str], tmp_path: Path) -> None:
    result = run("sketch", *arguments, "--out", tmp_path / "s.svg")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == files


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lstm", "--series", "--unrolled", 3), "--series and --unrolled exclude each other"),
        (("lstm", "gru", "--blanks"), "--blanks draws one cell, got 2: lstm, gru"),
        (("lstm", "--unrolled", 3, "--reverse"), "--reverse does not apply to --unrolled"),
        (("lstm", "--unrolled", 1), "2 to 9 steps in a row, got 1"),
        (("lstm", "--layers", 9), "1 to 6 layers, got 9"),
    ],
)
def test_forms_that_do_not_go_together(
    arguments: tuple[object, ...], message: str, tmp_path: Path
) -> None:
    assert message in sentence(run("sketch", *arguments, "--out", tmp_path / "s.svg"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("cell", "out", "message"),
    [
        ("lstn", "a.svg", "cell must be one of atr, "),
        ("lstm", "a.gif", "must be a .svg, .png or .pdf file, got 'a.gif'"),
        ("lstm", "file/a.svg", "check the path and its permissions"),
        ("none.py:Leaky", "a.svg", "there is no file"),
        ("own.py:Leak", "a.svg", "its cells are Leaky, Broken"),
        ("own.py:Broken", "a.svg", "a value of the step has no truth value"),
        ("file:Leaky", "a.svg", "is not a Python file"),
    ],
)
@pytest.mark.parametrize("command", ["show", "sketch"])
def test_invalid_picture_options_are_refused(
    command: str, cell: str, out: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN_CELL)
    Path("file").write_text("here first")
    assert message in sentence(run(command, cell, "--out", out))
    own = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert own == {"file", "own.py"}


@pytest.mark.parametrize("command", ["show", "sketch"])
def test_pictures_without_matplotlib(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = sentence(run(command, "lstm", "--out", tmp_path / "a.svg"))
    assert "pip install 'sluice-rnn[plots]'" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lstn"], "path/to/file.py:ClassName, got 'lstn'"),
        (["gru", "--as", "llvm", "--part", "sideways"], "--part must be one of"),
        (["gru", "--as", "triton", "--part", "hoisted"], "--part must be forward or backward"),
    ],
)
def test_show_refuses_in_one_sentence(arguments: list[str], message: str) -> None:
    result = run("show", *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
