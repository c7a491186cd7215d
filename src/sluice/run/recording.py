"""Recordings: who listens to which layer, and what one pass of a layer leaves for them.

The switch is a context variable: it reaches the thread (or task) that turned it on, and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from sluice.run.choose import transforming
from sluice.run.passes import Pass

Read = Callable[[str], Tensor]
"""A named value, ``(time, batch, width)``, anything at all where a sequence has ended."""


class _Lazily:
    """Reads each name when it is first asked for, and lets go of the source after the last."""

    def __init__(self, read: Read, names: Iterable[str]) -> None:
        self._read: Read | None = read
        self._left, self._found = set(names), dict[str, Tensor]()

    def __call__(self, name: str) -> Tensor:
        if name not in self._found:
            assert self._read is not None
            self._found[name] = self._read(name)
            self._left.discard(name)
            if not self._left:
                self._read = None
        return self._found[name]


class Recording:
    """The named values of one pass, and the derivatives of the loss with respect to them.

    All are ``(time, batch, width)``, detached, in the dtype that the pass computed in, the batch
    in the caller's order, zero where a sequence has ended.

    Attributes:
        names: The names that the cell's step returns.
        backend: Which backend ran, ``"fused"`` or ``"reference"``.
    """

    def __init__(self, job: Pass, order: Tensor | None) -> None:
        """``order`` brings the batch of ``job`` into the caller's order; None where it is in it."""
        self.names = tuple(job.graph.named)
        self.backend = ""
        self._valid, self._order, self._trains = job.valid, order, False
        self._values: _Lazily | None = None
        self._gradients: _Lazily | None = None

    def ran(self, backend: str, read: Read, trains: bool) -> None:
        """The pass is done; ``trains`` says whether a way back can follow."""
        self.backend, self._trains = backend, trains
        self._values, self._gradients = self._lazily(read), None

    def went_back(self, read: Read) -> None:
        """A way back is done."""
        self._gradients = self._lazily(read)

    def value(self, name: str) -> Tensor:
        """A named value. Raises RuntimeError where the pass has not come to its end."""
        if self._values is None:
            raise RuntimeError("this pass did not come to its end; call the model again")
        return self._values(name)

    @property
    def has_gradients(self) -> bool:
        """Whether a backward pass has come by."""
        return self._gradients is not None

    def gradient(self, name: str) -> Tensor:
        """The total derivative of the loss with respect to a named value, by the last way back.

        Raises RuntimeError where there was none.
        """
        if self._gradients is not None:
            return self._gradients(name)
        if self._trains:
            raise RuntimeError("there are no derivatives yet; call backward() on a loss first")
        raise RuntimeError(
            "there are no derivatives: the recorded pass ran without gradients (no_grad, int8, or "
            "nothing that requires one); record a pass that trains, then call backward()"
        )

    def _lazily(self, read: Read) -> _Lazily:
        return _Lazily(partial(_arranged, read, self._valid, self._order), self.names)


def _arranged(read: Read, valid: Tensor | None, order: Tensor | None, name: str) -> Tensor:
    # Apart from the recording: a cycle would keep a tape until the garbage collector comes by.
    tensor = read(name).detach()
    if valid is not None:
        tensor = torch.where(valid, tensor, 0)
    return tensor if order is None else tensor.index_select(1, order)


class Listener(Protocol):
    """What records."""

    def hears(self, layer: object) -> bool:
        """Whether this layer is one of those to record."""
        ...

    def take(self, layer: object, place: int, recording: Recording) -> None:
        """A pass begins; place 0 (the first layer, forward) begins a call of ``layer``."""
        ...


_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("sluice_recordings", default=())


def start(listener: Listener) -> None:
    """From now on ``listener`` takes what is run in this context."""
    _listeners.set((*_listeners.get(), listener))


def stop(listener: Listener) -> None:
    """``listener`` takes nothing any more."""
    _listeners.set(tuple(other for other in _listeners.get() if other is not listener))


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
    return any(listener.hears(layer) for listener in _listeners.get())


def begin(layer: object, place: int, job: Pass, order: Tensor | None) -> Recording | None:
    """A recording of ``job`` for all who listen to ``layer``; None where nobody does."""
    if not active():
        return None
    found = [listener for listener in _listeners.get() if listener.hears(layer)]
    if not found:
        return None
    recording = Recording(job, order)
    for listener in found:
        listener.take(layer, place, recording)
    return recording
