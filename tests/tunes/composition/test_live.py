import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from sampling import thin_out
from sluice.sequence import (
    Checkpoint,
    DeadlineError,
    GenerationCancelledError,
    GenerationServer,
    LanguageModel,
    LanguageModelConfig,
    SequenceError,
    Vocabulary,
)
from sluice.tunes import read_tune
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.live_events import (
    ComposingEvent,
    TuneCompleted,
    TuneGrown,
    TuneRejected,
    TuneStarted,
)
from sluice.tunes.corpus.statistics import TuneStatistics
from sluice.tunes.errors import TuneError

ENDINGS = {
    "all": {"tonic long": 1},
    "jig": {"tonic long": 2, "other short": 3},
    "reel": {"tonic short": 1},
}
NOTES = ("C", "D", "E", "G", "A", "c", "d", "_e", "e", "g", "a", "z")
HEAD = ("M:4/4", "M:6/8", "K:Cmaj", "K:Cdor")
PLAIN = Vocabulary(("|", "|:", ":|", "::", "(3", "[", "]", "-", "2", "3", "/2", *NOTES, *HEAD))
COUNTED = Vocabulary(
    (
        *("R:jig", "R:reel"),
        *(f"{line}{{{n}}}" for line in ("|", "|:", "::", ":|") for n in range(5)),
        *PLAIN.tokens,
    )
)


def make_composer(vocabulary: Vocabulary = PLAIN, bias: float = 0.0) -> Composer:
    """A model of random weights, to which the music matters; `bias` is END's."""
    torch.manual_seed(3)
    sizes = LanguageModelConfig(len(vocabulary), embedding_size=16, hidden_size=32)
    model = LanguageModel(sizes)
    with torch.no_grad():
        model.readout.bias.zero_()
        model.readout.bias[2] = bias
    statistics = TuneStatistics(0.5, 0.5, 0.5)
    return Composer(Checkpoint(model.eval(), vocabulary, {"endings": ENDINGS}), statistics)


@pytest.fixture(params=thin_out([COUNTED, PLAIN], 2), ids=["counted", "plain"])
def composer(request: pytest.FixtureRequest) -> Composer:
    return make_composer(request.param)


def collect(events: Iterator[ComposingEvent]) -> list[ComposingEvent]:
    return list(events)


WISHES: list[dict[str, Any]] = [
    {},
    {"key": "G", "meter": "6/8", "chords": True, "tempo": 90},
    {"mode": "dor", "title": "Mine", "temperature": 0.5},
    {"prompt": "[M:6/8][K:D]d2 *2 A2|", "swing": 1.5},
    {"form": False, "dance": "reel", "instrument": "fiddle"},
]


@pytest.mark.parametrize("wishes", thin_out(WISHES, 3, 2))
def test_what_is_streamed_is_what_is_composed(composer: Composer, wishes: dict[str, Any]) -> None:
    for seed in (0, 5):
        first, *between, last = collect(composer.stream(seed=seed, **wishes))
        (tune,) = composer.compose(seed=seed, **wishes)
        assert isinstance(first, TuneStarted) and isinstance(last, TuneCompleted)
        assert last.tune == tune and vars(last.tune) == vars(tune) and tune.seed == seed
        assert (first.seed, first.attempt, first.title) == (seed, 1, tune.title)
        assert (first.meter, first.key, first.dance) == (tune.meter, tune.key, tune.rhythm)
        assert last.octaves == tune.octave
        tokens: tuple[str, ...] = ()
        for event in between:
            if isinstance(event, TuneGrown):
                assert event.tokens
                tokens += event.tokens
                assert event.unfinished.tokens == tokens
                assert event.unfinished.key == tune.key
            elif isinstance(event, TuneRejected):
                tokens = ()
        assert tokens == tune.tokens


@pytest.mark.parametrize("seed", thin_out(range(3), 3))
def test_every_unfinished_tune_is_readable(composer: Composer, seed: int) -> None:
    events = collect(composer.stream(seed=seed, key="D", chords=True))
    grown = [event for event in events if isinstance(event, TuneGrown)]
    assert grown[0].abc == ""
    for event in grown:
        if not event.abc:
            continue
        found, tokens = read_tune(event.abc), event.unfinished.tokens
        assert (found.key.name, found.meter) == ("D", event.unfinished.meter)
        shown = found.tokens
        if shown != tokens[: len(shown)]:
            shown = shown[:-1]  # reading closes the last bar
        assert shown == tokens[: len(shown)]
        rest = tokens[len(shown) :]  # at most a tuplet of three chords
        assert "|" not in rest and len(rest) < 40
    assert '"' not in grown[-1].abc
    last = events[-1]
    assert isinstance(last, TuneCompleted)
    body = grown[-1].abc
    assert read_tune(body).tokens == last.tune.tokens


