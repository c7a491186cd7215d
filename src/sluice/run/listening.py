"""Who records which layer.

The switch is a context variable: it reaches the thread (or task) that turned it on, and no other.
"""

from __future__ import annotations

import threading
import weakref
from contextvars import ContextVar
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from sluice.run.choose import transforming
from sluice.run.passes import Pass
from sluice.run.recording import Company, Read, Recording, Wanted


class Listener(Protocol):
    """What records."""

    def hears(self, layer: object) -> bool:
        """Whether this layer is one of those to record."""
        ...

    def wants(self, layer: object, place: int) -> Wanted | None:
        """What of this layer and direction; None for nothing."""
        ...

    def take(self, layer: object, place: int, recording: Recording, job: Pass) -> None:
        """A pass begins; place 0 (the first layer, forward) begins a call of ``layer``."""
        ...

    def append(
        self, layer: object, place: int, stream: object, job: Pass, backend: str, read: Read
    ) -> None:
        """One layer of a ``stream`` has made a step, as ``job``; ``read`` gives its values."""
        ...


class Changing(Protocol):
    """What must know when recordings begin and end, anywhere in the process."""

    def recordings_changed(self, some: bool) -> None:
        """Whether there are some now."""
        ...


_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("sluice_recordings", default=())
_changing: weakref.WeakSet[Changing] = weakref.WeakSet()
_on, _lock = 0, threading.Lock()


def start(listener: Listener) -> None:
    """From now on ``listener`` takes what is run in this context."""
    _listeners.set((*_listeners.get(), listener))
    _count(1)


def stop(listener: Listener) -> None:
    """``listener`` takes nothing any more."""
    _listeners.set(tuple(other for other in _listeners.get() if other is not listener))
    _count(-1)


def _count(more: int) -> None:
    global _on
    with _lock:
        _on += more
        for one in list(_changing):
            one.recordings_changed(_on > 0)


def tell(one: Changing) -> None:
    """Tell ``one`` from now on, and now, whether there are recordings."""
    with _lock:
        _changing.add(one)
        one.recordings_changed(_on > 0)


def listening(listener: Listener) -> bool:
    """Whether ``listener`` is on."""
    return any(other is listener for other in _listeners.get())


def active() -> bool:
    """Whether anybody records anything in this context."""
    return bool(_listeners.get())


# As torch.compiler.assume_constant_result marks it, without importing the compiler for that.
active._dynamo_marked_constant = True  # type: ignore[attr-defined]


def heard(layer: object) -> bool:
    """Whether somebody records ``layer``.

    Raises RuntimeError under a compiler, an export or a ``torch.func`` transform.
    """
    if not active():
        return False
    if torch.compiler.is_compiling() or transforming():
        raise RuntimeError(
            "sluice.record cannot look into torch.compile, torch.export or a torch.func transform; "
            "call the plain model inside it"
        )
    return bool(listeners(layer))


def listeners(layer: object) -> list[Listener]:
    """All who record ``layer``."""
    return [listener for listener in _listeners.get() if listener.hears(layer)]


def begin(
    layer: object, place: int, job: Pass, order: Tensor | None
) -> tuple[Pass, Recording | Company | None]:
    """A recording of ``job`` for all who listen to ``layer``, None where nobody does.

    With it comes the job to run, whose graph names all that is wanted.
    """
    if not active():
        return job, None
    wanted = [
        (listener, want)
        for listener in listeners(layer)
        if (want := listener.wants(layer, place)) is not None
    ]
    if not wanted:
        return job, None
    found, graph = list[Recording](), job.graph
    for listener, want in wanted:
        recording = Recording(job, order, want)
        listener.take(layer, place, recording, job)
        found.append(recording)
        graph = want.graph(graph)
    return replace(job, graph=graph), found[0] if len(found) == 1 else Company(found)
