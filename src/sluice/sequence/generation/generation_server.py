"""A thread that owns a continuous batch, and serves many others."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Any

from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.batch_worker import BatchWorker
from sluice.sequence.generation.continuous_batch import ContinuousBatch
from sluice.sequence.generation.generation_handle import GenerationHandle
from sluice.sequence.generation.grammar import Grammar
from sluice.sequence.generation.sampling import Sampling
from sluice.sequence.models import LanguageModel


class GenerationServer:
    """Samples sequences for any number of threads in one thread, as one `ContinuousBatch`.

    Every sequence gets the tokens that `generate` gives to it alone. `submit` checks its arguments
    in the caller's thread, and returns at once. The end of a ``with`` block, or `close`, cancels
    what is not complete and ends the thread. A forked child needs a server of its own.

    Args:
        model: any `LanguageModel`; it is not changed.
        max_size, time_slice: as for `ContinuousBatch`.
        max_waiting: how many sequences may wait for a place; `submit` refuses more.

    Raises:
        SequenceError: as `ContinuousBatch`; `max_waiting` below 1.

    >>> from sluice.sequence import LanguageModelConfig, generate
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> with GenerationServer(model) as server:
    ...     handles = [server.submit(seed, sampling=Sampling(max_length=9)) for seed in range(3)]
    ...     drawn = [list(handle) for handle in handles]
    >>> drawn == generate(model, range(3), sampling=Sampling(max_length=9))
    True
    """

    def __init__(
        self,
        model: LanguageModel,
        max_size: int = 64,
        *,
        time_slice: int = 32,
        max_waiting: int = 1000,
    ) -> None:
        if max_waiting < 1:
            raise SequenceError(f"max_waiting must be at least 1, got {max_waiting}.")
        batch = ContinuousBatch(model, max_size, time_slice=time_slice)
        self._model = model
        # The thread knows the worker alone, so that a server that is dropped ends it.
        self._worker = BatchWorker(batch, max_waiting)
        self._process = os.getpid()
        self._thread = threading.Thread(
            target=self._worker.run, name="sluice generation", daemon=True
        )
        self._thread.start()
        weakref.finalize(self, self._worker.stop).atexit = False
        _servers.add(self)

    @property
    def model(self) -> LanguageModel:
        """The model that it samples from."""
        return self._model

    @property
    def num_running(self) -> int:
        """The number of sequences that have a place in the batch."""
        return self._worker.batch.num_running

    @property
    def num_waiting(self) -> int:
        """The number of sequences that wait for one."""
        return self._worker.batch.num_waiting

    def submit(
        self,
        seed: int,
        *,
        prompt: Sequence[Collection[int]] = (),
        sampling: Sampling | None = None,
        grammar: Grammar[Any] | None = None,
        priority: int = 0,
        deadline: float | None = None,
    ) -> GenerationHandle:
        """Begin a sequence, from any thread. The arguments are those of `ContinuousBatch.add`.

        The caller's thread leads the grammar through the prompt, the server's through the rest.

        Raises:
            SequenceError, GrammarError: as `ContinuousBatch.add`; the server is closed, or its
                thread has failed.
            QueueFullError: `max_waiting` sequences wait already.
        """
        self._worker.check_process()
        sequence = self._worker.batch.make_sequence(
            seed, prompt, sampling, grammar, priority, deadline
        )
        return GenerationHandle(sequence, self._worker.submit(sequence), self)

    def refresh(self) -> None:
        """Take the model's weights as they are now, between two tokens.

        Raises:
            SequenceError: as `ContinuousBatch.refresh`; the server is closed.
        """
        self._worker.check_process()
        self._worker.call(self._worker.batch.refresh).result()

    def close(self, *, drain: bool = False) -> None:
        """End the thread, and wait for its end.

        Args:
            drain: complete all sequences first; else those that are not complete are cancelled.
        """
        self._worker.stop(drain)
        if os.getpid() == self._process and threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> GenerationServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


_servers: weakref.WeakSet[GenerationServer] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """At the end of the process no thread may be inside the kernels."""
    for server in list(_servers):
        server.close()
