"""A JavaScript module in node, beside what it was written from."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from sluice.export.errors import ExportError
from sluice.export.step_check import check_steps
from sluice.export.to_js.program import JsProgram
from sluice.files import StrPath
from sluice.nn.stack import RecurrentStack
from sluice.sequence.models import LanguageModel

_DRIVER = """\
import { readFileSync, writeSync } from "node:fs";
import * as net from "./net.mjs";

const [lengths, widths] = process.argv.slice(2).map((list) => JSON.parse(list));
const bytes = readFileSync(0);
const given = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const numbers = widths.length ? new Float32Array(given) : new Int32Array(given);
const state = net.createState();
const found = [];
let place = 0;
for (const length of lengths) {
  net.reset(state);
  for (let time = 0; time < length; time++) {
    const inputs = widths.map((width) => numbers.subarray(place, (place += width)));
    found.push(net.step(state, ...(widths.length ? inputs : [numbers[place++]])));
  }
}
const output = Buffer.concat(found.map((one) => Buffer.from(one.buffer)));
for (let sent = 0; sent < output.length; ) sent += writeSync(1, output, sent);
"""


def find_node() -> str | None:
    """The program node, None where there is none."""
    return shutil.which("node") or shutil.which("nodejs")


def check_program(
    module: RecurrentStack | LanguageModel, program: JsProgram, *, int8: bool
) -> float | None:
    """The greatest difference between the text in node and ``module`` in float64.

    None where there is no node. Raises `ExportError` where it is more than rounding explains, or
    where node refuses it.
    """
    node = find_node()
    if node is None:
        return None
    widths = [] if isinstance(module, LanguageModel) else [program.input_size]
    widths += program.inputs.values()
    with open_module(program.text) as folder:
        (folder / "driver.mjs").write_text(_DRIVER)

        def run(given: list[Tensor]) -> list[Tensor]:
            lengths = [len(one) for one in given]
            sent = b"".join(one.numpy().tobytes() for one in given)
            said = run_node(node, folder, sent, lengths, widths)
            found = torch.frombuffer(bytearray(said), dtype=torch.float32)
            return list(found.view(sum(lengths), -1).split(lengths))

        return check_steps(module, program.inputs, run, int8=int8)


@contextmanager
def open_module(text: str) -> Iterator[Path]:
    """A folder with a module as ``net.mjs``, while it is used."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "net.mjs").write_text(text)
        yield folder


def run_node(node: str, folder: StrPath, given: bytes, *arguments: list[int]) -> bytes:
    """What ``driver.mjs`` writes.

    Raises `ExportError` where node ends with an error.
    """
    command = [node, "driver.mjs", *map(json.dumps, arguments)]
    said = subprocess.run(command, cwd=folder, input=given, capture_output=True, check=False)
    if said.returncode:
        reason = said.stderr.decode(errors="replace").strip()[-500:]
        raise ExportError(f"node cannot run the module: {reason}")
    return said.stdout
