"""The parts' code is run, by Jupyter, and its outputs are put into the cells."""

from __future__ import annotations

import os
import re
import tempfile

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from lecture_export.parts import Part

SETUP = """\
%matplotlib inline
%config InlineBackend.figure_formats = ["svg"]
%config InlineBackend.print_figure_kwargs = {"bbox_inches": None}"""
"""The first cell of a notebook: figures are shown, as SVG, each in the size it was made in."""


class LectureError(Exception):
    """A cell prints something else than its comment says."""


def execute_parts(parts: list[Part]) -> None:
    """Run all code, each part with names of its own.

    One kernel runs all parts: torch is imported once.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
        LectureError: a cell that ends with ``print(...)  # text`` printed something else.
    """
    with tempfile.TemporaryDirectory() as folder:
        directories = {"IPYTHONDIR": folder, "JUPYTER_RUNTIME_DIR": folder}
        manager = AsyncKernelManager(kernel_name="python3")
        if os.name == "posix":  # files beside the kernel's own, in place of open ports
            manager.transport, manager.ip = "ipc", f"{folder}/kernel"
        client = NotebookClient(
            nbformat.v4.new_notebook(),
            km=manager,
            timeout=300,
            resources={"metadata": {"path": folder}},
        )
        environment = {**os.environ, **directories, "OMP_NUM_THREADS": "1"}
        with client.setup_kernel(env=environment, cleanup_kc=True):
            for part in parts:
                _execute(client, part)


def _execute(client: NotebookClient, part: Part) -> None:
    first = nbformat.v4.new_code_cell(f"%reset -f\n{SETUP}")
    client.nb = nbformat.v4.new_notebook(cells=[first, *part.notebook.cells])
    for index, cell in enumerate(client.nb.cells):
        if cell.cell_type == "code":
            client.execute_cell(cell, index)
            _check_comment(part, cell)


def _check_comment(part: Part, cell: NotebookNode) -> None:
    expected = re.search(r"print\(.*  # (.*)$", cell.source.rstrip().splitlines()[-1])
    printed = "".join(output.get("text", "") for output in cell.outputs).rstrip()
    if expected and printed.splitlines()[-1:] != [expected[1]]:
        raise LectureError(f"{part.name}: a cell says {expected[1]!r} and prints {printed!r}")
