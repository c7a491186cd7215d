"""Threads and event loops that share a thread which samples."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from child_process import run_python
from sequence.generation.nested_grammar import END, Closing
from sluice.sequence import (
    DeadlineError,
    GenerationCancelledError,
    GenerationServer,
    LanguageModel,
    LanguageModelConfig,
    QueueFullError,
    Sampling,
    SequenceError,
    SequenceStatus,
    generate,
)

ENDLESS = Sampling(max_length=10**9)
SHORT = Sampling(max_length=20)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    torch.manual_seed(5)
    made = LanguageModel(LanguageModelConfig(11, "lstm", 12, 12, num_layers=1)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(3)
        made.readout.bias[END] = -1e4
    return made


@pytest.fixture
def server(model: LanguageModel) -> Iterator[GenerationServer]:
    with GenerationServer(model, max_size=8, time_slice=6) as made:
        yield made


def run_threads(count: int, job: Any) -> None:
    """`job(n)` in a thread each; the first error is raised here."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            job(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def wait_until_idle(server: GenerationServer) -> None:
    end = time.monotonic() + 20
    while server.num_running or server.num_waiting:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_many_threads_get_what_generate_gives(
    model: LanguageModel, server: GenerationServer
) -> None:
    expected = generate(model, range(60), sampling=SHORT, grammar=None)
    with_grammar = [
        generate(model, [n], sampling=SHORT, grammar=Closing(), prompt=[[3]])[0] for n in range(60)
    ]

    def read(number: int) -> None:
        rng = random.Random(number)
        for seed in range(number, 60, 20):
            dropped = server.submit(seed, sampling=ENDLESS)
            assert next(iter(dropped)) == expected[seed][0]
            if rng.random() < 0.5:
                dropped.cancel()
            del dropped
            handle = server.submit(seed, sampling=SHORT, priority=rng.randrange(2))
            other = server.submit(seed, prompt=[[3]], sampling=SHORT, grammar=Closing())
            assert list(handle.iterate(timeout=30)) == expected[seed]
            assert other.result(timeout=30) == with_grammar[seed]
            assert handle.tokens == expected[seed] and list(handle) == []

    run_threads(20, read)
    gc.collect()
    wait_until_idle(server)


def test_tokens_come_while_they_are_sampled(server: GenerationServer) -> None:
    with server.submit(1, prompt=[[4], [5]], sampling=ENDLESS) as handle:
        coming = handle.iterate(timeout=30)
        assert [next(coming), next(coming)] == [4, 5]
        next(coming)
        assert handle.status == SequenceStatus.RUNNING
        assert handle.tokens[:2] == [4, 5]
    with pytest.raises(GenerationCancelledError, match="was cancelled after"):
        list(handle)
    wait_until_idle(server)


def test_errors_reach_the_client(server: GenerationServer) -> None:
    class Mistaken(Closing):
        def advance(self, state: int, token: int) -> int:
            raise ZeroDivisionError("a mistake")

    mistaken = server.submit(1, grammar=Mistaken())
    late = server.submit(1, sampling=ENDLESS, deadline=0.02)
    good = server.submit(2, sampling=SHORT)
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        mistaken.result(timeout=30)
    with pytest.raises(DeadlineError, match="at its deadline"):
        late.result(timeout=30)
    assert len(good.result(timeout=30)) == 20
    with pytest.raises(SequenceError, match="number of at least 0"):
        server.submit(-1)
    slow = server.submit(3, sampling=SHORT, priority=-1)
    slow.result(timeout=30)


def test_a_reader_waits_as_long_as_it_says(model: LanguageModel) -> None:
    with GenerationServer(model, max_size=1, time_slice=10**9) as server:
        running = server.submit(1, sampling=ENDLESS)
        waits = server.submit(2)
        for read in (waits.read, waits.result, lambda t: next(waits.iterate(t))):
            with pytest.raises(TimeoutError, match=r"within 0\.0"):
                read(0.01)
        running.cancel()
        assert waits.read(30)


def test_a_full_server_refuses(model: LanguageModel) -> None:
    with GenerationServer(model, max_size=2, max_waiting=3) as server:
        handles = [server.submit(seed, sampling=ENDLESS) for seed in range(5)]
        with pytest.raises(QueueFullError, match="5 sequences run or wait already"):
            server.submit(5)
        handles[4].cancel()
        with pytest.raises(GenerationCancelledError):
            handles[4].result(timeout=30)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                handles[4] = server.submit(5, sampling=ENDLESS)
                break
            except QueueFullError:
                time.sleep(0.001)
        assert server.num_running + server.num_waiting <= 5
    with pytest.raises(SequenceError, match="max_waiting must be at least 1"):
        GenerationServer(model, max_waiting=0)


