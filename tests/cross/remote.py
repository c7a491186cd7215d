"""The kernels of another system, run by an emulator in a process of their own.

`Kernels` takes the place of the extension module: it sends lists and the arrays that they point to
to `driver.cpp`, and writes what comes back where the kernels would. Bodies are compiled for the
other system, linked there into a library, and loaded by the driver.
"""

from __future__ import annotations

import ctypes
import itertools
import shutil
import struct
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sluice.codegen.body import Body
from sluice.codegen.jit import compile_object
from sluice.run.kernels import compiled_cell, extension

SOURCE = Path(__file__).parent
BUILD = SOURCE.parents[1] / "build"
SECONDS = 120
REQUESTS = (
    "load",
    "find",
    "program",
    "layer",
    "forward",
    "backward",
    "forward_once",
    "backward_once",
    "body",
)


@dataclass(frozen=True)
class Target:
    """A system to build for, the tools for it, and what runs its programs here."""

    name: str
    system: str
    processor: str
    triple: str
    cpu: str
    compiler: str
    runner: tuple[str, ...]
    packages: str
    libraries: str = ".so"

    def find_missing(self) -> str:
        """What cannot be found here and how to get it; empty where all is there."""
        tools = [self.compiler, self.runner[0], "cmake", "ninja"]
        missing = [tool for tool in tools if shutil.which(tool) is None]
        return (missing and f"no {', '.join(missing)}: apt-get install {self.packages}") or ""

    def build_driver(self) -> Path:
        """Build the driver for the target."""
        folder = BUILD / self.name
        subprocess.run(
            [
                *("cmake", "-G", "Ninja", "-S", str(SOURCE), "-B", str(folder)),
                f"-DCMAKE_SYSTEM_NAME={self.system}",
                f"-DCMAKE_SYSTEM_PROCESSOR={self.processor}",
                f"-DCMAKE_CXX_COMPILER={self.compiler}",
                "-DCMAKE_CXX_FLAGS=-Werror",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=600,
        )
        subprocess.run(
            ["cmake", "--build", str(folder)], check=True, stdout=subprocess.DEVNULL, timeout=600
        )
        return next(folder.glob("driver_generic*"))


def encode_list(words: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(words) + 1}q", len(words), *words)


def encode_text(text: str) -> bytes:
    return encode_list(text.encode())


def encode_word(word: int) -> bytes:
    return struct.pack("<q", word)


def find_call_arrays(words: Sequence[int]) -> list[int]:
    """The places of all addresses in the list of a call."""
    found, at = [], 2
    while at < len(words):
        tag, length = words[at], words[at + 1]
        first, end = at + 2, at + 2 + length
        if tag == 5:  # masks: two distances, then the array
            found += range(first + 2, end, 4)
        elif tag > 1:  # the first section holds sizes
            found += range(first, end, 2)
        at = end
    return found


class Kernels:
    """The extension module of another system, as far as passes over time need it."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target, self.folder = target, folder
        self.isa = f"generic on {target.name} {id(self)}"  # a key of caches: addresses are its own
        driver = target.build_driver()
        self.process = subprocess.Popen(
            [*target.runner, str(driver)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._names = itertools.count()
        for kind in compiled_cell.LAYER_CLASSES.values():
            setattr(self, kind, LayerClass(self, kind))

    def close(self) -> None:
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def ask(self, request: str, *parts: bytes) -> int:
        """The result of a request; raises ValueError with the message of one that failed.

        A driver that does not answer is ended.
        """
        pipe = self.process.stdin
        assert pipe is not None
        end = threading.Timer(SECONDS, self.process.kill)
        end.start()
        try:
            pipe.write(encode_word(REQUESTS.index(request)) + b"".join(parts))
            pipe.flush()
            failed, result = self._read_word(), self._read_word()
        finally:
            end.cancel()
        if failed:
            raise ValueError(self.read(result).decode())
        return result

    def run_call(self, request: str, head: bytes, words: Sequence[int], last: int) -> int:
        """A pass over time: the number of its tape; the arrays of ``words`` are written."""
        arrays = [(k, words[k], words[k + 1]) for k in find_call_arrays(words) if words[k]]
        result = self.ask(request, head, encode_arrays(words, arrays), encode_word(last))
        for _, address, size in arrays:
            ctypes.memmove(address, self.read(size), size)
        return result

    def read(self, size: int) -> bytes:
        assert self.process.stdout is not None
        found = self.process.stdout.read(size)
        assert len(found) == size, f"the driver ended: {self.process.poll()}"
        return found

    def _read_word(self) -> int:
        return int(struct.unpack("<q", self.read(8))[0])

    def compile_bodies(self, bodies: Mapping[str, Body], bits: int, isa: str | None = None) -> Any:
        """Bodies in a library of the driver's: their addresses there."""
        stem = self.folder / f"bodies{next(self._names)}"
        code = stem.with_suffix(".o")
        library = stem.with_suffix(self.target.libraries)
        code.write_bytes(compile_object(bodies, bits, self.target.triple, self.target.cpu))
        exports = [] if self.target.libraries == ".so" else ["-Wl,--export-all-symbols"]
        subprocess.run(
            [self.target.compiler, "-shared", *exports, "-o", str(library), str(code)],
            check=True,
            timeout=600,
        )
        self.ask("load", encode_text(str(library)))
        return SimpleNamespace(addresses={b: self.ask("find", encode_text(b)) for b in bodies})

    def Program(self, words: list[int], bodies: list[Any], lanes: int, _: object) -> int:
        listed = [encode_word(address) + encode_list(accesses) for address, accesses in bodies]
        count = encode_word(len(bodies))
        return self.ask("program", encode_list(words), count, *listed, encode_word(lanes))


@dataclass(frozen=True)
class LayerClass:
    """The layers of one precision."""

    kernels: Kernels
    kind: str

    def __call__(self, program: int, parameters: list[int], trains: bool, threads: int) -> Layer:
        head = encode_text(self.kind) + encode_word(program) + encode_parameters(parameters)
        tail = encode_word(trains) + encode_word(threads)
        return Layer(self.kernels, self.kernels.ask("layer", head, tail))

    def forward_once(
        self, program: int, parameters: list[int], words: list[int], keep: bool
    ) -> int:
        return self._run("forward_once", program, parameters, words, int(keep))

    def backward_once(
        self, program: int, parameters: list[int], words: list[int], tape: int
    ) -> int:
        return self._run("backward_once", program, parameters, words, tape)

    def _run(
        self, request: str, program: int, parameters: list[int], words: list[int], last: int
    ) -> int:
        head = encode_text(self.kind) + encode_word(program) + encode_parameters(parameters)
        return self.kernels.run_call(request, head, words, last)


@dataclass(frozen=True)
class Layer:
    """Weights packed in the driver."""

    kernels: Kernels
    number: int

    def forward(self, words: list[int], keep: bool) -> int:
        return self.kernels.run_call("forward", encode_word(self.number), words, int(keep))

    def backward(self, words: list[int], tape: int) -> int:
        return self.kernels.run_call("backward", encode_word(self.number), words, tape)


def encode_parameters(words: list[int]) -> bytes:
    places = range(0, len(words), 2)
    return encode_arrays(words, [(k, words[k], words[k + 1]) for k in places if words[k]])


def encode_arrays(words: Sequence[int], arrays: Sequence[tuple[int, int, int]]) -> bytes:
    parts = [encode_list(words), encode_word(len(arrays))]
    for place, address, size in arrays:
        parts += [struct.pack("<2q", place, size), ctypes.string_at(address, size)]
    return b"".join(parts)


def replace_kernels(monkeypatch: pytest.MonkeyPatch, kernels: Kernels) -> None:
    """Let the fused passes run on ``kernels``."""
    monkeypatch.setattr(extension, "load_extension", lambda: kernels)
    monkeypatch.setattr(compiled_cell, "compile_bodies", kernels.compile_bodies)
