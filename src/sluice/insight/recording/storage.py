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
from sluice.run.recording.buffers import TensorFactory

_ABOUT = "recording.json"


class RecordingFolder:
    """A folder of ``.npy`` files, one a value, named as `Tape.tensors` names them.

    While it is being written, and after an interruption, it is called ``path`` + ``.incomplete``;
    at the end it is renamed.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)
        self._partial_path = self.path.with_name(f"{self.path.name}.incomplete")
        self._arrays: dict[str, np.memmap[tuple[int, ...], np.dtype[np.generic]]] = {}

    def begin(self) -> None:
        """Make the folder. Raises FileExistsError if it exists, OSError if it cannot be made."""
        for path in (self.path, self._partial_path):
            if path.exists():
                raise FileExistsError(f"{path} exists; remove it, or record to another folder")
        self._partial_path.mkdir(parents=True)

    def build_allocator(self, label: str) -> TensorFactory:
        """Allocates tensors of one layer and direction in this folder."""

        def make(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
            if 0 in shape:
                return torch.zeros(shape, dtype=dtype)
            wide = torch.float32 if dtype == torch.bfloat16 else dtype  # which NumPy lacks
            kind = torch.empty(0, dtype=wide).numpy().dtype
            whole = f"{label}.{name}"
            path = self._partial_path / f"{whole}.npy"
            array = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
            self._arrays[whole] = array
            return torch.from_numpy(array)

        return make

    def finish(self) -> None:
        """Everything is written: rename the folder to its final name."""
        for array in self._arrays.values():
            array.flush()
        about = {"format": "sluice recording", "layout": "time, batch, width"}
        write_atomically(self._partial_path / _ABOUT, json.dumps(about).encode())
        self._partial_path.rename(self.path)
        self._arrays.clear()


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
