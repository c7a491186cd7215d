from pathlib import Path

import torch

from sluice.doctor import describe_machine, list_backends, read_processor
from sluice.run.kernels import extension


def test_versions_and_threads_are_the_real_ones() -> None:
    told = describe_machine()
    assert told["torch"] == torch.__version__
    assert told["kernels"] == extension.get_isa()
    assert told["threads"].startswith(f"{torch.get_num_threads()} of torch's")


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


def test_every_layer_and_cell_is_told_its_backend_and_the_reason() -> None:
    told = list_backends()
    for name in ("nn.LSTM", "nn.GRU", "nn.RNN"):
        assert told[name].startswith("fused: ")
    for name in ("PeepholeLSTM", "ProjectedLSTM", "SLSTM", "Jordan"):
        assert told[f"nn.Recurrent(cells.{name})"].startswith("fused: ")
