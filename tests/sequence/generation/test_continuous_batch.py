"""A batch that sequences join and leave gives to each what `generate` gives to it alone."""

from __future__ import annotations

import random
import time
from collections.abc import Collection
from typing import Any

import pytest
import torch

import sluice
from sampling import thin_out
from sequence.generation.nested_grammar import CLOSE, END, NOTE, OPEN, Closing, Nested
from sluice.sequence import (
    BatchedSequence,
    ContinuousBatch,
    DeadlineError,
    GrammarError,
    LanguageModel,
    LanguageModelConfig,
    Sampling,
    SequenceError,
    SequenceStatus,
    generate,
)

VOCABULARY = 11
SAMPLINGS = [
    Sampling(max_length=25),
    Sampling(max_length=40, temperature=0.6),
    Sampling(max_length=33, top_k=4),
    Sampling(max_length=25, top_k=10**30),
    Sampling(max_length=30, top_p=0.7, temperature=1.4),
    Sampling(max_length=18, typical=0.5),
]


def make_model(cell: Any = "lstm", **options: Any) -> LanguageModel:
    """One whose predictions are not uniform, and that ends rarely."""
    torch.manual_seed(2)
    model = LanguageModel(LanguageModelConfig(VOCABULARY, cell, 12, 12, **options))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
        model.readout.bias[END] -= 2
    return model.eval()


def with_layers(layers: Any) -> LanguageModel:
    model = make_model()
    model.layers = layers
    return model.eval()


def draw_job(rng: random.Random) -> dict[str, Any]:
    """What to sample: any prompt, sampling and grammar."""
    kind = rng.randrange(5)
    if kind == 0:
        prompt = [[OPEN], [OPEN, NOTE]][: rng.randrange(3)]
        return {"prompt": prompt, "sampling": rng.choice(SAMPLINGS), "grammar": Closing()}
    if kind == 1:
        return {"sampling": rng.choice(SAMPLINGS), "grammar": Nested()}
    length = rng.choice((0, 1, 3, 12, 15))
    prompt = [[rng.randrange(3, VOCABULARY)] for _ in range(length)]
    choices = [rng.sample(range(3, VOCABULARY), 3) for _ in range(rng.randrange(3))]
    return {"prompt": [*prompt, *choices], "sampling": rng.choice(SAMPLINGS)}


def run_jobs(
    batch: ContinuousBatch, jobs: list[dict[str, Any]], rng: random.Random
) -> list[BatchedSequence]:
    """Sequences with seeds 0, 1, … that join at random times, with random priorities."""
    made: list[BatchedSequence] = []
    while len(made) < len(jobs) or batch.is_busy:
        while len(made) < len(jobs) and rng.random() < 0.5:
            made.append(batch.add(len(made), **jobs[len(made)], priority=rng.randrange(2)))
        before = {one: len(one.tokens) for one in made}
        events = dict(batch.step())
        for one, length in before.items():
            new = one.tokens[length:]
            assert new == ([] if events.get(one) is None else [events[one]])
        assert batch.num_running <= batch.max_size
    return made


def peephole(backend: str | None = None) -> LanguageModel:
    torch.manual_seed(3)
    layers = sluice.nn.Recurrent(sluice.cells.PeepholeLSTM, 12, (9, 12), learn_initial_state=True)
    layers.backend = backend
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.mul_(3)
    return with_layers(layers)


def narrow(precision: str) -> LanguageModel:
    model = make_model("lstm", num_layers=2)
    model.layers.precision = precision
    return model


def without_kernels() -> LanguageModel:
    model = make_model("gru", tied=True)
    model.layers.backend = "reference"
    return model


MODELS = {
    "stack": lambda: make_model("lstm", num_layers=2),
    "tied GRU": lambda: make_model("gru", tied=True),
    "float64": lambda: make_model("elman").double(),
    "own cell": peephole,
    "own cell without kernels": lambda: peephole("reference"),
    "without kernels": without_kernels,
    "bfloat16": lambda: narrow("bfloat16"),
    "int8": lambda: narrow("int8"),
}


@pytest.mark.parametrize("name", thin_out(MODELS, 2))
def test_everyone_gets_what_generate_gives(name: str) -> None:
    model, rng = MODELS[name](), random.Random(name)
    jobs = [draw_job(rng) for _ in range(70 if name in ("stack", "int8") else 30)]
    batch = ContinuousBatch(model, max_size=13, time_slice=5)
    made = run_jobs(batch, jobs, rng)
    expected = [generate(model, [seed], **job)[0] for seed, job in enumerate(jobs)]
    assert [one.tokens for one in made] == expected
    assert {one.status for one in made} == {SequenceStatus.DONE}
    assert len({tuple(ids) for ids in expected}) > len(jobs) // 2


