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

    While it is being written it is called ``path`` + ``.incomplete``, and so is what an
    interrupted recording leaves; at the end it is renamed.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)
        self._partial_path = self.path.with_name(f"{self.path.name}.incomplete")
        self._arrays: dict[str, np.memmap[tuple[int, ...], np.dtype[np.generic]]] = {}

    def begin(self) -> None:
        """Make the folder. Raises FileExistsError where there is one, OSError where it cannot."""
        for path in (self.path, self._partial_path):
            if path.exists():
                raise FileExistsError(
                    f"there is something at {path}; remove it, or record to another folder"
                )
        self._partial_path.mkdir(parents=True)

    def build_allocator(self, label: str) -> TensorFactory:
        """Makes tensors of one layer and direction that lie in this folder."""

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
        """All is written: give the folder its name."""
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
        raise ValueError(f"{path} is no file that Tape.save wrote: {error}") from None


def _load_folder(path: Path) -> dict[str, Tensor]:
    if not (path / _ABOUT).exists():
        broken = path.suffix == ".incomplete"
        told = "is unfinished: its recording was interrupted" if broken else "holds no recording"
        raise ValueError(f"{path} {told}")
    # Copied where it is written to, as torch asks of what it wraps.
    return {
        file.stem: torch.from_numpy(np.load(file, mmap_mode="c"))
        for file in sorted(path.glob("*.npy"))
    }
