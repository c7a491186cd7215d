"""What is recorded of a sequence, against plain torch and a grammar by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import sluice
from sequence.generation.nested_grammar import CLOSE, END, NOTE, OPEN, Closing
from sequence.generation.torch_reference import START, Plain, sharp
from sluice.sequence import (
    ContinuousBatch,
    GenerationRecording,
    GrammarError,
    LanguageModel,
    Sampling,
    SequenceError,
    beam_search,
    generate,
    record_generation,
    stream_tokens,
)
from sluice.sequence.generation.packed_model import start_engine

SAMPLING = Sampling(temperature=0.7, top_k=4, max_length=15)


def find_sequence(model: LanguageModel, **options: Any) -> tuple[list[int], GenerationRecording]:
    """The first one that ends by itself, and its recording."""
    for seed in range(200):
        (ids,) = generate(model, [seed], **options)
        if 2 < len(ids) < options["sampling"].max_length:
            return ids, record_generation(model, ids, **options)
    raise AssertionError("none ends")


def test_values_are_those_of_torch_s_own_layers() -> None:
    model = sharp(9)
    ids, found = find_sequence(model, prompt=[[5], [3, 4]], sampling=SAMPLING)
    layers, x = Plain(model).layers, None
    with torch.no_grad():
        x = model.embedding(torch.tensor([START, *ids]))
        for layer in range(2):
            h = c = torch.zeros(10, dtype=torch.float64)
            w, u, b, d = (
                getattr(layers, f"{name}_l{layer}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            outputs = []
            for t, row in enumerate(x):
                i, f, g, o = (w @ row + u @ h + b + d).split(10)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
                expected = {"input": i.sigmoid(), "forget": f.sigmoid(), "output": o.sigmoid()}
                for name, value in {**expected, "h": h, "c": c}.items():
                    recorded = found.values[f"l{layer}.{name}"]
                    assert recorded.shape == (len(ids) + 1, 10)
                    torch.testing.assert_close(recorded[t], value)
                outputs.append(h)
            x = torch.stack(outputs)


def test_odds_are_the_model_s_before_and_after_all_constraints() -> None:
    model, grammar = sharp(7), Closing()
    ids, found = find_sequence(model, grammar=grammar, prompt=[[OPEN]], sampling=SAMPLING)
    plain, depth = Plain(model), 0
    assert found.ids.tolist() == [*ids, END] and found.num_given == 1
    for t, token in enumerate(found.ids.tolist()):
        own = plain.logs(ids[:t]).exp()
        order = sorted(range(7), key=lambda one, p=own: -p[one])[:5]
        assert found.likeliest[t].tolist() == order
        torch.testing.assert_close(found.probabilities[t], own[order])
        torch.testing.assert_close(found.probabilities_of_ids[t], own[token])
        allowed = find_allowed(depth, 15 - t) if t else {OPEN}
        assert set(found.allowed[t].nonzero()[:, 0].tolist()) == allowed
        assert found.is_forbidden[t].tolist() == [one not in allowed for one in order]
        best = sorted(allowed, key=lambda one, p=own: -p[one])[:4]
        powers = {one: float(own[one]) ** (1 / 0.7) for one in best}
        expected = [powers.get(one, 0.0) / sum(powers.values()) for one in order]
        torch.testing.assert_close(
            found.sampling_probabilities[t], torch.tensor(expected, dtype=torch.float64)
        )
        depth += {OPEN: 1, CLOSE: -1}.get(token, 0)


def find_allowed(depth: int, left: int) -> set[int]:
    """By hand: brackets at most three deep, closed and ended within `left` tokens."""
    possible = {OPEN: depth + 1, CLOSE: depth - 1, NOTE: depth}
    found = {one for one, after in possible.items() if 0 <= after <= 3 and after + 2 <= left}
    return found - ({NOTE} if depth == 0 else set()) | ({END} if depth == 0 else set())


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_the_pass_computes_what_was_computed_step_by_step(precision: str) -> None:
    model = sharp(9).float()
    model.layers.precision = precision
    (ids,) = generate(model, [4], prompt=[[3]], sampling=Sampling(max_length=12))
    found = record_generation(model, ids, has_ended=False)
    engine, token = start_engine(model, 1, [])
    steps: list[Tensor] = []
    for one in [*ids]:
        steps.append(engine.logits(token)[0].double().softmax(0))
        token = torch.tensor([one])
        states = engine.read()
        assert isinstance(states, tuple)
        for layer, (h, c) in enumerate(states):
            row = len(steps) - 1
            assert torch.equal(found.values[f"l{layer}.h"][row], h[0])
            assert torch.equal(found.values[f"l{layer}.c"][row], c[0])
    assert found.ids.tolist() == ids
    own = torch.stack(steps).gather(1, found.likeliest)
    torch.testing.assert_close(found.probabilities, own, rtol=1e-5, atol=1e-7)


def test_sequences_that_do_not_end_and_names() -> None:
    model = sharp(9, "gru")
    sampling = Sampling(max_length=6)
    with torch.no_grad():
        model.readout.bias[END] = -1e4
    (ids,) = generate(model, [1], sampling=sampling)
    found = record_generation(model, ids, sampling=sampling, names=["h"], num_likeliest=2)
    assert found.ids.tolist() == ids and set(found.values) == {"l0.h", "l1.h"}
    assert found.likeliest.shape == (6, 2)
    part = record_generation(model, ids[:4], sampling=sampling, has_ended=False)
    assert part.ids.tolist() == ids[:4]
    assert torch.equal(part.probabilities_of_ids, found.probabilities_of_ids[:4])


def test_what_was_not_generated_so_is_refused() -> None:
    model = sharp(7)
    for ids, options, message in (
        ([9], {}, "Ids must be from 3 to 6, got 9"),
        ([3, 4], {"prompt": [[4]]}, "do not begin with the prompt"),
        ([3, 4], {"prompt": [[3], [5, 6]]}, "token 4 at place 1 is not what the prompt"),
        ([3] * 5, {"sampling": Sampling(max_length=4)}, "5 ids, but max_length is 4"),
        ([3], {"num_likeliest": 8}, "num_likeliest must be from 1 to 7"),
        ([], {"has_ended": False}, "nothing to record"),
    ):
        with pytest.raises(SequenceError, match=message):
            record_generation(model, ids, **options)
    for ids, place in (([OPEN], 1), ([OPEN, CLOSE, NOTE], 2)):
        with pytest.raises(GrammarError, match=f"at place {place} is not what") as found:
            record_generation(model, ids, grammar=Closing())
        assert found.value.place == place


def test_a_recording_is_saved(tmp_path: Path) -> None:
    model = sharp(9)
    (ids,) = generate(model, [1], sampling=SAMPLING)
    found = record_generation(model, ids, sampling=SAMPLING)
    found.save(tmp_path / "one.safetensors")
    tensors = load_file(tmp_path / "one.safetensors")
    assert torch.equal(tensors["allowed"], found.allowed)
    assert torch.equal(tensors["values.l1.forget"], found.values["l1.forget"])
    assert len(tensors) == 6 + len(found.values)


@pytest.mark.parametrize("backend", [None, "reference"])
def test_recording_while_tokens_are_sampled_is_refused(backend: str | None) -> None:
    model = sharp(9)
    model.layers.backend = backend
    batch, begun = ContinuousBatch(model), stream_tokens(model, 1)
    batch.add(1)
    for attempt in (
        lambda: next(begun),
        lambda: batch.add(2),
        lambda: generate(model, [1]),
        lambda: stream_tokens(model, 1),
        lambda: beam_search(model, 2, max_length=5),
        lambda: ContinuousBatch(model),
        batch.step,
    ):
        with sluice.record(model), pytest.raises(SequenceError, match="record_generation"):
            attempt()
    with sluice.record(sluice.nn.LSTM(2, 3)):
        batch.step()
        assert generate(model, [1], sampling=SAMPLING)
