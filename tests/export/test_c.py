"""Layers and models in C99, compiled and run beside float64, and alike by every compiler."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

import sluice
from sluice.cells.registry import list_cells
from sluice.equations.op_table import OPS
from sluice.export import ExportError
from sluice.export.to_c.compiled import write_driver
from sluice.export.to_c.helpers import lay_out_blocks
from sluice.export.to_c.operations import C_OPERATIONS
from sluice.export.to_c.program import ProgramWriter
from sluice.nn import Recurrent
from sluice.sequence import LanguageModel, LanguageModelConfig

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

STRICT = "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Werror"
ALWAYS = ("LSTM", "GRU", "MatrixLSTM", "LayerNormGRU", "OrderedLSTM", "CfC", "LRU", "ProjectedLSTM")
INT8 = ("GRU", "ProjectedLSTM")
GOLDEN = "bc46caeea8f2e243b1b74b35599a792306ea0b48d83f50d2a24c6b649a2ec3a4"
COMPILERS = {
    "gcc -O0": (),
    "gcc -O3 -march=native": (),
    "gcc -std=c99 -O3 -march=native": (),
    "clang -O2 -march=native": (),
    "aarch64-linux-gnu-gcc -O3 -static": ("qemu-aarch64",),
    "aarch64-linux-gnu-gcc -std=c99 -O2 -static": ("qemu-aarch64",),
}


def compile_and_run(folder: Path, command: str, given: bytes, *launcher: str) -> bytes:
    made = [*command.split(), "net.c", "driver.c", "-lm", "-o", "driver"]
    subprocess.run(made, cwd=folder, check=True)
    return subprocess.run(
        [*launcher, folder / "driver"], input=given, capture_output=True, check=True
    ).stdout


def write_program(layer: Recurrent | LanguageModel, folder: Path, int8: bool) -> None:
    program = ProgramWriter(layer, "net", int8).write()
    (folder / "net.h").write_text(program.header)
    (folder / "net.c").write_text(program.body)
    is_model = isinstance(layer, LanguageModel)
    (folder / "driver.c").write_text(write_driver(program, "net", reads_tokens=is_model))


def select() -> list[object]:
    """Every cell with both kinds of weights; a few run always."""
    always = {(name, name in INT8) for name in ALWAYS}
    pairs = [(name, int8) for name in list_cells() for int8 in (False, True)]
    marks = pytest.mark.exhaustive
    return [pair if pair in always else pytest.param(*pair, marks=marks) for pair in pairs]


@pytest.mark.parametrize(("name", "int8"), select())
def test_every_cell(name: str, int8: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {"proj_size": 4} if name == "ProjectedLSTM" else {}
    options |= {} if list_cells()[name]().graph.inputs else {"num_layers": 2}
    layer = Recurrent(name, 6, 6, **options)
    write_program(layer, tmp_path, int8)
    beside = [layer.sizes[0].of(one.width) for one in layer.cell.graph.inputs]
    x = torch.cat([torch.randn(8, 6), torch.rand(8, sum(beside))], 1)
    said = compile_and_run(tmp_path, f"gcc -O1 {STRICT}", x.numpy().tobytes())
    found = torch.frombuffer(bytearray(said), dtype=torch.float32).view(8, -1)
    if int8:
        with torch.no_grad():
            for tensor in layer.parameters():
                if tensor.dim() == 2:
                    scales = tensor.abs().amax(1, keepdim=True) / 127
                    tensor.copy_((tensor / scales).round() * scales)
    own = layer.double()
    own.backend = "reference"
    parts = x.double()[:, None].split([6, *beside], -1)
    named = dict(zip((one.name for one in layer.cell.graph.inputs), parts[1:], strict=True))
    with torch.no_grad():
        expected = own(parts[0], **named)[0][:, 0]
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def character_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    """A folder with a model of 40 characters, its input, and what gcc -O2 makes of it."""
    folder = tmp_path_factory.mktemp("model")
    shape = LanguageModelConfig(40, embedding_size=8, hidden_size=24, cell="gru")
    model = LanguageModel(shape)
    with torch.no_grad():
        for parameter in model.parameters():  # the same everywhere, whatever torch draws
            places = torch.arange(parameter.numel(), dtype=torch.int64)
            values = ((places * 7919) % 2003).float() / 2003 - 0.5
            parameter.copy_(values.view_as(parameter))
    write_program(model, folder, False)
    given = (torch.arange(200, dtype=torch.int32) * 17 % 40).numpy().tobytes()
    return folder, given, compile_and_run(folder, f"gcc -O2 {STRICT}", given)


def test_the_bits_are_those_of_always(character_model: tuple[Path, bytes, bytes]) -> None:
    assert hashlib.sha256(character_model[2]).hexdigest() == GOLDEN


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(one, marks=pytest.mark.exhaustive) if "-std=" in one else one
        for one in COMPILERS
    ],
)
def test_every_compiler_gives_the_same_bits(
    command: str, character_model: tuple[Path, bytes, bytes]
) -> None:
    folder, given, expected = character_model
    for program in (command.split()[0], *COMPILERS[command]):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    assert compile_and_run(folder, command, given, *COMPILERS[command]) == expected


def test_every_operation_has_a_spelling() -> None:
    assert C_OPERATIONS.keys() == OPS.keys()


def test_a_matrix_lies_in_blocks() -> None:
    matrix = torch.arange(43 * 2.0).view(43, 2)
    laid = lay_out_blocks(matrix)
    assert torch.equal(laid[:64].view(2, 32).T, matrix[:32])
    assert torch.equal(laid[64:80].view(2, 8).T, matrix[32:40])
    assert torch.equal(laid[80:].view(3, 2), matrix[40:])


def test_fast_math_is_refused(character_model: tuple[Path, bytes, bytes]) -> None:
    command = ["gcc", "-ffast-math", "-c", "net.c", "-o", "fast.o"]
    said = subprocess.run(command, cwd=character_model[0], capture_output=True, text=True)
    assert said.returncode and "compile without -ffast-math" in said.stderr


def test_files_and_what_is_refused(tmp_path: Path) -> None:
    made = sluice.export.c(sluice.nn.LSTM(3, 8, output_size=2), tmp_path / "net.c", int8=True)
    assert made.difference is not None and made.difference < 1e-5
    if shutil.which("size"):
        assert re.search(r"Bytes: [\d,]+ of code, 896 of constants, 64 of state", made.usage)
    header = (tmp_path / "net.h").read_text()
    assert "net_step" in header and "-ffp-contract=off" in header and "state: 64 bytes" in header
    for layer, path, message in [
        (sluice.nn.GRU(3, 4, bidirectional=True), "a.c", "reads from the end"),
        (sluice.nn.GRU(3, 4, dtype=torch.float64), "a.c", "in float32"),
        (torch.nn.Linear(3, 4), "a.c", "not of a Linear"),
        (sluice.nn.GRU(3, 4), "a.txt", r"must end in \.c"),
        (sluice.nn.GRU(3, 4), "3-a.c", r"as in net_3_a\.c"),
    ]:
        with pytest.raises(ExportError, match=message):
            sluice.export.c(layer, tmp_path / path)
    assert {one.name for one in tmp_path.iterdir()} == {"net.c", "net.h"}
