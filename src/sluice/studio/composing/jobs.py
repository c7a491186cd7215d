"""The tunes that are composed at this moment, and who listens to them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from sluice.errors import SluiceError
from sluice.sequence import DeadlineError, GenerationCancelledError
from sluice.studio.composing.config import ComposingConfig
from sluice.studio.composing.edit_queue import EditQueue, QueueIsFullError
from sluice.studio.composing.models import LoadedModel, ModelShelf
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.protocol import ComposingEvent
from sluice.studio.composing.tune_events import (
    EventData,
    compose_live,
    describe_start,
    describe_tune,
)
from sluice.studio.composing.work_counter import WorkCounter
from sluice.studio.errors import StudioError

_log = logging.getLogger("sluice.studio.composing")

_KEPT_JOBS, _KEPT_SECONDS = 256, 60.0
"""Of complete tunes, whose events are kept for those who come late."""
_PROGRESS_STEPS = 20
_CANCELLED = "This tune was cancelled."
_TOO_SLOW = "The tune was not complete within {seconds:.0f} seconds; try again in a minute."
_BUSY = "Many tunes are being composed at this moment; try again in a minute."
_BROKEN = "The tune could not be composed because of an error of the studio; try another seed."


class Job:
    """A tune that is composed for a code, and its events so far.

    Attributes:
        code, options: as asked for.
        events: in order; nothing is removed.
        listeners: how many follow it.
    """

    def __init__(self, code: str, options: ComposingOptions) -> None:
        self.code, self.options = code, options
        self.events: list[ComposingEvent] = []
        self.listeners = 0
        self.end_time: float | None = None
        self._changed = asyncio.Event()

    @property
    def has_ended(self) -> bool:
        """Whether no event follows."""
        return self.end_time is not None

    def add(self, data: EventData) -> None:
        """A new event."""
        if not self.has_ended:
            self.events.append(ComposingEvent(len(self.events) + 1, *data))
            self._wake()

    def end(self) -> None:
        """No event follows."""
        if self.end_time is None:
            self.end_time = time.monotonic()
            self._wake()

    async def follow(self, after: int) -> AsyncGenerator[list[ComposingEvent], None]:
        """The events behind the number `after`, as many at once as there are."""
        place = after
        while True:
            changed, found = self._changed, self.events[place:]
            if found:
                place += len(found)
                yield found
            elif self.has_ended:
                return
            else:
                await changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class JobBoard:
    """Composes tunes, as many at once as are allowed, and keeps their events for listeners.

    Args:
        shelf: the models.
        config: the limits.
    """

    def __init__(self, shelf: ModelShelf, config: ComposingConfig) -> None:
        self._shelf, self._config = shelf, config
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(config.max_running)
        self.num_running = 0
        self.edits = EditQueue(lambda: self.num_running > 0, config.max_waiting)
        self.counter = WorkCounter()

    @property
    def num_waiting(self) -> int:
        """How many tunes wait for a place."""
        return len(self._tasks) - self.num_running - self.edits.count

    @property
    def is_idle(self) -> bool:
        """Whether nothing is composed."""
        return not self._tasks

    def find_or_begin(self, code: str, options: ComposingOptions) -> Job:
        """The tune of a code; it begins if it is not there.

        Raises:
            StudioError: an option that is refused, another tune of this code, or too many tunes.
        """
        self._forget_old()
        job = self._jobs.get(code)
        if job is not None:
            if job.options != options:
                raise StudioError("Another tune has this code; ask for a new one.", "code")
            return job
        model = self._shelf.find(options.model)
        if len(self._tasks) >= self._config.max_running + self._config.max_waiting:
            raise QueueIsFullError(_BUSY)
        job = Job(code, options)
        work = self._compose if options.kind == "compose" else self._edit
        self._jobs[code] = job
        task = asyncio.get_running_loop().create_task(self._run(job, work(job, model)))
        self._tasks[job] = task
        task.add_done_callback(lambda _: self._tasks.pop(job, None))
        return job

    def begin_listening(self, job: Job) -> None:
        """Someone follows a tune."""
        job.listeners += 1

    def end_listening(self, job: Job) -> None:
        """Someone follows it no more; if nobody does for some seconds, it is cancelled."""
        job.listeners -= 1
        if not job.listeners and not job.has_ended:
            loop, seconds = asyncio.get_running_loop(), self._config.listener_seconds
            loop.call_later(seconds, self._cancel_unheard, job)

    def cancel(self, code: str) -> bool:
        """Stop the tune of a code; whether there was one."""
        job = self._jobs.get(code)
        if job is None or job.has_ended:
            return False
        job.add(("problem", {"sentence": _CANCELLED, "field": ""}))
        self._drop(job)
        return True

    async def close(self) -> None:
        """Stop all; whoever listens can go on elsewhere."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        self.edits.close()

    def _cancel_unheard(self, job: Job) -> None:
        if not job.listeners and not job.has_ended:
            self._drop(job)

    def _drop(self, job: Job) -> None:
        if self._jobs.get(job.code) is job:
            del self._jobs[job.code]
        task = self._tasks.get(job)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        job.end()

    def _forget_old(self) -> None:
        """Drop what was complete long ago, or too much of it."""
        now = time.monotonic()
        ended = [job for job in self._jobs.values() if job.end_time is not None]
        for place, job in enumerate(ended):
            is_old = now - (job.end_time or now) > _KEPT_SECONDS
            if is_old or len(ended) - place > _KEPT_JOBS:
                del self._jobs[job.code]

    async def _run(self, job: Job, events: AsyncGenerator[EventData, None]) -> None:
        """Compose a tune, and tell of what stops it."""
        try:
            async with asyncio.timeout(self._config.deadline), aclosing(events):
                async for kind, data in events:
                    job.add((kind, data))
                    self.counter.add(len(data.get("t", ())))
        except (TimeoutError, DeadlineError):
            self._fail(job, _TOO_SLOW.format(seconds=self._config.deadline))
            self._drop(job)
        except GenerationCancelledError:
            self._drop(job)
        except StudioError as error:
            self._fail(job, error.sentence, error.field)
        except SluiceError as error:
            self._fail(job, str(error))
        except Exception:
            _log.exception("The tune %s failed.", job.code)
            self._fail(job, _BROKEN)
            self._drop(job)
        finally:
            job.end()

    def _fail(self, job: Job, sentence: str, field: str = "") -> None:
        job.add(("problem", {"sentence": sentence, "field": field}))

    async def _compose(self, job: Job, model: LoadedModel) -> AsyncGenerator[EventData, None]:
        async with self._places:
            self.num_running += 1
            try:
                stream = model.stream(job.options)
                async with aclosing(compose_live(model, job.options, stream)) as events:
                    async for event in events:
                        yield event
            finally:
                self.num_running -= 1

    async def _edit(self, job: Job, model: LoadedModel) -> AsyncGenerator[EventData, None]:
        yield "start", describe_start(model, job.options, job.options.source_tune)
        loop, steps = asyncio.get_running_loop(), asyncio.Queue[int | None]()
        told, is_over = 0, False

        def tell(fraction: float) -> None:
            nonlocal told
            if (step := int(fraction * _PROGRESS_STEPS)) > told:
                told = step
                loop.call_soon_threadsafe(steps.put_nowait, step)

        def should_stop() -> bool:
            self.edits.give_way()
            return is_over

        edited = loop.create_task(
            self.edits.run(lambda: model.edit(job.options, tell, should_stop))
        )
        edited.add_done_callback(lambda _: steps.put_nowait(None))
        try:
            while (step := await steps.get()) is not None:
                yield "progress", {"fraction": step / _PROGRESS_STEPS}
            yield "done", describe_tune(model, await edited)
        finally:
            is_over = True
            edited.cancel()
