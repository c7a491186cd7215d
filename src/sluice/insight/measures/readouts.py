"""Linear readouts of the same values for any labels, fitted with one factorisation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sluice.insight.measures.regression import find_scale, standardise, undo_standardise

_CURVATURE = 0.05
"""How much cross-entropy curves along a logit, p (1 − p), where most rows are told apart."""

_MOST_STEPS, _FLAT = 60, 1e-7
"""Newton's method: at most so many steps, until no slope is steeper."""


class Readouts:
    """Fits of linear maps from rows of values to labels; every fit shares one factorisation.

    Args:
        x: ``(rows, features)``, finite.
        penalty: The weight of ‖σ W‖², where σ are the standard deviations of the features, so that
            a fit does not depend on their units.
    """

    def __init__(self, x: Tensor, penalty: float) -> None:
        self._x, self._means, self._sizes = standardise(x)
        self._penalty = penalty
        spreads, self._directions = torch.linalg.eigh(self._x.T @ self._x / len(x))
        # Directions in which nothing varies, but for rounding, are left alone.
        least = spreads.amax() * x.shape[1] * torch.finfo(torch.float64).eps
        self._spreads = torch.where(spreads > least, spreads, 0.0)

    def fit(self, labels: Tensor) -> Tensor:
        """The weights for labels ``(rows,)``: `fit_numbers` or `fit_classes`, by their dtype."""
        if labels.is_floating_point():
            return self.fit_numbers(labels.unsqueeze(-1))
        return self.fit_classes(labels)

    def fit_numbers(self, y: Tensor) -> Tensor:
        """The weights of y ≈ [x, 1] W with least mean square + penalty · ‖σ W‖², in closed form.

        ``y`` is ``(rows, targets)``; the weights, ``(features + 1, targets)``, end with the
        constant, which is not penalised.
        """
        unit = find_scale(y)
        y = y / unit
        mean = y.mean(0)
        along = self._directions.T @ (self._x.T @ (y - mean) / len(y))
        weights = self._directions @ (self._invert(self._spreads + self._penalty, 1) * along)
        full = torch.cat([weights, mean.unsqueeze(0)])
        return undo_standardise(full, self._means, self._sizes) * unit

    @torch.no_grad()
    def fit_classes(self, y: Tensor) -> Tensor:
        """The weights of least mean cross-entropy (nats) + penalty/2 · ‖σ W‖².

        ``y`` is ``(rows,)``, int64; the weights, ``(features + 1, classes)``, end with the
        constant. Two classes are told apart by Newton's method, more of them by LBFGS, in
        coordinates in which the loss curves by about 1.
        """
        if self._penalty > 0 and int(y.max()) == 1:
            return undo_standardise(self._fit_two(y), self._means, self._sizes)
        scale = self._invert(_CURVATURE * self._spreads + self._penalty, 0.5)
        rows = self._x @ (self._directions * scale.T)
        rows = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)
        wanted = functional.one_hot(y, int(y.max()) + 1).to(rows.dtype)
        penalties = torch.cat([self._penalty * scale.square(), scale.new_zeros(1, 1)])
        weights = rows.new_zeros(rows.shape[1], wanted.shape[1])
        optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

        def compute_loss() -> Tensor:
            chances = (rows @ weights).log_softmax(-1)
            weights.grad = rows.T @ (chances.exp() - wanted) / len(rows) + penalties * weights
            fitted = -(chances * wanted).sum() / len(rows)
            return fitted + 0.5 * (penalties * weights.square()).sum()

        optimiser.step(compute_loss)
        turned = self._directions @ (scale * weights[:-1])
        full = torch.cat([turned, weights[-1:]])
        return undo_standardise(full, self._means, self._sizes)

    def _fit_two(self, y: Tensor) -> Tensor:
        """The weights of two classes, −u/2 and u/2, in standard units: u by Newton's method."""
        rows = torch.cat([self._x, self._x.new_ones(len(self._x), 1)], dim=1)
        narrow, penalties = rows.float(), self._x.new_full((rows.shape[1],), self._penalty / 2)
        penalties[-1] = 0.0
        u = rows.new_zeros(rows.shape[1])

        def compute_loss(u: Tensor) -> Tensor:
            fitted = functional.binary_cross_entropy_with_logits(rows @ u, y.to(rows.dtype))
            return fitted + 0.5 * (penalties * u.square()).sum()

        loss = compute_loss(u)
        for _ in range(_MOST_STEPS):
            chances = (rows @ u).sigmoid()
            slope = rows.T @ (chances - y) / len(rows) + penalties * u
            if float(slope.abs().amax()) < _FLAT:
                break
            # The curvature in float32 serves: it only guides the step.
            spread = (chances * (1 - chances)).float().unsqueeze(1)
            curvature = ((narrow * spread).T @ narrow).double() / len(rows)
            curvature.diagonal().add_(penalties + 1e-9)
            step = torch.linalg.solve(curvature, slope)
            share, expected = 1.0, float(slope @ step)
            while float(after := compute_loss(u - share * step)) > float(loss) - (
                1e-4 * share * expected
            ):
                share /= 2
                if share < 1e-6:
                    return torch.stack([-u / 2, u / 2], dim=1)
            u, loss = u - share * step, after
        return torch.stack([-u / 2, u / 2], dim=1)

    def _invert(self, spreads: Tensor, power: float) -> Tensor:
        """Spreads to the power −``power``, as a column; 0 where nothing varies."""
        inverse = spreads.clamp_min(1e-300).pow(-power)
        return torch.where(self._spreads > 0, inverse, 0.0).unsqueeze(1)
