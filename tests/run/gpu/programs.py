"""The programs of a launch in the interpreter, side by side: real ones or one at a time."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from gpu_compile import replace_launch
from sluice.run.gpu.kernels import Kernel

# Every program in a process of its own

_LATE = 0.2


@contextlib.contextmanager
def run_in_processes(seconds: float = 60) -> Iterator[None]:
    """Launches start a process for each program; memory is shared, and they wait for each other.

    The first starts late: what does not wait for it reads what is not there yet.
    """
    with replace_launch(lambda *launch: _launch_processes(*launch, seconds=seconds)):
        yield


def _launch_processes(
    kernel: Kernel, programs: int, arguments: dict[str, Any], warps: int, seconds: float
) -> None:
    for value in arguments.values():
        if isinstance(value, Tensor) and not value.is_shared():
            value.share_memory_()
    first, left = arguments["PID0"], set()
    for program in range(programs):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                time.sleep(0.0 if program else _LATE)
                kernel.function[(1,)](**arguments | {"PID0": first + program})
                code = 0
            finally:
                os._exit(code)
        left.add(child)
    failed, end = [], time.monotonic() + seconds
    while left and time.monotonic() < end:
        for child in tuple(left):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                left.discard(child)
                failed += [status] if status else []
        time.sleep(0.002)
    for child in left:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert not left, f"{len(left)} of {programs} programs still wait after {seconds} s"
    assert not failed, f"{len(failed)} of {programs} programs failed"


# One program at a time


@contextlib.contextmanager
def run_in_order(backwards: bool, is_met: bool = True) -> Iterator[None]:
    """Launches run one program at a time, always the first that can go on, or the last.

    Programs stop where they arrive and where they wait, and the first one goes on whenever it
    can. So of two stretches that may run at the same time, the one of the earlier program always
    runs first; ``backwards`` the other way round. What is right in both orders needs no more
    meetings: nothing depends on how fast a program is. Without ``is_met`` every wait fails.
    """
    with replace_launch(partial(_launch_in_order, backwards=backwards, is_met=is_met)):
        yield


def _launch_in_order(
    kernel: Kernel,
    programs: int,
    arguments: dict[str, Any],
    warps: int,
    *,
    backwards: bool,
    is_met: bool,
) -> None:
    from triton.runtime import interpreter

    function = kernel.function.rewrite()
    fixed = {name for name, kind in function.__annotations__.items() if "constexpr" in str(kind)}
    scope = interpreter._patch_lang(function)
    interpreter.interpreter_builder.set_grid_dim(1, 1, 1)
    interpreter.interpreter_builder.set_grid_idx(0, 0, 0)

    def run(program: int) -> None:
        own: Mapping[str, Any] = arguments | {"PID0": arguments["PID0"] + program}
        function(**{k: v if k in fixed else interpreter._implicit_cvt(v) for k, v in own.items()})

    order = _Order(programs, run, backwards, is_met)
    try:
        with _replace_meetings(function, order):
            order.run()
    finally:
        scope.restore()


@contextlib.contextmanager
def _replace_meetings(function: Any, order: _Order) -> Iterator[None]:
    """`_Order`'s methods in place of the functions with which a kernel's programs meet."""
    names = {"_arrive": order.arrive, "_wait": order.wait}
    before = {name: function.__globals__[name] for name in names}
    function.__globals__.update(names)
    try:
        yield
    finally:
        function.__globals__.update(before)


class _Order:
    """Runs programs as threads of which only one is awake."""

    def __init__(
        self, programs: int, run: Callable[[int], None], backwards: bool, is_met: bool
    ) -> None:
        self._run_program, self._is_met = run, is_met
        self._awake = [threading.Semaphore(0) for _ in range(programs)]
        self._main = threading.Semaphore(0)
        self._arrived: dict[int, int] = defaultdict(int)
        self._needs: list[tuple[int, int] | None] = [(0, 0)] * programs  # None: at its end
        self._order = range(programs)[:: -1 if backwards else 1]
        self._current = 0
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Run all programs to their end."""
        threads = [
            threading.Thread(target=self._serve, args=(program,), daemon=True)
            for program in self._order
        ]
        for thread in threads:
            thread.start()
        while any(need is not None for need in self._needs):
            ready = [p for p in self._order if self._can_go_on(p)]
            assert ready, f"all programs wait: {self._needs}, {dict(self._arrived)}"
            self._current = ready[0]
            self._awake[self._current].release()
            self._main.acquire()
            if self._failure is not None:
                raise self._failure

    def _can_go_on(self, program: int) -> bool:
        need = self._needs[program]
        return need is not None and self._arrived[need[0]] >= need[1]

    def _serve(self, program: int) -> None:
        self._awake[program].acquire()
        try:
            self._run_program(program)
        except BaseException as error:
            self._failure = error
        self._needs[program] = None
        self._main.release()

    def _stop_until(self, counter: int, goal: int) -> None:
        program = self._current
        self._needs[program] = (counter, goal)
        self._main.release()
        self._awake[program].acquire()

    def arrive(self, counter: Any) -> None:
        """In place of ``_arrive``."""
        self._arrived[_as_number(counter)] += 1
        self._stop_until(0, 0)

    def wait(self, counter: Any, goal: Any, is_met: Any) -> Any:
        """In place of ``_wait``."""
        self._stop_until(_as_number(counter), _as_number(goal))
        return is_met & self._is_met


def _as_number(value: Any) -> int:
    """A number of the interpreter as an integer; of a pointer, its address."""
    return int(value.handle.data.item())
