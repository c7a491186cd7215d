"""Fixed and slow points of a layer's dynamics under a constant input."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sluice.insight.checks import require_numbers
from sluice.insight.dynamics.jacobians import compute_jacobians
from sluice.insight.dynamics.step_map import StepMap, build_step_map
from sluice.nn.stack import RecurrentStack


class FixedPoints(NamedTuple):
    """What `find_fixed_points` gives, the slowest point first."""

    points: Tensor
    """Full states, ``(points, states)``, float64."""
    speed: Tensor
    """q = ½‖F(s, x) − s‖² of each, ``(points,)``."""
    is_fixed: Tensor
    """Which are fixed points, ``(points,)``, boolean; the others are slow points."""
    eigenvalues: Tensor
    """Of the Jacobian ∂F/∂s at each, ``(points, states)``, complex, the largest first."""
    is_stable: Tensor
    """Whether all eigenvalues lie within the unit circle, ``(points,)``, boolean."""


def find_fixed_points(
    module: RecurrentStack,
    starts: Tensor,
    x: Tensor | None = None,
    layer: int = 0,
    reverse: bool = False,
    *,
    tolerance: float = 1e-18,
    slow_tolerance: float = 1e-6,
    min_distance: float = 1e-3,
    max_iterations: int = 200,
) -> FixedPoints:
    """States that do not change, or hardly, under the constant input ``x``.

    From every start q(s) = ½‖F(s, x) − s‖² is minimised, F being one step of the layer and s its
    full state (h and c of an LSTM), by Levenberg and Marquardt's method with exact Jacobians.
    Points with q up to ``tolerance`` are fixed points, those up to ``slow_tolerance`` slow points;
    the rest is discarded, and of points closer than ``min_distance`` all but that of least q.

    Source: Sussillo & Barak 2013, "Opening the black box: low-dimensional dynamics in
    high-dimensional recurrent neural networks", section 2.

    The layer itself is not changed.

    Args:
        module: A recurrent layer of `sluice.nn`.
        starts: ``(starts, states)``: full states to start from, such as rows of
            ``sluice.insight.run_trajectory(layer, input).states.flatten(0, 1)``.
        x: The constant input of that layer, ``(input,)``; None for zeros.
        layer: Which layer of a stack, counted from 0.
        reverse: Whether to take its reverse direction.
        tolerance: The q up to which a point is fixed.
        slow_tolerance: The q up to which a point is slow.
        min_distance: The distance from which two points are kept, in units of the states.
        max_iterations: How many iterations of the minimisation, at most.

    Returns:
        `FixedPoints`, with no rows where none were found.

    Raises:
        ValueError: ``starts`` or ``x`` do not fit the layer, or are not finite.
        TypeError, IndexError: there is no such layer.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.GRU(3, 4)
        >>> trajectory = sluice.insight.run_trajectory(layer, torch.randn(20, 1, 3))
        >>> starts = trajectory.states.flatten(0, 1)
        >>> found = sluice.insight.find_fixed_points(layer, starts)
        >>> found.points.shape, found.is_stable.tolist()
        (torch.Size([1, 4]), [True])
    """
    step = build_step_map(module, layer, reverse)
    s = _check_starts(step, starts)
    given = s.new_zeros(step.sizes.input) if x is None else x.detach().to(s)
    if given.shape != (step.sizes.input,):
        raise ValueError(
            f"x must be one input of shape ({step.sizes.input},), got {tuple(given.shape)}"
        )
    require_numbers(given, "x")
    s = _minimise(step, given.expand(len(s), -1), s, tolerance, max_iterations)
    speed = _compute_speed(_compute_displacement(step, given, s))
    s, speed = _drop_duplicates(s, speed, slow_tolerance, min_distance)
    return _linearise(step, given, s, speed, speed <= tolerance)


def _check_starts(step: StepMap, starts: Tensor) -> Tensor:
    width = sum(step.state_widths)
    if starts.dim() != 2 or starts.shape[1] != width or len(starts) == 0:
        raise ValueError(
            f"starts must be full states of shape (starts, {width}), got {tuple(starts.shape)}"
        )
    if not bool(starts.isfinite().all()):
        raise ValueError(
            "starts must be finite, got NaN or infinity; "
            "sluice.insight.find_first_nonfinite says where from"
        )
    return starts.detach().double()


@torch.no_grad()
def _compute_displacement(step: StepMap, x: Tensor, s: Tensor) -> Tensor:
    return step(x.expand(len(s), -1), s) - s


def _compute_speed(moved: Tensor) -> Tensor:
    return 0.5 * moved.square().sum(-1)


def _minimise(step: StepMap, x: Tensor, s: Tensor, tolerance: float, max_iterations: int) -> Tensor:
    """Every row of ``s`` at a local minimum of q; each row has its own damping."""
    identity = torch.eye(s.shape[-1], dtype=s.dtype, device=s.device)
    damping = s.new_full((len(s), 1, 1), 1e-2)
    moved = _compute_displacement(step, x, s)
    for _ in range(max_iterations):
        if bool((_compute_speed(moved) <= 1e-3 * tolerance).all() | (damping > 1e12).all()):
            break
        a = compute_jacobians(step, x, s) - identity
        gram, slope = a.mT @ a, a.mT @ moved.unsqueeze(-1)
        other = s - torch.linalg.solve(gram + damping * identity, slope).squeeze(-1)
        there = _compute_displacement(step, x, other)
        better = (_compute_speed(there) < _compute_speed(moved)).unsqueeze(-1)
        s, moved = torch.where(better, other, s), torch.where(better, there, moved)
        damping = torch.where(better.unsqueeze(-1), damping / 5, damping * 4).clamp_min(1e-14)
    return s


def _drop_duplicates(
    s: Tensor, speed: Tensor, slow_tolerance: float, min_distance: float
) -> tuple[Tensor, Tensor]:
    order = speed.argsort()
    s, speed = s[order], speed[order]
    kept: list[int] = []
    for k in range(int((speed <= slow_tolerance).sum())):
        if not kept or bool((s[kept] - s[k]).norm(dim=-1).min() >= min_distance):
            kept.append(k)
    return s[kept], speed[kept]


def _linearise(step: StepMap, x: Tensor, s: Tensor, speed: Tensor, fixed: Tensor) -> FixedPoints:
    if len(s) == 0:
        none = torch.zeros(s.shape, dtype=torch.complex128, device=s.device)
        return FixedPoints(s, speed, fixed, none, fixed)
    values = torch.linalg.eigvals(compute_jacobians(step, x.expand(len(s), -1), s))
    values = values.gather(-1, values.abs().argsort(dim=-1, descending=True))
    return FixedPoints(s, speed, fixed, values, values.abs().amax(-1) < 1)
