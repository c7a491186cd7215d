"""What units encode: linear probes with control labels, and correlated units."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sluice.insight.checks import require_numbers
from sluice.insight.measures.norms import compute_norm
from sluice.insight.measures.readouts import Readouts
from sluice.insight.measures.regression import correlation, flatten_steps, predict


class Probe(NamedTuple):
    """What `probe` gives; scores are accuracies for classes, R² for numbers.

    R² compares with the variance of the rows that are judged. Where those do not vary it has no
    meaning, and is NaN.
    """

    score: float
    """On the rows held out."""
    train_score: float
    """On the rows that it was fitted to."""
    control: float
    """Of a probe for the control labels, on the rows held out."""
    weights: Tensor
    """``(units + 1, classes or 1)``, float64, the constant last."""

    @property
    def selectivity(self) -> float:
        """score − control: what is encoded beyond what a probe could memorise; NaN if either is."""
        return self.score - self.control


def probe(
    values: Tensor,
    labels: Tensor,
    tokens: Tensor | None = None,
    *,
    held_out: float = 0.25,
    penalty: float = 1e-3,
    seed: int = 0,
    lengths: Tensor | None = None,
) -> Probe:
    """Can a property be read off these values by a linear map, on data not seen before?

    Classes (integer labels): multinomial logistic regression, the least of mean cross-entropy
    (nats) + penalty/2 · ‖σ W‖², by Newton's method or LBFGS. Numbers: ridge regression in closed
    form, the least of mean squared error + penalty · ‖σ W‖². σ are the units' standard deviations
    over the rows to fit, so that the size of the values does not matter. The same is done for
    *control* labels: every token type is given a random label from the rows to fit; without
    tokens the labels are shuffled, those of either part among themselves. A probe that does as well
    on them has memorised the tokens, or guessed, and shows nothing about the values.

    Source: Alain & Bengio 2016 (probes); Hewitt & Liang 2019, "Designing and interpreting probes
    with control tasks" (control labels, selectivity).

    Args:
        values: Recorded, ``(time, batch, units)``, or ``(rows, units)``.
        labels: The property, ``(time, batch)`` or ``(rows,)``; integers from 0 are classes,
            floating-point numbers are numbers.
        tokens: The token of each, as ``labels`` are laid out, integers; None for none: then
            the control is chance.
        held_out: The share of rows, the last ones, that is held out for the score. Rows are in the
            order of sequences, so with several of them other sequences are held out.
        penalty: The weight of ‖σ W‖².
        seed: Of the control labels.
        lengths: How many steps of each sequence count, ``(batch,)``; None for all.

    Returns:
        A `Probe`; torch's global generator is not used.

    Raises:
        ValueError: shapes do not fit, the labels of the rows to fit do not vary, a part has no
            rows, classes are negative, or values or labels are not finite.

    Example:
        >>> import torch, sluice
        >>> values = torch.randn(200, 4, 8)
        >>> found = sluice.insight.probe(values, (values[..., 3] > 0).long())
        >>> found.score > 0.9, found.selectivity > 0.3
        (True, True)
    """
    rows = ProbedValues(values, held_out=held_out, penalty=penalty, lengths=lengths)
    return rows.probe(labels, tokens, seed=seed)


class ProbedValues:
    """Values that are probed for several properties: see `probe`; all share one factorisation."""

    def __init__(
        self,
        values: Tensor,
        *,
        held_out: float = 0.25,
        penalty: float = 1e-3,
        lengths: Tensor | None = None,
    ) -> None:
        if not penalty >= 0:
            raise ValueError(f"penalty must not be negative, got {penalty}")
        require_numbers(values, "values")
        if values.shape[-1:] == (0,):
            raise ValueError(f"values must have units, got shape {tuple(values.shape)}")
        self._values, self._lengths = values, lengths
        self._x = x = flatten_steps(values, lengths).double()
        self._cut = len(x) - int(held_out * len(x))
        if not 0 < self._cut < len(x):
            raise ValueError(f"held_out={held_out} of {len(x)} rows leaves one part empty")
        self._readouts = Readouts(x[: self._cut], penalty)

    def probe(self, labels: Tensor, tokens: Tensor | None = None, *, seed: int = 0) -> Probe:
        """What `probe` gives for these values."""
        x, cut = self._x, self._cut
        y = _flatten_labels(self._values, labels, self._lengths)
        types = None if tokens is None else _flatten_labels(self._values, tokens, self._lengths)
        _check_labels(y, cut)
        weights = self._readouts.fit(y[:cut])
        control = _draw_control_labels(y, types, cut, seed)
        theirs = self._readouts.fit(control[:cut])
        judged = _score(x[cut:], y[cut:], weights), _score(x[:cut], y[:cut], weights)
        return Probe(*judged, _score(x[cut:], control[cut:], theirs), weights)


_MOST_CLASSES = 10_000


def _check_labels(y: Tensor, cut: int) -> None:
    if y.is_floating_point() and not bool(y.isfinite().all()):
        raise ValueError("labels must be finite, got NaN or infinity; leave out those rows")
    if not y.is_floating_point() and bool((y < 0).any()):
        raise ValueError(f"classes are counted from 0, got {int(y.min())}; leave out those rows")
    if not y.is_floating_point() and int(y.max()) >= _MOST_CLASSES:
        raise ValueError(
            f"classes are numbered from 0, at most {_MOST_CLASSES:,}, got {int(y.max()):,}; number "
            "those that occur: labels.unique(return_inverse=True)[1]"
        )
    if bool((y[:cut] == y[0]).all()):
        raise ValueError("the labels do not vary over the rows to fit; there is nothing to learn")


def _flatten_labels(values: Tensor, labels: Tensor, lengths: Tensor | None) -> Tensor:
    require_numbers(labels, "labels and tokens", finite=False)
    if labels.shape != values.shape[:-1]:
        raise ValueError(
            "labels and tokens must have a number for each row of values, "
            f"{tuple(values.shape[:-1])}, got {tuple(labels.shape)}"
        )
    found = flatten_steps(labels.unsqueeze(-1), lengths).squeeze(-1)
    return found.double() if found.is_floating_point() else found.long()


def _draw_control_labels(labels: Tensor, types: Tensor | None, cut: int, seed: int) -> Tensor:
    """A label for every token type from the first ``cut``; without types, those of each part."""
    generator = torch.Generator().manual_seed(seed)
    if types is None:
        order = torch.randperm(cut, generator=generator)
        rest = torch.randperm(len(labels) - cut, generator=generator) + cut
        return labels[torch.cat([order, rest]).to(labels.device)]
    _, places = types.unique(return_inverse=True)
    drawn = torch.randint(cut, (int(places.max()) + 1,), generator=generator)
    return labels[drawn.to(labels.device)][places]


def _score(x: Tensor, y: Tensor, weights: Tensor) -> float:
    found = predict(x, weights)
    if y.is_floating_point() and bool((y == y[0]).all()):
        return float("nan")
    if not y.is_floating_point():
        return float((found.argmax(-1) == y).double().mean())
    left, spread = compute_norm(y - found.squeeze(-1)), compute_norm(y - y.mean())
    return float(1.0 - (left / spread).square())


def find_correlated_units(
    values: Tensor, property: Tensor, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The units that follow a property: Pearson's correlation of each, the strongest first.

    r = Σ (v − v̄)(p − p̄) / √(Σ (v − v̄)² Σ (p − p̄)²), over all steps of all sequences; 0 where one
    of them does not vary. A single interpretable unit (Karpathy, Johnson & Fei-Fei 2015) has |r|
    near 1.

    Args:
        values: Recorded, ``(time, batch, units)`` or ``(rows, units)``.
        property: A number for each, ``(time, batch)`` or ``(rows,)``.
        lengths: How many steps of each sequence count, ``(batch,)``; None for all.

    Returns:
        The units, ``(units,)``, int64, by descending |r|; and their r in that order, float64.

    Raises:
        ValueError: the shapes do not fit, there are no steps, or a number is not finite.

    Example:
        >>> import torch, sluice
        >>> values = torch.randn(50, 4, 8)
        >>> units, r = sluice.insight.find_correlated_units(values, -values[..., 3])
        >>> units[0].item(), round(r[0].item(), 6)
        (3, -1.0)
    """
    require_numbers(values, "values")
    require_numbers(property, "the property")
    x, y = (
        flatten_steps(values, lengths).double(),
        _flatten_labels(values, property, lengths).double(),
    )
    r = correlation(x, y.unsqueeze(-1))
    order = r.abs().argsort(descending=True, stable=True)
    return order, r[order]