def test_a_batch_of_several_threads() -> None:
    """A step of so many sequences of so large a model is shared between threads."""
    torch.manual_seed(4)
    model = LanguageModel(LanguageModelConfig(VOCABULARY, "lstm", 64, 704, num_layers=2))
    sampling = Sampling(max_length=3)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        batch = ContinuousBatch(model)
        made = [batch.add(seed, sampling=sampling) for seed in range(48)]
        batch.run()
    finally:
        torch.set_num_threads(threads)
    assert [one.tokens for one in made] == generate(model, range(48), sampling=sampling)


def test_those_who_leave_do_not_change_the_rest() -> None:
    model, sampling = make_model(), Sampling(max_length=30)
    with torch.no_grad():
        model.readout.bias[END] = -1e4
    batch = ContinuousBatch(model)
    made = [batch.add(seed, sampling=sampling) for seed in range(9)]
    for _ in range(4):
        batch.step()
    for one in made[:5:2]:
        one.cancel()
    assert [one for one, token in batch.step() if token is None] == made[:5:2]
    assert batch.num_running == 6
    batch.run()
    expected = generate(model, range(9), sampling=sampling)
    assert all(one.tokens == expected[one.seed][:4] for one in made[:5:2])
    assert all(one.tokens == expected[one.seed] for one in (*made[1:5:2], *made[5:]))
    assert [one.status.value for one in made[:2]] == ["cancelled", "done"]
    made[1].cancel()
    assert made[1].status == SequenceStatus.DONE


class Broken(Nested):
    """Fails after three tokens, as a grammar with a mistake does."""

    def advance(self, state: int, token: int) -> int:
        if state == 2:
            raise KeyError("three")
        return state + 1

    def get_allowed_tokens(self, state: int) -> Collection[int]:
        return {OPEN}


class DeadEnd(Broken):
    """Allows nothing after two tokens."""

    def get_allowed_tokens(self, state: int) -> Collection[int]:
        return {OPEN} if state < 2 else set()


def test_one_that_fails_does_not_hurt_others() -> None:
    model, sampling = make_model(), Sampling(max_length=12)
    with torch.no_grad():
        model.embedding.weight[9] = torch.nan
    batch = ContinuousBatch(model)
    broken = batch.add(1, grammar=Broken(), sampling=sampling)
    dead = batch.add(2, grammar=DeadEnd(), sampling=sampling)
    nan = batch.add(3, prompt=[[9]], sampling=sampling)
    good = batch.add(4, grammar=Closing(), sampling=sampling)
    with pytest.raises(GrammarError, match="token 5 at place 0"):
        batch.add(5, prompt=[[NOTE]], grammar=Closing())
    batch.run()
    assert [one.status for one in (broken, dead, nan)] == [SequenceStatus.FAILED] * 3
    assert isinstance(broken.error, KeyError) and broken.tokens == [OPEN] * 3
    assert isinstance(dead.error, GrammarError) and dead.tokens == [OPEN] * 2
    assert isinstance(nan.error, SequenceError) and "computes NaN" in str(nan.error)
    (expected,) = generate(model, [4], grammar=Closing(), sampling=sampling)
    assert good.tokens == expected and good.error is None


def test_deadlines() -> None:
    model = make_model()
    with torch.no_grad():
        model.readout.bias[END] = -1e4
    batch = ContinuousBatch(model, max_size=2)
    late = batch.add(1, deadline=0.02)
    batch.add(2, sampling=Sampling(max_length=20), deadline=60.0)
    waits = batch.add(3, deadline=0.02)
    batch.step()
    time.sleep(0.03)
    batch.run()
    assert isinstance(late.error, DeadlineError) and len(late.tokens) == 1
    assert isinstance(waits.error, DeadlineError) and not waits.tokens
    assert "had 1 tokens at its deadline" in str(late.error)
    for wrong in (0, -1.0, float("nan"), "soon"):
        with pytest.raises(SequenceError, match="deadline must be seconds above 0"):
            batch.add(1, deadline=wrong)  # type: ignore[arg-type]


def test_a_short_sequence_does_not_wait_for_long_ones() -> None:
    model = make_model()
    with torch.no_grad():
        model.readout.bias[END] = -1e4
    batch = ContinuousBatch(model, max_size=2, time_slice=4)
    long = [batch.add(seed, sampling=Sampling(max_length=60)) for seed in range(2)]
    batch.step()
    short = batch.add(2, sampling=Sampling(max_length=5))
    steps = 0
    while not short.has_ended:
        batch.step()
        steps += 1
    assert steps <= 8 and batch.num_waiting == 1
    assert {one.status.value for one in long} == {"running", "waiting"}
    batch.run()
    assert [one.tokens for one in long] == generate(
        model, range(2), sampling=Sampling(max_length=60)
    )


