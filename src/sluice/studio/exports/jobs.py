"""Job processes, which draw and play tunes: two at a time on a machine, the others wait."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sluice.studio.errors import StudioError, UnavailableError
from sluice.studio.exports.cache import FileCache
from sluice.studio.exports.job import REFUSED, get_seconds
from sluice.studio.languages import gettext as _

MAX_RUNNING, MAX_WAITING, MAX_OF_ONE = 2, 16, 4
_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_BETWEEN_QUESTIONS = 0.25

_logger = logging.getLogger("job")
IsGone = Callable[[], Awaitable[bool]]


class BusyError(UnavailableError):
    """Too many files are being made; the visitor may ask again in a minute."""


class JobFailedError(UnavailableError):
    """A job took too much time or memory, or was killed."""


@dataclass
class RunningJob:
    """A file that is being made, for all who asked for it in this process."""

    task: asyncio.Task[None]
    listeners: list[str] = field(default_factory=list)


@dataclass
class JobRunner:
    """Makes files in job processes, and keeps them.

    Attributes:
        folder: with a lock file for each process that may run on this machine, whichever web
            process has started it.
        cache: where the files are kept.
        max_running: so many at a time.
        max_waiting: so many wait in this web process; who comes then is asked to come back.
    """

    folder: Path
    cache: FileCache
    max_running: int = MAX_RUNNING
    max_waiting: int = MAX_WAITING
    num_running: int = 0
    _jobs: dict[Path, RunningJob] = field(default_factory=dict)

    @property
    def num_waiting(self) -> int:
        """How many files wait for a process."""
        return len(self._jobs) - self.num_running

    async def make_file(self, request: dict[str, Any], who: str, is_gone: IsGone) -> Path:
        """The path of the file for a request, made now unless it is there.

        When everybody who asked for it has gone, its process is killed.

        Args:
            request: what `exports.job` reads.
            who: asks, so that one visitor does not take all places.
            is_gone: whether this visitor has left.

        Raises:
            BusyError: too many wait.
            JobFailedError: the process took too much time or memory.
            StudioError: the job refused the tune, in its own words.
        """
        path = self.cache.make_path(request)
        if self.cache.find(path):
            return path
        if sum(one.listeners.count(who) for one in self._jobs.values()) >= MAX_OF_ONE:
            raise BusyError(_("Your other files are still being made. Wait for one of them."))
        job = self._jobs.get(path)
        if job is None:
            if len(self._jobs) >= self.max_running + self.max_waiting:
                raise BusyError(_("Many files are being made just now. Try again in a minute."))
            job = RunningJob(asyncio.create_task(self._run(path, request)))
            self._jobs[path] = job
        job.listeners.append(who)
        try:
            while not job.task.done():
                await asyncio.wait({job.task}, timeout=_SECONDS_BETWEEN_QUESTIONS)
                if not job.task.done() and await is_gone():
                    raise BusyError(_("The visitor has gone."))
            job.task.result()
        finally:
            job.listeners.remove(who)
            if not job.listeners:
                job.task.cancel()
                self._jobs.pop(path, None)
        return path

    async def _run(self, path: Path, request: dict[str, Any]) -> None:
        async with self._take_place():
            self.num_running += 1
            try:
                content = await _run_process(request)
            finally:
                self.num_running -= 1
        try:
            await asyncio.to_thread(self.cache.write, path, content)
        except OSError:
            raise JobFailedError(_("This site has no room for another file just now.")) from None

    @contextlib.asynccontextmanager
    async def _take_place(self) -> AsyncIterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        while (place := self._find_place()) is None:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        try:
            yield
        finally:
            place.close()

    def _find_place(self) -> IO[bytes] | None:
        """A lock file that no process on this machine holds; it is free when it is closed."""
        import fcntl

        for number in range(self.max_running):
            file = (self.folder / f"job-{number}.lock").open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
            else:
                return file
        return None


async def _run_process(request: dict[str, Any]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sluice.studio.exports.job",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True,
        env={"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", **os.environ},
    )  # fmt: skip
    text = json.dumps(request).encode() + b"\n"
    seconds = get_seconds(len(request["tunes"]))
    try:
        output, said = await asyncio.wait_for(process.communicate(text), seconds)
    except TimeoutError:
        raise JobFailedError(
            _("This file took longer than {seconds} seconds and was given up.").format(
                seconds=seconds
            )
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode == REFUSED:
        raise StudioError(said.decode("utf-8", "replace").strip() or _("This was refused."))
    if process.returncode != 0:
        last_words = said[-2000:].decode("utf-8", "replace")
        _logger.error("a job ended with status %s: %s", process.returncode, last_words)
        raise JobFailedError(
            _("This file could not be made: its process ended early, with too much to do.")
        )
    return output
