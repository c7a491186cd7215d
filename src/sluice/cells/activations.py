"""The activation functions that a cell may be asked for, by name or as a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluice.cells.cell import Cell
from sluice.equations import ops
from sluice.equations.ops import Value, clamp


def affine(a: Value, alpha: float = 1.0, beta: float = 0.0) -> Value:
    """alpha · a + beta, elementwise (ONNX's Affine)."""
    return alpha * a + beta


_FUNCTIONS: dict[str, Callable[[Value], Value]] = {
    "affine": affine,
    "celu": ops.celu,
    "elu": ops.elu,
    "exp": ops.exp,
    "gelu": ops.gelu,
    "hard_sigmoid": ops.hard_sigmoid,
    "hard_tanh": ops.hard_tanh,
    "identity": affine,
    "leaky_relu": ops.leaky_relu,
    "linear": affine,
    "log_sigmoid": ops.log_sigmoid,
    "mish": ops.mish,
    "relu": ops.relu,
    "scaled_tanh": ops.scaled_tanh,
    "selu": ops.selu,
    "sigmoid": ops.sigmoid,
    "silu": ops.silu,
    "sin": ops.sin,
    "softplus": ops.softplus,
    "softsign": ops.softsign,
    "swish": ops.silu,
    "tanh": ops.tanh,
    "thresholded_relu": ops.thresholded_relu,
}
_BY_NAME = {name.replace("_", ""): function for name, function in _FUNCTIONS.items()}

ActivationFunction = str | Callable[[Value], Value]
"""An activation function's name, or a function made of Sluice's operations."""


def find_activation(option: str, given: ActivationFunction) -> Callable[[Value], Value]:
    """The function that is ``given`` by itself or by its name, as ONNX, Keras and torch have it.

    Raises ValueError, with the names that there are, where there is none.

    >>> find_activation("activation", "HardSigmoid").__name__
    'hard_sigmoid'
    """
    if callable(given):
        return given
    found = _BY_NAME.get(str(given).lower().replace("_", ""))
    if found is None:
        raise ValueError(
            f"{option} must be one of {', '.join(_FUNCTIONS)}, or a function of sluice's "
            f"operations, got {given!r}"
        )
    return found


@dataclass(frozen=True)
class Activation:
    """An activation function, of operands brought between ±``clip`` where one is given."""

    function: Callable[[Value], Value]
    clip: float | None = None

    def __call__(self, operand: Value) -> Value:
        if self.clip is not None:
            operand = clamp(operand, -self.clip, self.clip)
        return self.function(operand)


class ActivatedCell(Cell):
    """A cell whose activation functions can be chosen.

    Args:
        activation: what a candidate goes through: a name (``"relu"``, ``"LeakyRelu"``,
            ``"hard_sigmoid"``, ...) or a function of sluice's operations, as in
            ``functools.partial(sluice.leaky_relu, negative_slope=0.3)``.
        gate_activation: what the gates go through.
        clip: bounds ±clip of what gates and candidates pass to their activation functions, as
            ONNX's operators have them (and onnxruntime computes them).

    Raises ValueError for an unknown name, or a bound that is not positive.
    """

    activation = Activation(ops.tanh)
    gate_activation = Activation(ops.sigmoid)

    def __init__(
        self,
        activation: ActivationFunction = "tanh",
        gate_activation: ActivationFunction = "sigmoid",
        *,
        clip: float | None = None,
    ) -> None:
        _check_bound("clip", clip)
        self.activation = Activation(find_activation("activation", activation), clip)
        self.gate_activation = Activation(find_activation("gate_activation", gate_activation), clip)


class ActivatedMemoryCell(ActivatedCell):
    """An `ActivatedCell` with a cell state, which can go through a function of its own.

    Args:
        activation, gate_activation, clip: as of `ActivatedCell`.
        cell_activation: what the cell state is shown through, without ``clip``; by default the
            same as ``activation``.
        cell_clip: bounds ±cell_clip of the cell state itself (Sak, Senior & Beaufays 2014, section
            3.2), as TensorFlow's cells have them.
    """

    cell_activation = Activation(ops.tanh)
    cell_clip: float | None = None

    def __init__(
        self,
        activation: ActivationFunction = "tanh",
        gate_activation: ActivationFunction = "sigmoid",
        *,
        cell_activation: ActivationFunction | None = None,
        clip: float | None = None,
        cell_clip: float | None = None,
    ) -> None:
        super().__init__(activation, gate_activation, clip=clip)
        _check_bound("cell_clip", cell_clip)
        shown = activation if cell_activation is None else cell_activation
        self.cell_activation = Activation(find_activation("cell_activation", shown))
        self.cell_clip = cell_clip

    def bound_memory(self, c: Value) -> Value:
        """The new cell state, between ±``cell_clip`` where one is given."""
        return c if self.cell_clip is None else clamp(c, -self.cell_clip, self.cell_clip)


def _check_bound(option: str, bound: float | None) -> None:
    if bound is not None and not bound > 0:
        raise ValueError(f"{option} must be positive or None, got {bound!r}")