def test_an_attempt_that_fails_is_told_and_keeps_what_was_shown() -> None:
    """No grammar allows this prompt, so that most of what the model draws is no tune."""
    composer, prompt = make_composer(bias=2.5), "C2 :| c :| c"
    again = 0
    for seed in range(20):
        try:
            events = collect(composer.stream(seed=seed, prompt=prompt))
        except TuneError:
            continue
        (tune,) = composer.compose(seed=seed, prompt=prompt)
        assert isinstance(events[-1], TuneCompleted) and events[-1].tune == tune
        started = [event for event in events if isinstance(event, TuneStarted)]
        rejected = [event.attempt for event in events if isinstance(event, TuneRejected)]
        assert rejected == list(range(2, 2 + len(rejected)))
        assert [event.attempt for event in started] == [1, *rejected]
        assert len({(e.meter, e.key.name, e.title, e.dance) for e in started}) == 1
        again += len(rejected)
    assert again


@pytest.mark.parametrize("count", thin_out([15, 50], 2))
def test_many_at_once_are_the_same_tunes_as_each_alone(composer: Composer, count: int) -> None:
    model = composer.checkpoint.model
    expected = {seed: composer.compose(seed=seed)[0] for seed in range(0, count, 7)}
    found: dict[int, ComposingEvent] = {}
    with GenerationServer(model) as server:

        def compose(seed: int) -> None:
            *_, found[seed] = composer.stream(seed=seed, server=server)

        threads = [threading.Thread(target=compose, args=(seed,)) for seed in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    batch = composer.compose(count)
    assert [found[seed].tune for seed in range(count)] == batch  # type: ignore[union-attr]
    assert all(batch[seed] == tune for seed, tune in expected.items())


def test_threads_of_torch_change_nothing(composer: Composer) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = composer.compose(3, seed=4)
        torch.set_num_threads(2)
        assert composer.compose(3, seed=4) == alone
    finally:
        torch.set_num_threads(before)


def test_event_loops_read_the_same_events(composer: Composer) -> None:
    async def read(seed: int, server: GenerationServer) -> list[ComposingEvent]:
        return [event async for event in composer.stream(seed=seed, server=server)]

    async def read_all() -> list[list[ComposingEvent]]:
        with GenerationServer(composer.checkpoint.model) as server:
            return await asyncio.gather(*(read(seed, server) for seed in range(4)))

    for seed, events in enumerate(asyncio.run(read_all())):
        assert events[-1] == [*composer.stream(seed=seed)][-1]
        assert isinstance(events[0], TuneStarted)

    async def read_without() -> None:
        async for _ in composer.stream():
            pass

    with pytest.raises(SequenceError, match="give server="):
        asyncio.run(read_without())


@pytest.mark.parametrize("has_server", [False, True])
def test_a_tune_can_be_cancelled_and_has_a_deadline(composer: Composer, has_server: bool) -> None:
    server = GenerationServer(composer.checkpoint.model) if has_server else None
    try:
        stream = composer.stream(server=server)
        assert isinstance(next(stream), TuneStarted)
        stream.cancel()
        with pytest.raises(GenerationCancelledError):
            collect(stream)
        with composer.stream(server=server) as stream:
            next(stream)
        with pytest.raises(GenerationCancelledError):
            collect(stream)
        unread = composer.stream(server=server)
        unread.cancel()
        with pytest.raises(GenerationCancelledError):
            next(unread)
        late = composer.stream(server=server, deadline=0.01)
        time.sleep(0.02)
        with pytest.raises(DeadlineError):
            collect(late)
        for wrong in (0, -1.0, "1"):
            with pytest.raises(SequenceError, match="deadline must be seconds above 0"):
                composer.stream(server=server, deadline=wrong)  # type: ignore[arg-type]
        assert isinstance([*composer.stream(server=server, deadline=60)][-1], TuneCompleted)
    finally:
        if server is not None:
            server.close()


def test_wrong_wishes_are_refused_at_once(composer: Composer) -> None:
    with pytest.raises(TuneError, match="no note"):
        composer.stream(prompt="|")
    with pytest.raises(SequenceError, match="whole number of at least 0"):
        composer.stream(seed=-1)


def test_a_server_of_another_model_is_refused(composer: Composer) -> None:
    with (
        GenerationServer(make_composer().checkpoint.model) as server,
        pytest.raises(SequenceError, match="from another model"),
    ):
        composer.stream(server=server)
