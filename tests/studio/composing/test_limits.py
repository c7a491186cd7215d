"""How many tunes are composed at once, and for whom, with a board of jobs in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from composing_process import run
from sluice.studio.composing.config import ComposingConfig
from sluice.studio.composing.edit_queue import EditQueue, QueueIsFullError
from sluice.studio.composing.jobs import Job, JobBoard
from sluice.studio.composing.models import ModelShelf
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.protocol import ComposingEvent
from sluice.studio.composing.stored_tune import store_tune
from sluice.studio.composing.work_counter import WorkCounter
from sluice.studio.errors import StudioError
from sluice.tunes.composition.composer import Composer


@pytest.fixture(scope="module")
def shelf(small_model: Path) -> Iterator[ModelShelf]:
    opened = ModelShelf(small_model, 8)
    yield opened
    opened.close()


def use_board(
    shelf: ModelShelf, config: ComposingConfig, work: Callable[[JobBoard], Awaitable[None]]
) -> None:
    async def use() -> None:
        board = JobBoard(shelf, config)
        try:
            await work(board)
        finally:
            await board.close()

    run(use)


async def listen(board: JobBoard, job: Job) -> list[ComposingEvent]:
    board.begin_listening(job)
    found = [event async for events in job.follow(0) for event in events]
    board.end_listening(job)
    return found


def test_what_is_too_much_waits_and_then_is_refused(shelf: ModelShelf) -> None:
    config = ComposingConfig("", max_running=2, max_waiting=3)

    async def work(board: JobBoard) -> None:
        jobs = [board.find_or_begin(f"{n}", ComposingOptions(seed=n)) for n in range(5)]
        with pytest.raises(QueueIsFullError, match="Many tunes are being composed"):
            board.find_or_begin("5", ComposingOptions(seed=5))
        assert board.find_or_begin("3", ComposingOptions(seed=3)) is jobs[3]
        counts = []

        async def watch() -> None:
            while not all(job.has_ended for job in jobs):
                counts.append((board.num_running, board.num_waiting))
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        found = await asyncio.gather(*(listen(board, job) for job in jobs))
        await watching
        assert all(events[-1].kind == "done" for events in found)
        assert max(running for running, _ in counts) == 2
        assert max(waiting for _, waiting in counts) >= 3
        await asyncio.sleep(0.05)
        assert board.is_idle and board.num_running == board.num_waiting == 0
        assert board.counter.total == sum(
            len(event.data["t"]) for events in found for event in events if event.kind == "tokens"
        )
        assert board.find_or_begin("5", ComposingOptions(seed=5)).listeners == 0

    use_board(shelf, config, work)


def test_a_tune_that_nobody_hears_is_cancelled(shelf: ModelShelf) -> None:
    config = ComposingConfig("", max_running=1, listener_seconds=0.1)

    async def work(board: JobBoard) -> None:
        first = board.find_or_begin("first", ComposingOptions(seed=1))
        left, kept = (
            board.find_or_begin(code, ComposingOptions(seed=2)) for code in ("left", "kept")
        )
        board.begin_listening(first)
        for job in (left, kept):
            board.begin_listening(job)
            board.end_listening(job)
        board.begin_listening(kept)
        board._places = asyncio.Semaphore(0)  # none of those that wait gets a place
        await asyncio.sleep(0.4)
        assert left.has_ended and not left.events
        assert not kept.has_ended
        assert board.find_or_begin("left", ComposingOptions(seed=2)) is not left

    use_board(shelf, config, work)


def test_a_deadline_is_told(shelf: ModelShelf) -> None:
    config = ComposingConfig("", max_running=1, deadline=0.05)

    async def work(board: JobBoard) -> None:
        board._places = asyncio.Semaphore(0)
        job = board.find_or_begin("late", ComposingOptions(seed=1))
        (event,) = await listen(board, job)
        assert event.kind == "problem" and "not complete within" in event.data["sentence"]
        assert board.find_or_begin("late", ComposingOptions(seed=1)) is not job

    use_board(shelf, config, work)


def test_an_error_within_is_told_and_logged(
    shelf: ModelShelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of the program, which nobody planned."""

    def fail(self: Composer, **wishes: object) -> None:
        raise RuntimeError("out of order")

    async def work(board: JobBoard) -> None:
        monkeypatch.setattr(Composer, "stream", fail)
        broken = await listen(board, board.find_or_begin("broken", ComposingOptions(seed=1)))
        assert [event.kind for event in broken] == ["problem"]
        assert "an error of the studio" in broken[0].data["sentence"]
        monkeypatch.undo()
        whole = await listen(board, board.find_or_begin("broken", ComposingOptions(seed=1)))
        assert whole[-1].kind == "done"

    use_board(shelf, ComposingConfig(""), work)
    assert "out of order" in caplog.text


def test_a_cancelled_edit_stops(shelf: ModelShelf) -> None:
    async def work(board: JobBoard) -> None:
        (tune,) = next(iter(shelf)).composer.compose()
        options = ComposingOptions(kind="vary", source=store_tune(tune), strength=1.0)
        job = board.find_or_begin("edit", options)
        await asyncio.sleep(0.02)
        assert board.cancel("edit")
        assert (await listen(board, job))[-1].data["sentence"] == "This tune was cancelled."
        again = await listen(board, board.find_or_begin("edit", options))
        assert again[-1].kind == "done"

    use_board(shelf, ComposingConfig(""), work)


def test_a_wrong_option_is_a_problem_with_its_field(shelf: ModelShelf) -> None:
    async def work(board: JobBoard) -> None:
        job = board.find_or_begin("wrong", ComposingOptions(dance="waltz"))
        (event,) = await listen(board, job)
        assert event.data["field"] == "dance"
        with pytest.raises(StudioError, match="choose another one"):
            board.find_or_begin("other", ComposingOptions(model="f" * 64))

    use_board(shelf, ComposingConfig(""), work)


def test_work_of_lower_rank_waits_in_a_line_and_gives_way() -> None:
    is_busy = True

    async def work() -> None:
        nonlocal is_busy
        queue = EditQueue(lambda: is_busy, 2)
        start = time.monotonic()
        queue.give_way()
        assert time.monotonic() - start >= 0.003
        first = asyncio.create_task(queue.run(queue.wait_for_tunes))
        second = asyncio.create_task(queue.run(lambda: 7))
        await asyncio.sleep(0.05)
        assert not first.done() and not second.done() and queue.count == 2
        with pytest.raises(QueueIsFullError):
            await queue.run(lambda: 8)
        is_busy = False
        await first
        assert await second == 7
        queue.close()

    run(work)


def test_the_tokens_of_the_last_seconds_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    counter = WorkCounter()
    for second in range(20):
        now = 100.0 + second
        counter.add(30)
        counter.add(20)
    assert counter.total == 1000
    assert counter.per_second == 50
    now = 200.0
    assert counter.per_second == 0
