"""Gradient flow: along the states, for each loss, to the input, along the gated state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sluice.equations.graph import Elementwise, Graph, Leaf, Node, sort_topologically
from sluice.insight.checks import require_numbers
from sluice.insight.dynamics.step_map import Trajectory, run_trajectory
from sluice.insight.measures.norms import compute_norm
from sluice.insight.recording.recorded import RecordedLayer, RecordedModule
from sluice.insight.recording.recorder import Tape
from sluice.nn.stack import RecurrentStack

_ROWS_AT_ONCE = 64


def gradient_flow(recorded: RecordedLayer | RecordedModule, name: str = "h") -> Tensor:
    """The size of the gradient at every step: ‖∂L/∂h_t‖₂, or of any other named value.

    The derivative is total, through all later steps. Where it shrinks towards the first steps the
    gradient vanishes (Hochreiter 1991; Bengio, Simard & Frasconi 1994; Pascanu et al. 2013).

    Args:
        recorded: A layer of a tape, after ``backward()``: ``tape["encoder"]``, ``tape.layer(1)``.
        name: Which value, ``"h"``, ``"c"``, or any other name of the cell.

    Returns:
        ``(time, batch)``, float64, in units of the loss per unit of the value; zero where a
        sequence has ended.

    Raises:
        KeyError: the cell has no value of that name.
        RuntimeError: nothing was recorded, there was no ``backward()``, or no gradients.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 8)
        >>> with sluice.record(layer) as tape:
        ...     layer(torch.randn(5, 2, 3))[0][-1].sum().backward()
        >>> sluice.insight.gradient_flow(tape.layer(0), "c").shape
        torch.Size([5, 2])
    """
    _require_recorded(recorded)
    return compute_norm(recorded.gradient[name])


def gradients_per_loss(
    recorded: RecordedLayer | RecordedModule, losses: Tensor, name: str = "h"
) -> Tensor:
    """How much each loss depends on each step: ‖∂L_τ/∂h_t‖₂ for the loss L_τ of every step τ.

    Source: Cashman, Patterson, Mosca, Watts, Robinson & Chang 2018, "RNNbow: Visualizing learning
    via backpropagation gradients in RNNs".

    One backward pass runs for each loss, and only its norms are kept, so memory is that of one.
    The ``grad`` of parameters is not changed, and the graph is retained for a later ``backward()``.

    Args:
        recorded: A layer of a tape, after the forward pass that computed ``losses``.
        losses: ``(time,)`` or ``(time, batch)``: the loss of each step, not summed; every k-th of
            them, ``losses[::k]``, costs a k-th of the time. A sequence's losses must depend on
            that sequence alone if the columns of the batch are to be read apart.
        name: Which value, as for `gradient_flow`.

    Returns:
        ``(losses, time, batch)``, float64: in row τ, column t; zero for t > τ in a forward layer.

    Raises:
        ValueError: ``losses`` has no time dimension or no steps.
        RuntimeError: ``losses`` has no gradients, or does not depend on the recorded pass.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 8)
        >>> with sluice.record(layer) as tape:
        ...     losses = layer(torch.randn(5, 2, 3))[0].square().mean(-1)    # time, batch
        >>> sluice.insight.gradients_per_loss(tape.layer(0), losses).shape
        torch.Size([5, 5, 2])
    """
    _require_recorded(recorded)
    require_numbers(losses, "losses", finite=False)
    leaves, found = _find_leaves(_require_steps(losses, "losses")), list[Tensor]()
    before = recorded.backward_count
    for _ in _run_backward_per_step(losses, leaves):
        if recorded.backward_count == before:
            raise RuntimeError("a loss does not depend on the last pass that this tape recorded")
        before, gradient = recorded.backward_count, recorded.gradient[name]
        found.append(compute_norm(gradient))
    return torch.stack(found)


def connectivity(logits: Tensor, x: Tensor, targets: Tensor) -> Tensor:
    """Which inputs a prediction depends on: ‖∂ logit_target(τ) / ∂x_t‖₂.

    Source: Madsen 2019, "Visualizing memorization in RNNs", Distill, doi:10.23915/distill.00016.

    One backward pass runs for each τ, so memory is that of one; ``grad`` is not changed.

    Args:
        logits: ``(time, batch, classes)``, computed from ``x``.
        x: ``(time, batch, width)``, what the layers read (of tokens, their embedding), requiring
            gradients.
        targets: ``(time, batch)``, integers: which logit counts, the true or the predicted token.

    Returns:
        ``(logits, time, batch)``, float64: in row τ, column t, logits per unit of the input; zero
        for t > τ in a forward model.

    Raises:
        ValueError: the shapes do not fit.
        RuntimeError: the logits or ``x`` have no gradients, or are not connected.

    Example:
        >>> import torch, sluice
        >>> layer, x = sluice.nn.LSTM(3, 8), torch.randn(5, 2, 3, requires_grad=True)
        >>> logits, _ = layer(x)
        >>> sluice.insight.connectivity(logits, x, logits.argmax(-1)).shape
        torch.Size([5, 5, 2])
    """
    for what, given in (("logits", logits), ("x", x), ("targets", targets)):
        require_numbers(given, what, finite=False)
    _require_steps(logits, "logits")
    if logits.dim() != 3 or targets.shape != logits.shape[:2]:
        raise ValueError(
            "logits must be (time, batch, classes) and targets (time, batch), got "
            f"{tuple(logits.shape)} and {tuple(targets.shape)}"
        )
    if targets.is_floating_point() or targets.dtype == torch.bool:
        raise ValueError(f"targets must be integers, the numbers of classes, got {targets.dtype}")
    if bool(((targets < 0) | (targets >= logits.shape[-1])).any()):
        raise ValueError(
            f"targets must be classes from 0 to {logits.shape[-1] - 1}, got {int(targets.min())} "
            f"to {int(targets.max())}"
        )
    if not x.requires_grad:
        raise RuntimeError("x has no gradients; compute the logits from x.requires_grad_()")
    picked = logits.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1)
    found = []
    for (gradient,) in _run_backward_per_step(picked, [x]):
        if gradient is None:
            raise RuntimeError("the logits do not depend on this x; give the tensor they came from")
        found.append(compute_norm(gradient))
    return torch.stack(found)


def _require_recorded(recorded: object) -> None:
    if not isinstance(recorded, RecordedLayer | RecordedModule | Tape):
        raise TypeError(
            f"give a layer of a tape, as tape.layer(0) or tape['encoder'], got "
            f"{type(recorded).__name__}"
        )


def _require_steps(values: Tensor, what: str) -> Tensor:
    if values.dim() == 0 or len(values) == 0:
        raise ValueError(
            f"{what} must have a time dimension with at least one step, got "
            f"{tuple(values.shape)}; do not reduce them"
        )
    if not values.requires_grad:
        raise RuntimeError(
            f"the {what} have no gradients: they were computed under no_grad, or from nothing that "
            "requires one; compute them again with gradients"
        )
    return values


def _run_backward_per_step(
    values: Tensor, inputs: list[Tensor]
) -> Iterator[tuple[Tensor | None, ...]]:
    """The gradients of ``inputs`` for each step's value in turn, summed over the batch."""
    for value in values:
        yield torch.autograd.grad(value.sum(), inputs, retain_graph=True, allow_unused=True)


