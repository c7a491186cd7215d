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

from sluice.run.recording.recorded_pass import Recording, RecordingGroup, RecordSpec, ValueReader
from sluice.run.spec import RunSpec
from sluice.run.torch_state import is_transform_active, mark_constant


class Recorder(Protocol):
    """What records."""

    def matches(self, layer: object) -> bool:
        """Whether this layer is one of those to record."""
        ...

    def spec_for(self, layer: object, place: int) -> RecordSpec | None:
        """What of this layer and direction; None for nothing."""
        ...

    def on_pass(self, layer: object, place: int, recording: Recording, spec: RunSpec) -> None:
        """A pass begins; place 0 (the first layer, forward) begins a call of ``layer``."""
        ...

    def on_stream_step(
        self,
        layer: object,
        place: int,
        stream: object,
        spec: RunSpec,
        backend: str,
        read: ValueReader,
    ) -> None:
        """One layer of a ``stream`` has made a step, as ``job``; ``read`` gives its values."""
        ...


class RecordingSubscriber(Protocol):
    """What must know when recordings begin and end, anywhere in the process."""

    def on_recording_change(self, any_active: bool) -> None:
        """Whether there are some now."""
        ...


_recorders: ContextVar[tuple[Recorder, ...]] = ContextVar("sluice_recordings", default=())
_subscribers: weakref.WeakSet[RecordingSubscriber] = weakref.WeakSet()
_active_count, _lock = 0, threading.Lock()


def start(recorder: Recorder) -> None:
    """From now on ``listener`` takes what is run in this context."""
    _recorders.set((*_recorders.get(), recorder))
    _update_count(1)


def stop(recorder: Recorder) -> None:
    """``listener`` takes nothing any more."""
    _recorders.set(tuple(other for other in _recorders.get() if other is not recorder))
    _update_count(-1)


def _update_count(change: int) -> None:
    global _active_count
    with _lock:
        _active_count += change
        for one in list(_subscribers):
            one.on_recording_change(_active_count > 0)


def subscribe(subscriber: RecordingSubscriber) -> None:
    """Tell ``one`` from now on, and now, whether there are recordings."""
    with _lock:
        _subscribers.add(subscriber)
        subscriber.on_recording_change(_active_count > 0)


def is_active(recorder: Recorder) -> bool:
    """Whether ``listener`` is on."""
    return any(other is recorder for other in _recorders.get())


@mark_constant
def is_any_active() -> bool:
    """Whether anybody records anything in this context."""
    return bool(_recorders.get())


def is_recorded(layer: object) -> bool:
    """Whether somebody records ``layer``.

    Raises RuntimeError under a compiler, an export or a ``torch.func`` transform.
    """
    if not is_any_active():
        return False
    if torch.compiler.is_compiling() or is_transform_active():
        raise RuntimeError(
            "sluice.record cannot look into torch.compile, torch.export or a torch.func transform; "
            "call the plain model inside it"
        )
    return bool(find_recorders(layer))


def find_recorders(layer: object) -> list[Recorder]:
    """All who record ``layer``."""
    return [listener for listener in _recorders.get() if listener.matches(layer)]


def begin_recording(
    layer: object, place: int, spec: RunSpec, order: Tensor | None
) -> tuple[RunSpec, Recording | RecordingGroup | None]:
    """A recording of ``job`` for all who listen to ``layer``, None where nobody does.

    With it comes the job to run, whose graph names all that is wanted.
    """
    if not is_any_active():
        return spec, None
    wanted = [
        (listener, want)
        for listener in find_recorders(layer)
        if (want := listener.spec_for(layer, place)) is not None
    ]
    if not wanted:
        return spec, None
    found, graph = list[Recording](), spec.graph
    for listener, want in wanted:
        recording = Recording(spec, order, want)
        listener.on_pass(layer, place, recording, spec)
        found.append(recording)
        graph = want.instrument(graph)
    return replace(spec, graph=graph), found[0] if len(found) == 1 else RecordingGroup(found)
