"""Recordings on disk: a folder of arrays, and files of tensors, read back."""

from __future__ import annotations

import json
from errno import ENOENT
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from sluice.files import StrPath, write_atomically
from sluice.insight.recording.growing_array import GrowingArray
from sluice.run.recording.buffers import TensorStore
from sluice.run.recording.recorded_pass import GRADIENT_PREFIX

_ABOUT = "recording.json"


class RecordingFolder:
    """A folder of ``.npy`` files, one a value, named as `Tape.tensors` names them.

    While it is being written, and after an interruption, it is called ``path`` + ``.incomplete``;
    at the end it is renamed.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)
        self._partial_path = self.path.with_name(f"{self.path.name}.incomplete")
        self._arrays: dict[str, GrowingArray] = {}
        self.is_open = False

    def begin(self) -> None:
        """Make the folder. Raises FileExistsError if it exists, OSError if it cannot be made."""
        for path in (self.path, self._partial_path):
            if path.exists():
                raise FileExistsError(f"{path} exists; remove it, or record to another folder")
        self._partial_path.mkdir(parents=True)
        self._arrays.clear()
        self.is_open = True

    def discard(self, label: str) -> None:
        """A new sequence of one layer and direction begins: forget what there is of it."""
        for name in [name for name in self._arrays if name.startswith(f"{label}.")]:
            del self._arrays[name]

    def build_store(self, label: str, first_row: int) -> FolderStore:
        """For a part of a sequence of one layer and direction, which begins at ``first_row``."""
        return FolderStore(self, label, first_row)

    def open_array(self, name: str, rows: int, like: Tensor) -> GrowingArray:
        """The array of that name with at least ``rows`` rows, each as those of ``like``."""
        dtype = torch.float32 if like.dtype == torch.bfloat16 else like.dtype  # which NumPy lacks
        found = self._arrays.get(name)
        if found is None or (found.row_shape, found.dtype) != (like.shape[1:], dtype):
            path = self._partial_path / f"{name}.npy"
            found = self._arrays[name] = GrowingArray(path, tuple(like.shape[1:]), dtype)
        found.extend_to(rows)
        return found

    def finish(self) -> None:
        """Everything is written: rename the folder to its final name."""
        self.is_open = False
        for name, array in self._arrays.items():
            array.extend_to(self._count_rows(name))
            array.flush()
        about = {"format": "sluice recording", "layout": "time, batch, width"}
        write_atomically(self._partial_path / _ABOUT, json.dumps(about).encode())
        self._partial_path.rename(self.path)

    def _count_rows(self, name: str) -> int:
        """Of a derivative as many rows as its value has: what no backward pass reached is zero."""
        value = self._arrays.get(name.replace(f".{GRADIENT_PREFIX}", ".", 1))
        return 0 if value is None else len(value)

    def abandon(self) -> None:
        """The block ended by an error: nothing more is written."""
        self.is_open = False


class FolderStore(TensorStore):
    """Rows of a part of a sequence in the arrays of a folder, from ``first_row`` on.

    What comes after the folder is finished is kept in memory.
    """

    def __init__(self, folder: RecordingFolder, label: str, first_row: int) -> None:
        super().__init__()
        self._folder, self._label, self._first_row = folder, label, first_row
        self._arrays: dict[str, tuple[GrowingArray, int]] = {}

    def write(self, name: str, start: int, total: int, rows: Tensor) -> None:
        """As `TensorStore.write`."""
        if not self._folder.is_open:
            self._arrays.pop(name, None)
            super().write(name, start, total, rows)
            return
        first = self._first_row
        array = self._folder.open_array(f"{self._label}.{name}", first + total, rows)
        array.read(first + start, first + start + len(rows))[:] = rows
        self._arrays[name] = array, total

    def clear(self, name: str) -> None:
        """As `TensorStore.clear`; a finished folder keeps what it has."""
        if self._folder.is_open and name in self._arrays:
            self.read(name).zero_()
        self._arrays.pop(name, None)
        super().clear(name)

    def read(self, name: str) -> Tensor:
        """As `TensorStore.read`; it lies in the file."""
        if name not in self._arrays:
            return super().read(name)
        array, total = self._arrays[name]
        return array.read(self._first_row, self._first_row + total)


def load_recording(path: StrPath) -> dict[str, Tensor]:
    """A recording from a file that `Tape.save` wrote, or a folder that ``record(to=...)`` did.

    Names are those of `Tape.tensors`, ``encoder.l0.forget``, ``encoder.l0.gradient.forget``;
    values ``(time, batch, width)``. Those of a folder are memory-mapped: read when looked at.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
        ValueError: what is there is no recording, or one that was interrupted.

    Example:
        >>> import tempfile, torch, sluice
        >>> layer = sluice.nn.GRU(3, 8)
        >>> with tempfile.TemporaryDirectory() as place:
        ...     with torch.no_grad(), sluice.record(layer, to=f"{place}/run") as tape:
        ...         _ = layer(torch.randn(5, 2, 3))
        ...     sorted(sluice.insight.load_recording(f"{place}/run"))
        ['l0.candidate', 'l0.h', 'l0.reset', 'l0.update']
    """
    path = Path(path)
    if path.is_dir():
        return _load_folder(path)
    if not path.exists():
        raise FileNotFoundError(ENOENT, "there is no recording", str(path))
    try:
        return safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} was not written by Tape.save: {error}") from None


def _load_folder(path: Path) -> dict[str, Tensor]:
    if not (path / _ABOUT).exists():
        broken = path.suffix == ".incomplete"
        problem = "is unfinished: its recording was interrupted" if broken else "holds no recording"
        raise ValueError(f"{path} {problem}")
    # Copied where it is written to, as torch asks of what it wraps.
    return {
        file.stem: torch.from_numpy(np.load(file, mmap_mode="c"))
        for file in sorted(path.glob("*.npy"))
    }
