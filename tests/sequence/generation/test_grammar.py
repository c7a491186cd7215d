"""Grammars between a model and its tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
import torch

from sequence.generation.nested_grammar import CLOSE, NOTE, OPEN, Closing, Nested
from sequence.generation.torch_reference import END, Plain, sharp
from sluice.sequence import (
    EndingGrammar,
    GrammarError,
    LanguageModel,
    Sampling,
    SequenceError,
    beam_search,
    generate,
)
from sluice.sequence.generation.sampling import draw


class Masked(Nested):
    """The same, as a mask."""

    def get_allowed_tokens(self, state: int) -> Any:
        mask = torch.zeros(6, dtype=torch.bool)
        mask[[*super().get_allowed_tokens(state)]] = True
        return mask if state else mask.numpy()


def is_balanced(ids: list[int]) -> bool:
    depth = 0
    for token in ids:
        if depth == 0 and token != OPEN:
            return False
        depth += {OPEN: 1, CLOSE: -1, NOTE: 0}[token]
        if depth > 3:
            return False
    return depth == 0


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize(
    "options", [{}, {"top_k": 1}, {"top_p": 0.3}, {"typical": 0.2}, {"temperature": 5.0}]
)
def test_sampled_sequences_are_allowed_and_end(backend: str | None, options: Any) -> None:
    model = sharp(6)
    model.layers.backend = backend
    for longest in (1, 2, 3, 5, 30):
        sampling = Sampling(max_length=longest, **options)
        sequences = generate(model, range(12), grammar=Closing(), sampling=sampling)
        assert all(is_balanced(ids) and len(ids) < longest for ids in sequences)
    assert isinstance(Closing(), EndingGrammar) and not isinstance(Nested(), EndingGrammar)


def test_draws_follow_the_model_among_the_allowed_tokens() -> None:
    """One token at a time over torch's own modules, with the numbers that the seed gives."""
    model, sampling = sharp(6), Sampling(max_length=25, top_p=0.9)
    plain, grammar = Plain(model), Nested()
    for seed in range(8):
        numbers = torch.Generator().manual_seed(seed)
        uniforms = torch.rand(25, generator=numbers, dtype=torch.float64)
        state, ids = grammar.start(), list[int]()
        for uniform in uniforms:
            allowed = torch.zeros(6, dtype=torch.bool)
            allowed[[*grammar.get_allowed_tokens(state)]] = True
            token = int(draw(plain.logs(ids)[None], allowed, uniform[None], sampling))
            if token == END:
                break
            ids.append(token)
            state = grammar.advance(state, token)
        assert generate(model, [seed], grammar=grammar, sampling=sampling) == [ids]


def test_masks_and_ids_are_equivalent_in_any_batch() -> None:
    model, sampling = sharp(6).float(), Sampling(max_length=40)
    together = generate(model, range(7), grammar=Nested(), sampling=sampling)
    assert together == generate(model, range(7), grammar=Masked(), sampling=sampling)
    alone = [generate(model, [s], grammar=Nested(), sampling=sampling)[0] for s in range(7)]
    assert together == alone
    assert len({len(ids) for ids in together}) > 1


def test_the_grammar_reads_the_prompt() -> None:
    model = sharp(6)
    sequences = generate(model, range(5), prompt=[[OPEN], [OPEN], [NOTE, CLOSE]], grammar=Closing())
    assert all(ids[:2] == [OPEN, OPEN] and is_balanced(ids) for ids in sequences)
    with pytest.raises(GrammarError, match="token 4 at place 2") as caught:
        generate(model, [0], prompt=[[OPEN], [CLOSE], [CLOSE]], grammar=Masked())
    assert (caught.value.place, caught.value.token) == (2, CLOSE)
    with pytest.raises(GrammarError, match=r"needs 5 tokens .* max_length is 3"):
        generate(
            model, [0], prompt=[[OPEN], [OPEN]], grammar=Closing(), sampling=Sampling(max_length=3)
        )


def test_beams_obey_the_grammar() -> None:
    model = sharp(6)
    for width in (1, 3, 6):
        for longest in (2, 7, 20):
            found = beam_search(model, width, grammar=Closing(), max_length=longest)
            assert found and all(one.is_finished and is_balanced(one.ids) for one in found)
    plain = Plain(model)
    one = beam_search(model, 5, grammar=Closing(), max_length=12)[0]
    assert one.log_likelihood == pytest.approx(plain.sum_of_logs([*one.ids, END]))


class Dead(Nested):
    def get_allowed_tokens(self, state: int) -> Collection[int]:
        return {OPEN} if state < 2 else ()


def test_dead_ends_and_wrong_masks_are_reported() -> None:
    model = sharp(6)
    with pytest.raises(GrammarError, match="no token at place 2") as caught:
        generate(model, [0], grammar=Dead())
    assert caught.value.place == 2
    with pytest.raises(GrammarError, match="no token at place 2"):
        beam_search(model, 2, grammar=Dead())

    class Wrong(Nested):
        given: Any = None

        def get_allowed_tokens(self, state: int) -> Any:
            return self.given

    wrong = Wrong()
    for given, message in (
        (np.ones(5, dtype=bool), "shape"),
        (torch.ones(6), "boolean"),
        ({9}, "from 0 to 5"),
    ):
        wrong.given = given
        with pytest.raises(SequenceError, match=message):
            generate(model, [0], grammar=wrong)


def test_ended_sequences_do_not_affect_the_others() -> None:
    model = sharp(6)
    with torch.no_grad():
        model.readout.weight.zero_()
        model.readout.bias.zero_()
    sequences = generate(model, range(400), grammar=Nested(), sampling=Sampling(max_length=60))
    counts = Counter(len(ids) for ids in sequences)
    assert counts[0] / 400 == pytest.approx(1 / 2, abs=0.08)  # END or an open bracket


def test_marks_are_never_allowed() -> None:
    class Anything(Nested):
        def get_allowed_tokens(self, state: int) -> Any:
            return torch.ones(6, dtype=torch.bool)

        def advance(self, state: int, token: int) -> int:
            assert token > END
            return state

    model: LanguageModel = sharp(6)
    with torch.no_grad():
        model.readout.bias[:2] += 50
    assert generate(model, range(3), grammar=Anything(), sampling=Sampling(max_length=20))
