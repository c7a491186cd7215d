"""New sequences from a trained model, one token at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.run.choose import FUSED
from sluice.run.steps import Draws, Layer, Steps
from sluice.sequence.errors import SequenceError
from sluice.sequence.model import LanguageModel, State
from sluice.sequence.vocabulary import END, PADDING, START

_NAN = "These weights give NaN; train again, with a lower learning rate."


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn from the model's probabilities.

    Args:
        temperature: divides the log-probabilities; below 1 the likely becomes likelier.
        top_k: keep only the `top_k` likeliest tokens.
        top_p: keep the likeliest tokens that together reach this probability (nucleus
            sampling, Holtzman et al. 2020).
        max_length: give up on a sequence that has not ended by then.

    Raises:
        SequenceError: a value outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    max_length: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise SequenceError(f"The temperature is above 0, but {self.temperature} came.")
        if self.top_k is not None and self.top_k < 1:
            raise SequenceError(f"top_k is at least 1, but {self.top_k} came.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise SequenceError(f"top_p lies in (0, 1], but {self.top_p} came.")
        if self.max_length < 1:
            raise SequenceError(f"max_length is at least 1, but {self.max_length} came.")


def generate(
    model: LanguageModel,
    seeds: Sequence[int],
    *,
    opening: Sequence[Collection[int]] = (),
    sampling: Sampling | None = None,
) -> list[list[int]]:
    """Draw one sequence of ids for each seed, without `START` and `END`.

    A seed gives the same sequence whoever else is in the batch and however many threads run:
    each sequence draws from its own generator, one number a token, and the kernels' sums depend
    on neither. All that happens between two tokens happens in the kernels, in the dtype of the
    weights; where there are none, a copy of the model computes in float64.

    Args:
        model: any `LanguageModel`; it is left as it is.
        seeds: one for each sequence, none negative.
        opening: for the first tokens, the ids to choose from at each place; a single id forces
            it, so a given beginning is `[[id] for id in beginning]`.
        sampling: temperature and its like; by default the model's own probabilities.

    Raises:
        SequenceError: no seed or a negative one, an empty choice or an id outside the
            vocabulary in `opening`, or weights that give NaN.

    >>> from sluice.sequence.model import ModelConfig
    >>> model = LanguageModel(ModelConfig(vocabulary_size=9, hidden_size=8))
    >>> drawn = generate(model, seeds=[1, 2], opening=[[4], [5, 6]])
    >>> [ids[0] for ids in drawn], all(ids[1] in (5, 6) for ids in drawn)
    ([4, 4], True)
    """
    sampling = sampling or Sampling()
    choices = _choices(opening, model.config.vocabulary_size)
    uniforms = _uniforms(seeds, sampling.max_length)
    with torch.inference_mode():
        if model.layers.backend.name == FUSED:
            drawn = _on_kernels(model, uniforms, choices, sampling)
        else:
            copy = deepcopy(model).to("cpu", torch.float64).eval()
            drawn = _roll(copy, uniforms, choices, sampling)
    return [_until_end(row) for row in drawn.T.tolist()]


def _on_kernels(
    model: LanguageModel, uniforms: Tensor, choices: list[Tensor], sampling: Sampling
) -> Tensor:
    """The drawn ids (time, sequence), until every sequence has ended."""
    layers = model.layers
    stack = [
        Layer(layers.cell.graph, sizes, layers.own_parameters(place))
        for place, sizes in enumerate(layers.sizes)
    ]
    embedding = model.embedding.weight.detach().contiguous()
    readout = embedding if model.config.tied else model.readout.weight.detach().contiguous()
    precision = "float64" if embedding.dtype == torch.float64 else layers.precision
    draws = Draws(
        embedding,
        readout,
        model.readout.bias.detach(),
        torch.stack(choices),
        END,
        sampling.temperature,
        sampling.top_k or 0,
        sampling.top_p or 1.0,
    )
    steps = Steps(stack, uniforms.shape[1], precision)
    drawn = steps.generate(draws, torch.full((uniforms.shape[1],), START), uniforms)
    if drawn is None:
        raise SequenceError(_NAN)
    return drawn


def _choices(opening: Sequence[Collection[int]], size: int) -> list[Tensor]:
    """For each place of the opening, then for every later one: what may stand there (boolean)."""
    choices = []
    for place, ids in enumerate(opening):
        if not ids or not all(END < number < size for number in ids):
            raise SequenceError(
                f"Place {place} of the opening needs ids between {END + 1} and {size - 1}, "
                f"but {sorted(ids)} came."
            )
        allowed = torch.zeros(size, dtype=torch.bool)
        allowed[sorted(ids)] = True
        choices.append(allowed)
    anything = torch.ones(size, dtype=torch.bool)
    anything[[PADDING, START]] = False
    return [*choices, anything]


def _uniforms(seeds: Sequence[int], length: int) -> Tensor:
    """The random numbers in [0, 1) that decide (time, sequence), float64."""
    if not seeds or min(seeds) < 0:
        raise SequenceError(f"Seeds are whole numbers from 0 on, one a sequence; {seeds} came.")
    columns = [
        torch.rand(length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in seeds
    ]
    return torch.stack(columns, dim=1)


def _roll(
    model: LanguageModel, uniforms: Tensor, choices: list[Tensor], sampling: Sampling
) -> Tensor:
    """The drawn ids (time, sequence), until every sequence has ended."""
    state: State | None = None
    tokens = torch.full((1, uniforms.shape[1]), START)
    ended = torch.zeros(uniforms.shape[1], dtype=torch.bool)
    rows = []
    for time, uniform in enumerate(uniforms):
        logits, state = model(tokens, state)
        allowed = choices[min(time, len(choices) - 1)]
        tokens = _draw(logits[0], allowed, uniform, sampling)[None]
        rows.append(tokens[0])
        ended |= tokens[0] == END
        if ended.all():
            break
    return torch.stack(rows)


def _draw(logits: Tensor, allowed: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """One id for each row of `logits` (sequence, vocabulary): the inverse of the cumulative sum."""
    if logits.isnan().any():
        raise SequenceError(_NAN)
    scaled = logits.masked_fill(~allowed, -torch.inf) / sampling.temperature
    probabilities = scaled.softmax(dim=1)
    likeliest, ids = probabilities.sort(dim=1, descending=True, stable=True)
    dropped = torch.zeros_like(allowed).expand_as(ids).clone()
    if sampling.top_k is not None:
        dropped[:, sampling.top_k :] = True
    if sampling.top_p is not None:
        dropped |= likeliest.cumsum(dim=1) - likeliest >= sampling.top_p
    kept = probabilities.masked_fill(torch.zeros_like(dropped).scatter(1, ids, dropped), 0)
    cumulative = kept.cumsum(dim=1)
    place = torch.searchsorted(cumulative, (uniform * cumulative[:, -1])[:, None], right=True)
    # A tie at the very top would point past the last token that has any probability.
    numbers = torch.arange(kept.shape[1]).expand_as(kept)
    last = numbers.masked_fill(kept == 0, 0).amax(dim=1, keepdim=True)
    return place.minimum(last)[:, 0]


def _until_end(ids: list[int]) -> list[int]:
    return ids[: ids.index(END)] if END in ids else ids
