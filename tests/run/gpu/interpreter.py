"""Tests that run kernels in Triton's interpreter, in a process of their own.

Triton reads TRITON_INTERPRET when it is imported, and then can no longer compile. So the process
that runs the tests keeps Triton as it is, and starts one more for `in_interpreter`.
"""

from __future__ import annotations

import functools
import importlib
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from sluice.run.gpu.availability import explain_missing_triton

MISSING = explain_missing_triton()
needs_triton = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
_SETTINGS = {"TRITON_INTERPRET": "1", "SLUICE_POISON": "1"}
_SECONDS = 300
_ROOT = Path(__file__).parents[2]


def in_interpreter(test: Callable[..., None]) -> Any:
    """Run a test in the interpreter's process; its arguments are parameters, never fixtures."""

    @needs_triton
    @functools.wraps(test)
    def call(**parameters: Any) -> None:
        found = _get_process().call(test, parameters)
        if found is not None:
            pytest.fail(f"{parameters}\n{found}", pytrace=False)

    return call


class _Process:
    """Runs tests one after another and answers with the text of what was raised."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other,), daemon=True)
        before = {name: os.environ.get(name) for name in _SETTINGS}
        os.environ.update(_SETTINGS)
        try:
            self.process.start()
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def call(self, test: Callable[..., None], parameters: dict[str, Any]) -> str | None:
        path = Path(test.__code__.co_filename).relative_to(_ROOT).with_suffix("")
        self.connection.send((".".join(path.parts), test.__name__, parameters))
        if self.connection.poll(_SECONDS):
            try:
                answer: str | None = self.connection.recv()
            except EOFError:
                answer = "the interpreter's process ended"
            else:
                return answer
        else:
            answer = f"no answer within {_SECONDS} s"
        self.process.kill()
        _get_process.cache_clear()
        return answer


@functools.cache
def _get_process() -> _Process:
    return _Process()


def _serve(connection: Connection) -> None:
    import torch

    torch.set_num_threads(1)
    sys.path[:0] = [str(_ROOT)]
    _leave_out_what_has_no_effect()
    while True:
        try:
            module, name, parameters = connection.recv()
        except EOFError:
            return
        try:
            getattr(importlib.import_module(module), name).__wrapped__(**parameters)
        except BaseException:
            connection.send(traceback.format_exc())
        else:
            connection.send(None)


def _leave_out_what_has_no_effect() -> None:
    """Half of the interpreter's time: checks whose result is dropped, functions patched twice."""
    from triton.runtime import interpreter

    assert not interpreter.interpreter_builder.options.debug
    object.__setattr__(interpreter.interpreter_builder.options, "sanitize_overflow", False)

    patched: dict[int, Any] = {}  # the modules of Triton that device functions stand in

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if id(self.fn.__globals__) not in patched:
            interpreter._patch_lang(self.fn)
            patched[id(self.fn.__globals__)] = self.fn.__globals__
        return self.rewrite()(*args, **kwargs)

    interpreter.InterpretedFunction.__call__ = call
