"""Jacobians of a step over the full state, their products, and the Lyapunov spectrum."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from sluice.insight.dynamics.step_map import StepMap, Trajectory, run_trajectory
from sluice.nn.stack import RecurrentStack

_NUMBERS_AT_ONCE = 1 << 22


def compute_jacobians(step: StepMap, x: Tensor, states: Tensor) -> Tensor:
    """∂F(x, s)/∂s of every row, ``(rows, states, states)``, by reverse mode through the step."""
    wide = max(
        states.shape[-1], *(sum(map(step.sizes.of, rows)) for rows in _list_gate_widths(step))
    )
    rows = max(1, _NUMBERS_AT_ONCE // (states.shape[-1] * wide))
    jacobian = torch.func.jacrev(step, argnums=1)
    found: Tensor = torch.func.vmap(jacobian, chunk_size=rows)(x, states)
    return found.detach()


def _list_gate_widths(step: StepMap) -> list[tuple[str, ...]]:
    return [tuple(width for _, width in stack.gates) for stack in step.graph.stacks]


def step_jacobians(
    module: RecurrentStack, input: Tensor, layer: int = 0, reverse: bool = False
) -> Tensor:
    """The Jacobian of every step along a run: J_t = ∂s_t/∂s_{t−1}, s the full state.

    s holds all states of the cell one after the other (h and c of an LSTM), in the order of
    ``step``'s arguments. Derivatives are those of the map itself, through a `detach` too.

    Source: Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural
    networks", equation 5, there of h alone; over the full state Vogt et al. 2020,
    "On Lyapunov exponents for RNNs".

    Args:
        module: A recurrent layer of `sluice.nn`.
        input: ``(time, batch, input)``, as the layer takes it; sequences of one length.
        layer: Which layer of a stack, counted from 0.
        reverse: Whether to take its reverse direction; time then runs in that direction.

    Returns:
        ``(time, batch, states, states)``, float64, without unit: row i, column j is
        ∂s_t[i]/∂s_{t−1}[j].

    Raises:
        TypeError, IndexError, RuntimeError: as `sluice.insight.run_trajectory`.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 4)
        >>> sluice.insight.step_jacobians(layer, torch.randn(5, 2, 3)).shape
        torch.Size([5, 2, 8, 8])
    """
    run = run_trajectory(module, input, layer, reverse)
    return torch.cat(list(_iterate_jacobians(run)))


def _iterate_jacobians(run: Trajectory) -> Iterator[Tensor]:
    """The Jacobians of a run, ``(some steps, batch, states, states)`` at a time."""
    before, (steps, batch) = run.states[:-1], run.x.shape[:2]
    at_once = max(1, _NUMBERS_AT_ONCE // max(1, batch * before.shape[-1] ** 2))
    for start in range(0, steps, at_once):
        x, states = run.x[start : start + at_once], before[start : start + at_once]
        found = compute_jacobians(run.step_map, x.flatten(0, 1), states.flatten(0, 1))
        yield found.unflatten(0, (-1, batch))


def product_singular_values(jacobians: Tensor) -> Tensor:
    """The singular values of J_t J_{t−1} … J_1, for every t.

    They say how much a small change of the first state has grown or shrunk after t steps, by
    direction (Pascanu et al. 2013, section 2.1; Engelken, Wolf & Abbott 2020, "Lyapunov spectra
    of chaotic recurrent neural networks"). Values under about 1e-16 of the largest are rounding;
    for rates over long runs take `lyapunov_spectrum`.

    Args:
        jacobians: What `step_jacobians` gives, ``(time, batch, states, states)``.

    Returns:
        ``(time, batch, states)``, float64, descending, without unit.

    Raises:
        ValueError: ``jacobians`` has another shape, no steps, or is not finite.

    Example:
        >>> import torch, sluice
        >>> halves = 0.5 * torch.eye(2, dtype=torch.float64).expand(3, 1, 2, 2)
        >>> sluice.insight.product_singular_values(halves)[:, 0, 0]
        tensor([0.5000, 0.2500, 0.1250], dtype=torch.float64)
    """
    if jacobians.dim() != 4 or jacobians.shape[-1] != jacobians.shape[-2] or not len(jacobians):
        raise ValueError(
            "jacobians must have the shape (time, batch, states, states) with at least one "
            f"step, got {tuple(jacobians.shape)}"
        )
    if not bool(jacobians.isfinite().all()):
        raise ValueError("jacobians must be finite, got NaN or infinity: the run has diverged")
    batch, states = jacobians.shape[1:3]
    product = torch.eye(states, dtype=torch.float64, device=jacobians.device).expand(batch, -1, -1)
    size, found = product.new_zeros(batch, 1), list[Tensor]()  # ln of what it was divided by
    for jacobian in jacobians.double():
        peak = _find_peak(jacobian)
        product, size = (jacobian / peak) @ product, size + peak.log().squeeze(-1)
        peak = _find_peak(product)
        product, size = product / peak, size + peak.log().squeeze(-1)
        found.append((torch.linalg.svdvals(product).log() + size).exp())
    return torch.stack(found)


def _find_peak(matrices: Tensor) -> Tensor:
    """The largest absolute number of each matrix, ``(batch, 1, 1)``; 1 for zeros."""
    peak = matrices.abs().amax((-2, -1), keepdim=True)
    return torch.where(peak > 0, peak, 1.0)


def lyapunov_spectrum(
    module: RecurrentStack,
    input: Tensor,
    count: int | None = None,
    warm_up: int = 50,
    layer: int = 0,
    reverse: bool = False,
) -> Tensor:
    """The Lyapunov exponents of a driven layer, by repeated QR decomposition.

    Q_t R_t = J_t Q_{t−1} and λ_i = 1/(T − w) Σ_{t>w} ln |R_t[i, i]|, with J_t the Jacobian of
    step t over the full state and w the steps of warm-up, in which state and Q forget their initial
    values. A positive first exponent means chaos, and gradients that explode; a very negative one
    gradients that vanish.

    Source: Engelken, Wolf & Abbott 2020 (arXiv:2006.02427); Vogt et al. 2020 (arXiv:2006.14123).

    Args:
        module: A recurrent layer of `sluice.nn`.
        input: The input that drives it, ``(time, batch, input)``, as the layer takes it; more than
            ``warm_up`` steps, and some hundreds more for reliable figures.
        count: How many exponents, from the largest; None for all.
        warm_up: How many first steps to leave out of the mean.
        layer: Which layer of a stack, counted from 0.
        reverse: Whether to take its reverse direction.

    Returns:
        ``(batch, count)``, float64, descending, in nats (natural logarithm) per step.

    Raises:
        ValueError: ``warm_up`` leaves no steps, or ``count`` is not between 1 and the states.
        TypeError, IndexError, RuntimeError: as `sluice.insight.run_trajectory`.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.GRU(3, 4)
        >>> found = sluice.insight.lyapunov_spectrum(layer, torch.randn(200, 2, 3), count=2)
        >>> found.shape, bool((found < 0).all())    # small weights forget
        (torch.Size([2, 2]), True)
    """
    run = run_trajectory(module, input, layer, reverse)
    (steps, batch), states = run.x.shape[:2], run.states.shape[-1]
    count = states if count is None else count
    if not isinstance(warm_up, int) or not 0 <= warm_up < steps:
        raise ValueError(
            f"warm_up must be from 0 to {steps - 1} for {steps} steps, got {warm_up}; give "
            "more input"
        )
    if not 1 <= count <= states:
        raise ValueError(f"count must be between 1 and the {states} states, got {count}")
    start = torch.randn(states, count, dtype=torch.float64, generator=_build_generator())
    q = torch.linalg.qr(start)[0].to(run.x.device).expand(batch, -1, -1)
    total = run.x.new_zeros(batch, count)
    for t, jacobian in enumerate(j for chunk in _iterate_jacobians(run) for j in chunk):
        q, r = torch.linalg.qr(jacobian @ q)
        if t >= warm_up:
            total += r.diagonal(dim1=-2, dim2=-1).abs().log()
    return (total / (steps - warm_up)).sort(dim=-1, descending=True)[0]


def _build_generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
