"""How long a layer remembers: timescales, saturation, memory capacity, memory length."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sluice.insight.checks import require_numbers
from sluice.insight.measures.readouts import Readouts
from sluice.insight.measures.regression import correlation, flatten_steps, predict


def timescales(forget: Tensor, lengths: Tensor | None = None) -> Tensor:
    """How many steps each unit takes to forget to 1/e: τ = −1 / ln f̄.

    f̄ is the unit's forget value, averaged over time and sequences. A unit with a constant
    gate f keeps f^n of its state after n steps, e^(−n/τ).

    Source: Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", section 2; Mahto,
    Vo, Turek & Huth 2021, "Multi-timescale representation learning in LSTM language models".

    Args:
        forget: The recorded gate that keeps the state, ``(time, batch, hidden)``, between 0 and 1:
            ``tape.forget`` of an LSTM, ``tape.update`` of a GRU.
        lengths: How many steps of each sequence count, ``(batch,)``; None for all.

    Returns:
        ``(hidden,)``, in steps; 0 for a gate always closed, infinite for one always open.

    Raises:
        ValueError: values outside [0, 1], or no steps.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 4, chrono=50)
        >>> with torch.no_grad(), sluice.record(layer) as tape:
        ...     y, _ = layer(torch.randn(20, 2, 3))
        >>> sluice.insight.timescales(tape.forget).shape
        torch.Size([4])
    """
    values = flatten_steps(forget, lengths).double()
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise ValueError("forget must be between 0 and 1; give a recorded gate, as tape.forget")
    return 1.0 / values.mean(0).log().abs()


class TimescaleDistribution(NamedTuple):
    """What `timescale_distribution` gives."""

    counts: Tensor
    """How many units, ``(bins,)``, int64; those outside the edges are in the first or last."""
    edges: Tensor
    """The edges, ``(bins + 1,)``, in steps, in equal ratios."""


def timescale_distribution(
    timescales: Tensor, bins: int = 20, shortest: float = 0.1, longest: float = 1000.0
) -> TimescaleDistribution:
    """How many units have which timescale, in bins of equal ratio (a logarithmic axis).

    In language models it resembles a power law: few units are slow (Mahto et al. 2021).

    Args:
        timescales: What `timescales` gives, ``(hidden,)``, in steps.
        bins: How many bins.
        shortest: The first edge, in steps.
        longest: The last edge, in steps.

    Raises:
        ValueError: the edges are not 0 < shortest < longest, or there is no bin.

    Example:
        >>> import torch
        >>> found = timescale_distribution(torch.tensor([0.5, 5.0, 7.0, float("inf")]), 3, 0.1, 100)
        >>> found.counts.tolist(), [round(edge, 6) for edge in found.edges.tolist()]
        ([1, 2, 1], [0.1, 1.0, 10.0, 100.0])
    """
    if not isinstance(bins, int) or bins < 1:
        raise ValueError(f"bins must be an integer of at least 1, got {bins}")
    if not 0 < shortest < longest < float("inf"):
        raise ValueError(
            f"shortest and longest must satisfy 0 < shortest < longest, got {shortest} and "
            f"{longest}"
        )
    ends = torch.tensor([shortest, longest], dtype=torch.float64).log10().tolist()
    edges = torch.logspace(ends[0], ends[1], bins + 1, dtype=torch.float64)
    if timescales.dim() != 1 or not bool((timescales >= 0).all()):
        raise ValueError(
            "timescales must be a vector of numbers of steps, none of them negative or NaN, got "
            f"shape {tuple(timescales.shape)}"
        )
    places = torch.bucketize(timescales.double().cpu(), edges[1:-1], right=True)
    return TimescaleDistribution(torch.bincount(places, minlength=bins), edges)


class Saturation(NamedTuple):
    """What `saturation` gives, ``(hidden,)`` each."""

    low: Tensor
    """The share of time below ``low``: the gate is shut (left-saturated)."""
    high: Tensor
    """The share of time above ``high``: the gate is open (right-saturated)."""


def saturation(
    gate: Tensor, low: float = 0.1, high: float = 0.9, lengths: Tensor | None = None
) -> Saturation:
    """The share of time that each unit's gate is shut, and the share that it is open.

    Source: Karpathy, Johnson & Fei-Fei 2015, "Visualizing and understanding recurrent networks",
    "gate activation statistics": each unit is a point, ``low`` against ``high``; low + high ≤ 1.

    Args:
        gate: A recorded gate, ``(time, batch, hidden)``.
        low: Below it a gate counts as shut.
        high: Above it a gate counts as open.
        lengths: How many steps of each sequence count, ``(batch,)``; None for all.

    Returns:
        A `Saturation`, shares between 0 and 1, float64.

    Raises:
        ValueError: ``low`` is not below ``high``, or there are no steps.

    Example:
        >>> import torch
        >>> gate = torch.tensor([[[0.05]], [[0.5]], [[0.95]], [[0.99]]])    # time, batch, hidden
        >>> found = saturation(gate)
        >>> found.low.item(), found.high.item()
        (0.25, 0.5)
    """
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high}")
    values = require_numbers(flatten_steps(gate, lengths), "a gate")
    return Saturation((values < low).double().mean(0), (values > high).double().mean(0))


def memory_capacity(
    states: Tensor,
    signal: Tensor,
    delays: int,
    warm_up: int = 100,
    train: float = 0.5,
    penalty: float = 1e-10,
) -> Tensor:
    """How well the states of now tell the input of k steps ago: MC_k, whose sum is the capacity.

    MC_k = corr²(u(t−k), y_k(t)), with y_k the linear readout of the states fitted to u(t−k) by
    ridge regression on the first part of the time and judged on the rest. For independent inputs
    the sum is at most the number of units.

    Source: Jaeger 2001, "Short term memory in echo state networks", GMD report 152, definition 1
    and proposition 2; here k counts from 0, the input of the same step.

    Args:
        states: ``(time, units)``, recorded while ``signal`` drove the layer.
        signal: ``(time,)``, independent random numbers, as Jaeger has them uniform in ±0.5.
        delays: How many delays: k = 0 … delays − 1.
        warm_up: How many first steps are left out.
        train: The share of the steps left that the readout is fitted to.
        penalty: The ridge's penalty, relative to the number of rows, of weights for states of
            standard deviation 1.

    Returns:
        ``(delays,)``, float64, between 0 and 1 each; chance is about 1 / (held-out steps).

    Raises:
        ValueError: the shapes do not fit, or fewer steps are left than the readout has weights.

    Example:
        >>> import torch, sluice
        >>> layer, u = sluice.nn.RNN(1, 16), torch.rand(1000) - 0.5
        >>> with torch.no_grad(), sluice.record(layer) as tape:
        ...     y, _ = layer(u[:, None, None])
        >>> found = sluice.insight.memory_capacity(tape.h[:, 0], u, delays=30)
        >>> found.shape, bool(found.sum() < 17)
        (torch.Size([30]), True)
    """
    if states.dim() != 2 or signal.shape != states.shape[:1]:
        raise ValueError(
            "states must be (time, units) and the signal (time,), got "
            f"{tuple(states.shape)} and {tuple(signal.shape)}"
        )
    require_numbers(states, "states")
    require_numbers(signal, "the signal")
    if bool((signal == signal[:1]).all()):
        raise ValueError("the signal does not vary; drive the layer with independent numbers")
    first = max(warm_up, delays - 1)
    count = len(signal) - first
    cut = int(train * count)
    if (
        delays < 1
        or warm_up < 0
        or not 0 < train < 1
        or cut <= states.shape[1] + 1
        or count - cut < 2
    ):
        raise ValueError(
            f"{len(signal)} steps with warm_up={warm_up}, {delays} delays and train={train} leave "
            f"{max(cut, 0)} to fit {states.shape[1] + 1} weights and {max(count - cut, 0)} to "
            "judge; give more steps"
        )
    u, x = signal.double(), states.double()[first:]
    delayed = torch.stack([u[first - k : len(u) - k] for k in range(delays)], dim=1)
    weights = Readouts(x[:cut], penalty).fit_numbers(delayed[:cut])
    return correlation(predict(x[cut:], weights), delayed[cut:]).square()


def memory_length(
    influence: Tensor, threshold: float = 0.01, steps: Tensor | None = None
) -> Tensor:
    """How many steps back an input still matters.

    For every step τ the greatest lag τ − t at which the influence is at least ``threshold`` times
    the greatest influence of any step up to τ. So defined after Khandelwal, He, Qi & Jurafsky 2018,
    "Sharp nearby, fuzzy far away" (effective context), with gradients in place of perturbations.

    Args:
        influence: Row τ, column t: what `connectivity` or `gradients_per_loss` gives,
            ``(steps, time, batch)``, square unless ``steps`` are given.
        threshold: The share of the greatest influence that still counts, above 0, at most 1.
        steps: Which step τ each row is of, ``(steps,)``, int64, where there is not a row for each.

    Returns:
        ``(steps, batch)``, int64, in steps; −1 where nothing has any influence.

    Raises:
        ValueError: ``influence`` is not square in time, or the threshold is out of range.

    Example:
        >>> import torch
        >>> influence = torch.tensor([[1.0, 0, 0], [0.5, 1, 0], [0.001, 0.5, 1]]).unsqueeze(-1)
        >>> memory_length(influence).squeeze(-1)
        tensor([0, 1, 1])
    """
    is_cube = influence.dim() == 3
    rows = len(steps) if steps is not None else influence.shape[1] if is_cube else 0
    if not is_cube or influence.shape[0] != rows:
        raise ValueError(
            "influence must be (steps, time, batch) with as many rows as columns, or as there are "
            f"steps, got {tuple(influence.shape)}"
        )
    require_numbers(influence, "influence")
    if not len(influence) or bool((influence < 0).any()):
        raise ValueError("influence must have steps, and be norms, none of them negative")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}")
    times = torch.arange(influence.shape[1], device=influence.device)
    influence = influence.double()
    lags = ((times if steps is None else steps)[:, None] - times).unsqueeze(-1)
    known = torch.where(lags >= 0, influence, 0)
    matters = (known >= threshold * known.amax(1, keepdim=True)) & (known > 0)
    return torch.where(matters, lags, -1).amax(dim=1)
