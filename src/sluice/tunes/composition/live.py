"""Composing a tune live: its events as they come, alone or beside others in a server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Protocol

from sluice.sequence import (
    ContinuousBatch,
    DeadlineError,
    GenerationCancelledError,
    GenerationHandle,
    GenerationServer,
    GrammarError,
    SequenceError,
)
from sluice.tunes.composition.live_events import (
    ComposingEvent,
    TuneCompleted,
    TuneGrown,
    TuneRejected,
    TuneStarted,
)
from sluice.tunes.composition.sampling import Attempt, TuneAttempts, TuneRequest, TuneSampler
from sluice.tunes.composition.specification import TuneSpecification
from sluice.tunes.notation.model_tokens import split_count
from sluice.tunes.tune import Tune


class TuneStream:
    """The events of a tune that is being composed: an iterator, for threads and for asyncio.

    ``for event in stream`` waits for each. ``async for event in stream`` lets the event loop go on
    meanwhile, and needs a server. The first event is `TuneStarted`, the last one `TuneCompleted`.
    A ``with`` block cancels the tune at its end. See `Composer.stream`.
    """

    def __init__(
        self,
        sampler: TuneSampler,
        specification: TuneSpecification,
        seed: int,
        server: GenerationServer | None,
        deadline: float | None,
    ) -> None:
        if deadline is not None and not (isinstance(deadline, int | float) and deadline > 0):
            raise SequenceError(f"deadline must be seconds above 0 from now, got {deadline}.")
        if server is not None and server.model is not sampler.checkpoint.model:
            raise SequenceError(
                "The server samples from another model; make it of composer.checkpoint.model."
            )
        self._end_time = None if deadline is None else time.monotonic() + deadline
        self._story = _TuneStory(sampler, specification, seed)
        self._model, self._server = sampler.checkpoint.model, server
        self._sequence: _Cancellable | None = None
        self._is_cancelled = False
        self._events = self._iterate()

    @property
    def request(self) -> TuneRequest:
        """What the model is asked for; known before anything is drawn."""
        return self._story.request

    def cancel(self) -> None:
        """Stop before the next token, from any thread; whoever reads on gets an error."""
        self._is_cancelled = True
        if self._sequence is not None:
            self._sequence.cancel()

    def __iter__(self) -> Iterator[ComposingEvent]:
        return self

    def __next__(self) -> ComposingEvent:
        """The next event.

        Raises:
            TuneError: no complete tune in twenty attempts.
            DeadlineError: the deadline is over.
            GenerationCancelledError: the stream was cancelled, or the server closed.
            SequenceError: the server failed, or has too many sequences.
        """
        if not self._story.is_complete:
            self._check_cancelled()
        return next(self._events)

    async def __aiter__(self) -> AsyncIterator[ComposingEvent]:
        if self._server is None:
            raise SequenceError("async for needs a stream with a server; give server=.")
        while not self._story.is_complete:
            has_failed, handle = False, self._submit(self._server, self._story.begin())
            try:
                while ids := await handle.read_async():
                    self._check_cancelled()
                    for event in self._story.read(ids):
                        yield event
            except GrammarError:
                has_failed = True
            finally:
                handle.cancel()
            for event in self._story.finish(has_failed):
                yield event

    def _iterate(self) -> Iterator[ComposingEvent]:
        while not self._story.is_complete:
            has_failed, attempt = False, self._story.begin()
            try:
                for ids in self._draw(attempt):
                    yield from self._story.read(ids)
            except GrammarError:
                has_failed = True
            yield from self._story.finish(has_failed)

    def _draw(self, attempt: Attempt) -> Iterator[list[int]]:
        """The ids of an attempt as they come, those of the prompt first."""
        if self._server is None:
            yield from self._draw_alone(attempt)
            return
        with self._submit(self._server, attempt) as handle:
            while ids := handle.read():
                yield ids

    def _submit(self, server: GenerationServer, attempt: Attempt) -> GenerationHandle:
        handle = server.submit(
            attempt.seed,
            prompt=attempt.request.prompt,
            sampling=attempt.request.sampling,
            grammar=attempt.grammar,
            deadline=self._find_seconds_left(),
        )
        self._watch(handle)
        return handle

    def _draw_alone(self, attempt: Attempt) -> Iterator[list[int]]:
        batch = ContinuousBatch(self._model)
        sequence = batch.add(
            attempt.seed,
            prompt=attempt.request.prompt,
            sampling=attempt.request.sampling,
            grammar=attempt.grammar,
            deadline=self._find_seconds_left(),
        )
        self._watch(sequence)
        yield list(sequence.tokens)
        while batch.is_busy:
            for _, token in batch.step():
                if token is not None:
                    yield [token]
        self._check_cancelled()
        if sequence.error is not None:
            raise sequence.error

    def _watch(self, sequence: _Cancellable) -> None:
        """Let `cancel` cancel it; it may have been called meanwhile."""
        self._sequence = sequence
        if self._is_cancelled:
            sequence.cancel()
            self._check_cancelled()

    def _check_cancelled(self) -> None:
        if self._is_cancelled:
            raise GenerationCancelledError("The tune was cancelled before it was complete.")

    def _find_seconds_left(self) -> float | None:
        self._check_cancelled()
        if self._end_time is None:
            return None
        left = self._end_time - time.monotonic()
        if left <= 0:
            raise DeadlineError("The tune was not complete at its deadline.")
        return left

    def __enter__(self) -> TuneStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()


class _Cancellable(Protocol):
    def cancel(self) -> None: ...


class _TuneStory:
    """The events that follow from the ids of each attempt, wherever these come from."""

    def __init__(self, sampler: TuneSampler, specification: TuneSpecification, seed: int) -> None:
        self._sampler, self._specification, self._seed = sampler, specification, seed
        self._attempts = TuneAttempts(sampler, specification.request, seed)
        self._head_length = len(specification.request.head)
        self._ids: list[int] = []
        self._tune: Tune | None = None
        self.is_complete = False

    @property
    def request(self) -> TuneRequest:
        """What the model is asked for."""
        return self._specification.request

    def begin(self) -> Attempt:
        """The next attempt.

        Raises:
            TuneError: there were too many.
        """
        self._ids, self._tune = [], None
        return self._attempts.begin()

    def read(self, ids: list[int]) -> Iterator[ComposingEvent]:
        """What new ids tell."""
        had_body = len(self._ids) > self._head_length
        self._ids += ids
        if len(self._ids) < self._head_length:
            return
        shown = () if self._tune is None else self._tune.tokens
        if self._tune is not None and had_body:
            names = self._sampler.checkpoint.vocabulary.decode(ids)
            tokens = (*shown, *(split_count(name)[0] for name in names))
        else:  # the bar line that begins the body is no token of the tune
            drawn = self._sampler.decode(self._ids)
            tokens = drawn.tokens
            if self._tune is None:
                self._tune = self._specification.begin_tune(drawn, self._seed)
                yield self._describe_start(self._tune)
        if len(tokens) > len(shown):
            self._tune = replace(self._tune, tokens=tokens)
            yield TuneGrown(tokens[len(shown) :], self._tune)

    def _describe_start(self, tune: Tune) -> TuneStarted:
        return TuneStarted(
            self._seed, self._attempts.count, tune.rhythm, tune.meter, tune.key, tune.title
        )

    def finish(self, has_failed: bool) -> Iterator[ComposingEvent]:
        """What the end of an attempt tells."""
        drawn = self._attempts.finish(self._ids, has_failed)
        if drawn is not None:
            self.is_complete = True
            tune = self._specification.build_tune(drawn, self._seed)
            yield TuneCompleted(tune, tune.octave)
        elif self._attempts.has_more:
            yield TuneRejected(self._attempts.count + 1)