def test_a_lower_priority_runs_in_free_places_only() -> None:
    model, sampling = make_model(), Sampling(max_length=10)
    with torch.no_grad():
        model.readout.bias[END] = -1e4
    batch = ContinuousBatch(model, max_size=3)
    low = [batch.add(seed, sampling=sampling, priority=-1) for seed in range(3)]
    batch.step()
    high = [batch.add(seed, sampling=sampling) for seed in range(3, 5)]
    batch.step()
    assert [one.status.value for one in high] == ["running"] * 2
    assert sum(one.status == SequenceStatus.RUNNING for one in low) == 1
    while not all(one.has_ended for one in high):
        batch.step()
    assert sum(one.has_ended for one in low) == 1
    batch.run()
    assert [one.tokens for one in (*low, *high)] == generate(model, range(5), sampling=sampling)


def test_a_long_prompt_does_not_stop_others() -> None:
    model, sampling = make_model(), Sampling(max_length=400)
    with torch.no_grad():
        model.readout.bias[END] = -1e4
    batch = ContinuousBatch(model)
    running = batch.add(1, sampling=sampling)
    batch.step()
    prompt = [[3 + place % 8] for place in range(300)]
    joining = batch.add(2, prompt=prompt, sampling=Sampling(max_length=320))
    steps = 0
    while len(joining.tokens) == 300:
        assert [one for one, _ in batch.step()][:1] == [running]
        steps += 1
    assert 3 < steps < 30
    batch.run()
    assert [joining.tokens] == generate(
        model, [2], prompt=prompt, sampling=Sampling(max_length=320)
    )
    alone = batch.add(3, prompt=prompt, sampling=Sampling(max_length=301))
    batch.step(), batch.step()
    assert alone.status == SequenceStatus.DONE


def test_prompts_that_leave_no_room() -> None:
    model = make_model()
    batch = ContinuousBatch(model)
    full = batch.add(1, prompt=[[3], [4]], sampling=Sampling(max_length=2))
    assert batch.step() == [(full, None)]
    assert full.tokens == [3, 4] and not batch.is_busy
    with pytest.raises(SequenceError, match="prompt has 3 tokens, but max_length is 2"):
        batch.add(1, prompt=[[3]] * 3, sampling=Sampling(max_length=2))
    with pytest.raises(SequenceError, match="whole number of at least 0, got -1"):
        batch.add(-1)
    with pytest.raises(SequenceError, match="priority must be a whole number, got 'high'"):
        batch.add(1, priority="high")  # type: ignore[arg-type]
    for wrong in ({"max_size": 0}, {"time_slice": 0}):
        with pytest.raises(SequenceError, match="must be at least 1, got 0"):
            ContinuousBatch(model, **wrong)


@pytest.mark.parametrize("backend", [None, "reference"])
def test_weights_are_those_of_the_construction_or_of_a_refresh(backend: str | None) -> None:
    model, sampling = make_model(), Sampling(max_length=15)
    model.layers.backend = backend
    old = generate(model, [1, 2], sampling=sampling)
    batch = ContinuousBatch(model)
    before = batch.add(1, sampling=sampling)
    batch.step()
    for parameter in model.parameters():
        parameter.data.mul_(-1)
    later = batch.add(2, sampling=sampling)
    batch.run()
    assert [before.tokens, later.tokens] == old
    new = generate(model, [1, 2], sampling=sampling)
    assert new != old
    batch.refresh()
    again = [batch.add(seed, sampling=sampling) for seed in (1, 2)]
    batch.run()
    assert [one.tokens for one in again] == new
    model.layers = sluice.nn.GRU(12, 12)
    with pytest.raises(SequenceError, match="other sizes now; make a new batch"):
        batch.refresh()


def test_a_batch_refuses_a_step_inside_a_step() -> None:
    batch = ContinuousBatch(make_model())

    class Stepping(Closing):
        def get_allowed_tokens(self, state: int) -> Collection[int]:
            batch.step()
            return {CLOSE}

    one = batch.add(1, grammar=Stepping())
    batch.run()
    assert isinstance(one.error, SequenceError) and "one thread at a time" in str(one.error)


def test_a_batch_whose_step_was_interrupted_is_refused() -> None:
    """Its states and tokens may be those of different steps."""
    batch = ContinuousBatch(make_model())

    class Interrupted(Closing):
        def get_allowed_tokens(self, state: int) -> Collection[int]:
            raise KeyboardInterrupt

    batch.add(1, grammar=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        batch.step()
    with pytest.raises(SequenceError, match="was interrupted"):
        batch.step()
