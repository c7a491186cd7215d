import shutil
from importlib import metadata
from pathlib import Path

import pytest
import torch

from command import run
from sluice import doctor
from sluice.doctor import (
    describe_machine,
    find_problems,
    fold_backends,
    list_backends,
    list_libraries,
    read_processor,
)
from sluice.run.kernels import extension


def test_versions_and_threads_are_the_real_ones() -> None:
    machine = describe_machine()
    assert f"torch {torch.__version__}" in machine["versions"]
    assert machine["kernels"] == extension.get_isa()
    assert machine["threads"].startswith(f"{torch.get_num_threads()} in torch")


def test_cpuinfo_is_read_as_x86_and_arm_write_it(tmp_path: Path) -> None:
    x86, arm = tmp_path / "x86", tmp_path / "arm"
    x86.write_text(
        "processor\t: 0\nmodel name\t: A: chip\nflags\t\t: fpu avx2 odd\n\nflags : other\n"
    )
    arm.write_text("processor\t: 0\nFeatures\t: fp asimd sve\n")
    assert read_processor(x86) == ("A: chip", frozenset({"fpu", "avx2", "odd"}))
    assert read_processor(arm) == ("", frozenset({"fp", "asimd", "sve"}))
    assert describe_machine(x86)["instruction sets"] == "avx2"
    assert describe_machine(arm)["instruction sets"] == "asimd sve"


def test_a_system_without_cpuinfo_is_no_error(tmp_path: Path) -> None:
    assert describe_machine(tmp_path / "none")["instruction sets"] == "not known on this system"


def test_each_layer_and_cell_has_a_backend_and_a_reason() -> None:
    backends = list_backends()
    for name in ("nn.LSTM", "nn.GRU", "nn.RNN"):
        assert backends[name].startswith("fused: ")
    for name in ("PeepholeLSTM", "ProjectedLSTM", "SLSTM", "Jordan"):
        assert backends[f"nn.Recurrent(cells.{name})"].startswith("fused: ")


def test_layers_that_differ_from_most_are_listed_first() -> None:
    backends = {"a": "fused", "b": "reference", "c": "fused", "d": "native"}
    folded = {"b": "reference", "d": "native", "2 other layers": "fused"}
    assert list(fold_backends(backends).items()) == list(folded.items())


def test_libraries_are_those_of_the_package_s_extras() -> None:
    libraries = list_libraries()
    assert libraries["tunes"].keys() == {"music21", "mido", "verovio", "cairosvg", "soundfile"}
    for name, version in libraries["tunes"].items():
        assert version is None or version == metadata.version(name)


def lack_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernels, no compiler, no extras, and an interpreter for some of the layers."""

    def find_no_version(name: str) -> str:
        if name in ("torch", "numpy", "llvmlite"):
            return "1.2.3"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(extension, "load_extension", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(metadata, "version", find_no_version)


def test_missing_parts_are_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    lack_everything(monkeypatch)
    kernels, compiler, libraries = find_problems()
    assert kernels.startswith("No kernels are installed") and compiler.startswith("No C++ compiler")
    assert "plots: matplotlib; tunes: music21, mido" in libraries
    assert "pip install 'sluice-rnn[plots,tunes,data,tensorboard,search,xarray]'" in libraries


def test_a_selected_instruction_set_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_ISA", "generic")
    assert any("SLUICE_ISA=generic" in problem for problem in find_problems())


def test_the_command_fits_on_a_screen_whatever_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lack_everything(monkeypatch)
    odd = {"nn.LSTM": "native: torch's own", "nn.Recurrent(cells.SLSTM)": "native: torch's own"}
    same = {f"nn.Recurrent(cells.C{k})": "reference: this runs every cell" for k in range(15)}
    monkeypatch.setattr(doctor, "list_backends", lambda: odd | same)
    lines = run("doctor").output.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert lines[0].startswith("! No kernels are installed")
    text = "\n".join(lines)
    assert text.index("! Not installed") < text.index("versions") < text.index("cells.SLSTM")
    assert "15 other layers" in text and "C0" not in text