def _find_leaves(value: Tensor) -> list[Tensor]:
    """All leaves that ``value`` was computed from."""
    seen, found = set[torch.autograd.graph.Node](), list[Tensor]()
    waiting = [value.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor):
            found.append(leaf)
        waiting += [following for following, _ in node.next_functions]
    return found


class StateGradientPaths(NamedTuple):
    """What `state_gradient_paths` gives."""

    direct: Tensor
    """∏ f, ``(time, batch, hidden)``: the path through the state's own line alone."""
    diagonal: Tensor
    """∂c_T[i]/∂c_t[i] through all paths, ``(time, batch, hidden)``."""
    norm: Tensor
    """The Frobenius norm of the whole ∂c_T/∂c_t, ``(time, batch)``."""


def state_gradient_paths(
    module: RecurrentStack, input: Tensor, layer: int = 0, reverse: bool = False
) -> StateGradientPaths:
    """The straight path of a state beside the full derivative: ∏_{s=t+1…T} f_s and ∂c_T/∂c_t.

    f is the named value that multiplies the state in its update, c_t = f_t ⊙ c_{t−1} + …: the
    forget gate of an LSTM, the update gate of a GRU. Along this path nothing else changes the
    gradient (Hochreiter & Schmidhuber 1997, the constant error carousel; Gers, Schmidhuber &
    Cummins 2000, with the forget gate). The full derivative runs through h and the gates as well,
    c_t to h_t included.

    Args:
        module: A recurrent layer of `sluice.nn`, of a cell with such a value.
        input: ``(time, batch, input)``, as the layer takes it; sequences of one length.
        layer: Which layer of a stack, counted from 0.
        reverse: Whether to take its reverse direction; time then runs in that direction.

    Returns:
        A `StateGradientPaths`, float64, without unit; at the last step the derivative is
        the identity.

    Raises:
        ValueError: no named value of the cell multiplies a state of its own.
        TypeError, IndexError, RuntimeError: as `sluice.insight.run_trajectory`.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 8, forget_bias=3.0)
        >>> path = sluice.insight.state_gradient_paths(layer, torch.randn(20, 2, 3))
        >>> path.direct.shape, path.norm.shape
        (torch.Size([20, 2, 8]), torch.Size([20, 2]))
    """
    run = run_trajectory(module, input, layer, reverse)
    values, forgets = _unroll(run, *find_gated_state(run.step_map.graph))
    return StateGradientPaths(forget_product(forgets), *_compute_derivatives(values))