def test_a_client_that_is_gone_costs_nothing(server: GenerationServer) -> None:
    handles = [server.submit(seed, sampling=ENDLESS) for seed in range(20)]
    handles[0].read(30)
    del handles
    gc.collect()
    wait_until_idle(server)


def test_closing(model: LanguageModel) -> None:
    server = GenerationServer(model, max_size=2)
    handles = [server.submit(seed, sampling=ENDLESS) for seed in range(4)]
    handles[0].read(30)
    server.close()
    for handle in handles:
        with pytest.raises(GenerationCancelledError):
            handle.result(timeout=30)
    with pytest.raises(GenerationCancelledError, match="is closed"):
        server.submit(1)
    server.close()
    server = GenerationServer(model, max_size=2)
    handles = [server.submit(seed, sampling=SHORT) for seed in range(6)]
    server.close(drain=True)
    drawn = [handle.result(timeout=30) for handle in handles]
    assert drawn == generate(model, range(6), sampling=SHORT)


def test_a_server_that_is_dropped_ends_its_thread(model: LanguageModel) -> None:
    before = threading.active_count()
    handle = GenerationServer(model).submit(1, sampling=SHORT)
    assert len(handle.result(timeout=30)) == 20
    assert threading.active_count() == before + 1
    del handle
    gc.collect()
    end = time.monotonic() + 20
    while threading.active_count() > before:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_thread_that_fails_tells_everybody(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with GenerationServer(model, max_size=1) as server:
        handles = [server.submit(seed, sampling=ENDLESS) for seed in range(3)]
        handles[0].read(30)

        def step() -> Any:
            raise MemoryError("none left")

        monkeypatch.setattr(server._worker.batch, "step", step)
        for handle in handles:
            with pytest.raises(SequenceError, match="has failed: MemoryError: none left") as found:
                handle.result(timeout=30)
            assert isinstance(found.value.__cause__, MemoryError)
        with pytest.raises(SequenceError, match="has failed: MemoryError"):
            server.submit(1)


def test_refresh_between_two_tokens(model: LanguageModel) -> None:
    torch.manual_seed(6)
    own = LanguageModel(LanguageModelConfig(11, "gru", 12, 12, num_layers=1)).eval()
    with GenerationServer(own) as server:
        old = server.submit(1, sampling=SHORT).result(30)
        for parameter in own.parameters():
            parameter.data.mul_(-4)
        own.readout.bias.data[END] = -1e4
        assert server.submit(1, sampling=SHORT).result(30) == old
        server.refresh()
        (new,) = generate(own, [1], sampling=SHORT)
        assert server.submit(1, sampling=SHORT).result(30) == new != old


def test_event_loops(model: LanguageModel, server: GenerationServer) -> None:
    expected = generate(model, range(30), sampling=SHORT)

    async def read(seed: int) -> list[int]:
        return [token async for token in server.submit(seed, sampling=SHORT)]

    async def leave() -> None:
        """A client that goes away, as a connection that is closed."""
        async for _ in server.submit(99, sampling=ENDLESS):
            pass

    async def fail() -> None:
        async for _ in server.submit(98, sampling=ENDLESS, deadline=0.02):
            pass

    async def main() -> list[list[int]]:
        leaving, failing = asyncio.create_task(leave()), asyncio.create_task(fail())
        found = await asyncio.gather(*map(read, range(30)))
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        with pytest.raises(DeadlineError):
            await failing
        return found

    assert asyncio.run(main()) == expected
    gc.collect()
    wait_until_idle(server)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_told_and_a_process_ends_with_an_open_server() -> None:
    code = """
import os, sys, warnings
warnings.simplefilter("ignore")
import torch
from sluice.sequence import *
torch.set_num_threads(1)
model = LanguageModel(LanguageModelConfig(9, "lstm", 8, 8))
model.readout.bias.data[2] = -1e4
server = GenerationServer(model)
handle = server.submit(1, sampling=Sampling(max_length=10**9))
handle.read()
child = os.fork()
if child == 0:
    for attempt in (lambda: server.submit(1), lambda: handle.result(5), server.refresh):
        try:
            attempt()
            os._exit(1)
        except SequenceError as error:
            if "forked process; make a" not in str(error):
                os._exit(2)
    handle.cancel()
    server.close()
    with GenerationServer(model) as own:
        drawn = own.submit(3, sampling=Sampling(max_length=9)).result(60)
    os._exit(0 if drawn == generate(model, [3], sampling=Sampling(max_length=9))[0] else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("told", len(handle.tokens) > 0)   # and the process ends while the thread samples
"""
    assert run_python(code) == "told True"
