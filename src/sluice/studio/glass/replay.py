"""A tune composed once more: the pass of a model over its tokens, recorded and packed.

This runs where the model is, in the composing process.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from sluice.equations.graph import Graph
from sluice.render.sketch import draw_interactive_sketch
from sluice.sequence import Grammar, GrammarError, LanguageModel, Sampling, SequenceError
from sluice.sequence.generation.generation_recording import GenerationRecording, record_generation
from sluice.sequence.generation.random_numbers import UniformNumbers
from sluice.sequence.vocabulary import END
from sluice.studio.glass.layers import find_shown_cell, pack_layer
from sluice.studio.glass.odds import pack_odds
from sluice.studio.glass.packing import pack
from sluice.studio.glass.places import find_places
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.sampling import Attempt, TuneAttempts, TuneRequest

FORMAT = "sluice glass box"
_SURE, _POSSIBLE = 0.97, 0.8
"""Shares of the tokens: processors round differently, and so may draw a few others."""


def replay_tune(
    composer: Composer,
    tokens: Sequence[str],
    request: TuneRequest | None = None,
    seed: int = 0,
) -> bytes:
    """The file of the glass box (`sluice.studio.glass.packing`) for a tune.

    Args:
        composer: with the model that composed it.
        tokens: those of the tune as the model reads them (`ModelTokens.encode`).
        request, seed: what the tune was composed for (`TuneStream.request`): they say what was
            given, and what the grammar forbade. Without a request the tune was not drawn at once,
            as one of which bars were varied; the model reads it under the grammar of bars.

    Returns:
        The same bytes for the same tune.

    Raises:
        TuneError: a token that the model does not know, or tokens that spell no tune.
    """
    ids = composer.encode(tokens)
    places = find_places(tokens)
    recording, attempt = _record(composer, ids, request, seed)
    layers, model = [], composer.checkpoint.model
    arrays: dict[str, Any] = pack_odds(recording)
    count = len(recording.ids) - 1
    features = {reason: values[:count] for reason, values in places.features.items()}
    for number in range(model.layers.num_layers):
        label = f"l{number}"
        prefix = f"{label}."
        own = {
            name.removeprefix(prefix): value
            for name, value in recording.values.items()
            if name.startswith(prefix)
        }
        layer = pack_layer(
            label,
            model.layers.cell,
            own,
            features,
            _find_vectors(model, number),
            has_learned_start=model.layers.learn_initial_state,
        )
        layers.append(layer.header)
        arrays |= layer.arrays
    sketch = _draw_cell(find_shown_cell(model.layers.cell).graph)
    arrays["sketch"] = np.frombuffer(sketch.encode(), np.uint8)
    header = {
        "format": FORMAT,
        "vocabulary": composer.checkpoint.vocabulary.tokens,
        "first_id": END + 1,
        "tokens": list(tokens),
        "steps": len(recording.ids),
        "given": recording.num_given,
        "is_drawn": attempt is not None,
        "has_grammar": attempt is None or attempt.grammar is not None,
        "temperature": None if attempt is None else attempt.request.sampling.temperature,
        "bars": places.bars,
        "notes": places.notes,
        "lines": [int(is_line) for is_line in places.lines],
        "layers": layers,
    }
    return pack(header, arrays)


@lru_cache(maxsize=16)
def _draw_cell(graph: Graph) -> str:
    return draw_interactive_sketch(graph)


def _record(
    composer: Composer, ids: Sequence[int], request: TuneRequest | None, seed: int
) -> tuple[GenerationRecording, Attempt | None]:
    """The recorded pass, and the attempt that drew the tune if one did."""
    if request is not None:
        found = find_attempt(composer, ids, request, seed)
        if found is not None:
            return found
    grammar: Grammar[Any] | None = composer.sampler.bar_grammar
    sampling = Sampling(max_length=len(ids) + 1)
    try:
        return _run(composer, ids, (), sampling, grammar), None
    except GrammarError:
        return _run(composer, ids, (), sampling, None), None


def find_attempt(
    composer: Composer, ids: Sequence[int], request: TuneRequest, seed: int
) -> tuple[GenerationRecording, Attempt] | None:
    """The attempt that drew `ids`, with its record: the one whose random numbers give them.

    A tune may be that of a later attempt of its seed, which has a grammar of its own. None where
    no attempt allows the tune or draws most of its tokens.
    """
    attempts = TuneAttempts(composer.sampler, request, seed)
    best: tuple[float, GenerationRecording, Attempt] | None = None
    while attempts.has_more:
        attempt = attempts.begin()
        try:
            sampling = attempt.request.sampling
            found = _run(composer, ids, attempt.request.prompt, sampling, attempt.grammar)
        except SequenceError:
            found = None
        if found is not None:
            agreement = _measure_agreement(found, attempt.seed)
            if best is None or agreement > best[0]:
                best = agreement, found, attempt
            if agreement > _SURE:
                break
        attempts.finish(ids[: len(request.prompt)])
    return None if best is None or best[0] < _POSSIBLE else best[1:]


def _run(
    composer: Composer,
    ids: Sequence[int],
    prompt: Sequence[list[int]],
    sampling: Sampling,
    grammar: Grammar[Any] | None,
) -> GenerationRecording:
    model = composer.checkpoint.model
    assert isinstance(model, LanguageModel)
    return record_generation(
        model,
        ids,
        prompt=prompt,
        sampling=sampling,
        grammar=grammar,
        num_likeliest=model.config.vocabulary_size,
    )


def _find_vectors(model: LanguageModel, number: int) -> dict[str, torch.Tensor]:
    """The learned vectors of a layer's cell, by name."""
    graph = model.layers.cell.graph
    names = {vector.name for vector in graph.vectors}
    tensors = model.layers.get_layer_parameters(number)
    pairs = zip(graph.parameters, tensors, strict=False)
    return {spec.name: tensor for spec, tensor in pairs if spec.name in names}


def _measure_agreement(recording: GenerationRecording, seed: int) -> float:
    """The share of the sampled tokens that the random numbers of a seed give, from 0 to 1."""
    sampled = torch.zeros_like(recording.sampling_probabilities)
    sampled.scatter_(1, recording.likeliest, recording.sampling_probabilities)
    start = recording.num_given
    uniform = UniformNumbers(seed).draw(len(sampled))[start:, None]
    cumulative = sampled[start:].cumsum(dim=1)
    drawn = torch.searchsorted(cumulative, uniform * cumulative[:, -1:], right=True)[:, 0]
    return float((drawn == recording.ids[start:]).double().mean())
