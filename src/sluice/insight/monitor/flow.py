"""How a gradient flows back along a layer's states: a few sequences run again, and one gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sluice.insight.monitor.passes import choose_rows
from sluice.run import reference
from sluice.run.kernels import fused
from sluice.run.recording.recorded_pass import Recording
from sluice.run.spec import RunSpec


@dataclass(frozen=True)
class Flow:
    """What arrives of a gradient at the last states, by the number of steps back.

    Attributes:
        shares: ``(steps,)``, float64, 1 at lag 0.
    """

    shares: Tensor

    @property
    def steps(self) -> int:
        return len(self.shares)

    @property
    def factor(self) -> float:
        """The geometric mean of the factor per step, as far back as a number is there."""
        usable = self.shares[(self.shares > 0) & self.shares.isfinite()]
        last = len(usable) - 1
        return float(usable[last] ** (1 / last)) if last > 0 else float("nan")

    def at(self, lag: int) -> float:
        """What arrives ``lag`` steps back, or at the first step if there are fewer."""
        return float(self.shares[min(lag, self.steps - 1)])


def measure_flow(spec: RunSpec, backend: str, sequences: int) -> Flow | None:
    """How much of a random gradient at the last states arrives at the states of each step.

    At each lag k the norm of (∂s_T / ∂s_{T-k})ᵀ v over all states, relative to lag 0, a root mean
    square over the sequences; v is ±1 for each unit and state. Its decay is the vanishing gradient
    of Bengio, Simard & Frasconi 1994 and Pascanu et al. 2013: unlike the derivative of a loss it
    does not depend on which steps have one.

    Args:
        spec: the pass, with its weights, masks and states; nothing of it is changed.
        backend: what it ran on, `"fused"` or `"reference"`.
        sequences: how many of its sequences run again.

    Returns:
        None for a pass of one step or none, or without a differentiable state.
    """
    if spec.x.shape[0] < 2 or spec.x.shape[1] == 0:
        return None
    part = _select_sequences(spec, choose_rows(spec.x.shape[1], sequences).to(spec.x.device))
    recording = Recording(part, None)
    # TF32 and autocast would round what is to be compared over hundreds of steps.
    with torch.enable_grad(), torch.autocast(spec.x.device.type, enabled=False):
        if backend == "fused" and not spec.x.is_cuda and fused.supports(part):
            _, last = fused.run(part, recording=recording)
        else:
            _, last = reference.run(part, recording)
        signs = _draw_signs(last)
        total = sum((v * state).sum() for v, state in zip(signs, last, strict=True))
        assert isinstance(total, Tensor)
        torch.autograd.grad(total, part.states, allow_unused=True)
    if not recording.has_gradients:
        return None
    squares = sum(
        recording.gradient(state.name).double().square().sum(-1) for state in spec.graph.states
    )
    assert isinstance(squares, Tensor)
    return _align(squares.cpu(), part)


def _select_sequences(spec: RunSpec, rows: Tensor) -> RunSpec:
    """These sequences of a pass, with nothing to learn but the states before the first step."""

    def pick(tensor: Tensor, dim: int) -> Tensor:
        return tensor.detach().index_select(dim, rows)

    lengths, learned = spec.lengths, spec.learned_initial_states
    return replace(
        spec,
        x=pick(spec.x, 1).to(spec.states[0].dtype),
        states=tuple(pick(state, 0).requires_grad_() for state in spec.states),
        parameters=tuple(one.detach() for one in spec.parameters),
        masks=tuple(pick(m, 1) if m.shape[1] > 1 else m.detach() for m in spec.masks),
        inputs=tuple(pick(one, 1) for one in spec.inputs),
        lengths=None if lengths is None else lengths.index_select(0, rows.to(lengths.device)),
        resets=None if spec.resets is None else pick(spec.resets, 1),
        learned_initial_states=None if learned is None else tuple(one.detach() for one in learned),
    )


def _draw_signs(states: tuple[Tensor, ...]) -> list[Tensor]:
    """±1 for every entry, always the same, without a number of torch's own generator."""
    generator = torch.Generator().manual_seed(0)
    return [(torch.randint(0, 2, one.shape, generator=generator) * 2 - 1).to(one) for one in states]


def _align(squares: Tensor, spec: RunSpec) -> Flow | None:
    """From squared norms ``(time, rows)`` to shares by lag, each sequence from its own last step.

    A sequence counts up to where it begins: at its first step or at the last reset.
    """
    steps, rows = squares.shape
    ends = torch.full((rows,), steps) if spec.lengths is None else spec.lengths.cpu().long()
    lags = torch.arange(steps)[:, None]
    times = lags.expand(-1, rows) if spec.reverse else ends - 1 - lags
    usable = (times >= 0) & (times < ends)
    if spec.reset_mask is not None:
        # Before a step that restarts, nothing arrives.
        restarts = spec.reset_mask.squeeze(-1).cpu().gather(0, times.clamp(0, steps - 1))
        usable &= restarts.long().cumsum(0) - restarts.long() == 0
    found = squares.gather(0, times.clamp(0, steps - 1))
    starts = found[0]
    usable &= starts > 0
    count = usable.sum(1)
    if not int(count[0]):
        return None
    relative = torch.where(usable, found / torch.where(starts > 0, starts, 1.0), 0.0)
    kept = count > 0
    return Flow((relative.sum(1)[kept] / count[kept]).sqrt())
