"""The active recorders, and the layers that each of them records.

They are in a context variable: a recorder is active in the thread (or task) that started it, and
in no other.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from sluice.locks import ForkSafeLock
from sluice.run.recording.record_spec import RecordSpec
from sluice.run.recording.recorded_pass import Recording
from sluice.run.recording.sinks import ChunkableSink, RecordingGroup, ValueReader
from sluice.run.spec import RunSpec
from sluice.run.torch_state import find_observer, is_transform_active, mark_constant


class Recorder(Protocol):
    """Records layers and streams. ``place`` numbers a layer's directions: 2 * layer + reverse in
    a bidirectional stack, the layer otherwise."""

    def matches(self, layer: object) -> bool:
        """Whether ``layer`` is one of those to record."""
        ...

    def spec_for(self, layer: object, place: int) -> RecordSpec | None:
        """What to record of this layer and direction; None for nothing."""
        ...

    def on_pass(self, layer: object, place: int, recording: Recording, spec: RunSpec) -> None:
        """A pass begins; place 0 (the first layer, forward) begins a call of ``layer``.

        The recorder must keep ``recording``: nobody else does once the pass is done.
        """
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
        """One layer of ``stream`` has run a step, ``spec``; ``read`` gives its values."""
        ...


@runtime_checkable
class CallRecorder(Protocol):
    """A recorder that also knows when calls of a layer begin and end."""

    def on_call(self, layer: object, states: Sequence[Tensor] | None, goes_forward: bool) -> None:
        """A call of ``layer`` begins, from ``states``, ``(batch, width)`` each; None for its own.

        ``goes_forward``: whether it reads from the start alone, so that another call can go on.
        """
        ...

    def on_refusal(self) -> None:
        """A call, of layers that are not known, was refused."""
        ...

    def on_return(self, layer: object, states: Sequence[Tensor]) -> None:
        """The call has reached ``states``."""
        ...


class RecordingSubscriber(Protocol):
    """Must know when recorders start and stop, anywhere in the process."""

    def on_recording_change(self, any_active: bool) -> None:
        """Whether any recorder is active now."""
        ...


_REFUSAL = (
    "sluice.record cannot look into torch.compile, torch.export, torch.jit.trace or a torch.func "
    "transform, so this call was refused; inside the block call the plain model, and compile, "
    "export, trace or transform outside of it"
)
_recorders: ContextVar[tuple[Recorder, ...]] = ContextVar("sluice_recordings", default=())
_subscribers: weakref.WeakSet[RecordingSubscriber] = weakref.WeakSet()
_active_count, _lock = 0, ForkSafeLock()
any_in_process = False
"""Whether any recorder is active in any thread."""


def start(recorder: Recorder) -> None:
    """Activate ``recorder`` in this context."""
    _recorders.set((*_recorders.get(), recorder))
    _update_count(1)


def stop(recorder: Recorder) -> None:
    """Deactivate ``recorder``."""
    _recorders.set(tuple(other for other in _recorders.get() if other is not recorder))
    _update_count(-1)


def _update_count(change: int) -> None:
    global _active_count, any_in_process
    with _lock.hold():
        _active_count += change
        any_in_process = _active_count > 0
        for one in list(_subscribers):
            one.on_recording_change(_active_count > 0)


def subscribe(subscriber: RecordingSubscriber) -> None:
    """Notify ``subscriber`` now, and at every change, whether any recorder is active."""
    with _lock.hold():
        _subscribers.add(subscriber)
        subscriber.on_recording_change(_active_count > 0)


def is_active(recorder: Recorder) -> bool:
    """Whether ``recorder`` is active in this context."""
    return any(other is recorder for other in _recorders.get())


@mark_constant
def is_any_active() -> bool:
    """Whether any recorder is active in this context."""
    return bool(_recorders.get())


def is_recorded(layer: object) -> bool:
    """Whether any recorder records ``layer``.

    Raises RuntimeError under a compiler, an export, a trace or a ``torch.func`` transform.
    """
    # Compilers guard the first, and compile anew where it has changed.
    if not any_in_process or not is_any_active():
        return False
    if torch.compiler.is_compiling() or is_transform_active() or find_observer() == "a trace":
        refuse_compiled()
    return bool(find_recorders(layer))


@mark_constant
def refuse_compiled() -> None:
    """Raise RuntimeError where a recorder is active: a compiled program runs, of unknown layers.

    Its recorders lose what they have, which is not of this call.
    """
    if not is_any_active():
        return
    for recorder in _recorders.get():
        if isinstance(recorder, CallRecorder):
            recorder.on_refusal()
    raise RuntimeError(_REFUSAL)


def begin_call(layer: object, states: Sequence[Tensor] | None, goes_forward: bool) -> None:
    """Tell the recorders of ``layer`` that a call begins; see `CallRecorder.on_call`."""
    for recorder in find_recorders(layer):
        if isinstance(recorder, CallRecorder):
            recorder.on_call(layer, states, goes_forward)


def end_call(layer: object, states: Sequence[Tensor]) -> None:
    """Tell them that it has reached ``states``."""
    for recorder in find_recorders(layer):
        if isinstance(recorder, CallRecorder):
            recorder.on_return(layer, states)


def find_recorders(layer: object) -> list[Recorder]:
    """The active recorders of ``layer``."""
    return [recorder for recorder in _recorders.get() if recorder.matches(layer)]


def find_record_specs(layer: object, place: int) -> list[tuple[Recorder, RecordSpec]]:
    """The active recorders of a layer and direction, and what each of them records."""
    found = [(recorder, recorder.spec_for(layer, place)) for recorder in find_recorders(layer)]
    return [(recorder, spec) for recorder, spec in found if spec is not None]


def begin_recording(
    layer: object, place: int, spec: RunSpec, order: Tensor | None
) -> tuple[RunSpec, ChunkableSink | None]:
    """The pass to run in place of ``spec``, and the sink to deliver it to; None without recorders.

    The graph of that pass names everything that is to be recorded.
    """
    if not is_any_active():
        return spec, None
    recordings, graph = list[Recording](), spec.graph
    for recorder, record_spec in find_record_specs(layer, place):
        recording = Recording(spec, order, record_spec)
        recorder.on_pass(layer, place, recording, spec)
        recordings.append(recording)
        graph = record_spec.instrument(graph)
    if not recordings:
        return spec, None
    sink = recordings[0] if len(recordings) == 1 else RecordingGroup(recordings)
    return replace(spec, graph=graph), sink