def forget_product(forget: Tensor) -> Tensor:
    """∏_{s=t+1…T} f_s for every step t: the share of step t's state that the last step still has.

    Args:
        forget: The recorded value that multiplies the state, ``(time, batch, hidden)``.

    Returns:
        The same shape, float64; 1 at the last step.

    Example:
        >>> import torch
        >>> forget_product(torch.tensor([0.1, 0.5, 0.5])[:, None, None]).flatten().tolist()
        [0.25, 0.5, 1.0]
    """
    if require_numbers(forget, "forget", finite=False).dim() == 0:
        raise ValueError("forget must have a time dimension, got a single number")
    wide = forget.double()  # in float32 half a state is lost to 0 after 150 steps
    later = torch.cat([wide[1:], torch.ones_like(wide[:1])])
    return later.flip(0).cumprod(0).flip(0)


def find_gated_state(graph: Graph) -> tuple[str, str | None]:
    """A state and the named value that multiplies it in its own update; None where 1 does.

    Raises ValueError where no named value does.

    Example:
        >>> from sluice.cells import GRU, LSTM
        >>> find_gated_state(LSTM().graph), find_gated_state(GRU().graph)
        (('c', 'forget'), ('h', 'update'))
    """
    for state in graph.states:
        leaf = Leaf("state", state.name, state.width)
        for term in list_added(graph.outputs_by_name[state.name]):
            if term is leaf:
                return state.name, None
            for name, value in graph.outputs:
                if _is_product(term, value, leaf):
                    return state.name, name
    raise ValueError(
        f"no named value of {graph.name} multiplies a state of its own, as forget does in "
        "c = forget * c + ...; return it from step under a name"
    )


def list_added(node: Node) -> list[Node]:
    """The terms that a sum adds; those that it subtracts are left out."""

    def get_summands(node: Node) -> tuple[Node, ...]:
        is_sum = isinstance(node, Elementwise) and node.op in ("add", "subtract")
        return node.operands[: 2 if node.op == "add" else 1] if is_sum else ()

    return [n for n in sort_topologically([node], get_operands=get_summands) if not get_summands(n)]


def _is_product(node: Node, value: Node, leaf: Leaf) -> bool:
    is_product = isinstance(node, Elementwise) and node.op == "multiply"
    return is_product and set(node.operands) == {value, leaf}


def _unroll(run: Trajectory, state: str, gate: str | None) -> tuple[list[Tensor], Tensor]:
    """The state of every step, tied by autograd, and the values of what multiplies it."""
    named, found, forgets = run.step_map.graph.outputs_by_name, list[Tensor](), list[Tensor]()

    def mark_first(node: Node, value: Tensor) -> Tensor:
        return value.requires_grad_() if node is named[state] and not found else value

    before = run.states[0]
    with torch.enable_grad():
        for x in run.x:
            values = run.step_map.evaluate(x, before, mark_first)
            before = torch.cat([values[named[s.name]] for s in run.step_map.graph.states], dim=-1)
            found.append(values[named[state]])
            forgets.append(values[named[gate]].detach() if gate else torch.ones_like(found[-1]))
    return found, torch.stack(forgets)


def _compute_derivatives(states: list[Tensor]) -> tuple[Tensor, Tensor]:
    """∂c_T/∂c_t of each step: its diagonal, and its norm; some rows at a time."""
    last, (batch, width) = states[-1], states[-1].shape
    diagonals, norms = [], []
    identity = torch.eye(width, dtype=last.dtype, device=last.device)
    for start in range(0, width, _ROWS_AT_ONCE):
        upstream = identity[start : start + _ROWS_AT_ONCE].unsqueeze(1).expand(-1, batch, -1)
        found = torch.autograd.grad(last, states, upstream, True, is_grads_batched=True)
        rows = torch.stack(found)  # time, unit of the last step, batch, unit of this
        diagonals.append(rows.diagonal(start, 1, 3).detach())
        norms.append(compute_norm(rows, (1, 3)))
    return torch.cat(diagonals, dim=-1), compute_norm(torch.stack(norms), 0)
