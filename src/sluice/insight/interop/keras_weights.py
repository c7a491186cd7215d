"""Import of Keras' weights, NumPy arrays as ``layer.get_weights()`` returns them, without Keras.

Kernels are (input, gates × units), so that torch's are their transposes. Gates come in the order
input, forget, cell, output in an LSTM and update, reset, candidate in a GRU (the layers' pages of
the Keras 3 API, and ``keras/src/layers/rnn``).
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sluice.cells import ResetBeforeGRU
from sluice.nn import GRU, LSTM, RNN, Recurrent

_GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
# Where each gate of ours lies in Keras' order.
_ORDER = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2), "simple_rnn": (0,)}

Array = NDArray[np.generic]


class _Options(TypedDict):
    bias: bool
    batch_first: bool
    bidirectional: bool
    dtype: torch.dtype


def from_keras(
    weights: Sequence[Array], kind: str = "lstm", *, reset_after: bool | None = None
) -> LSTM | GRU | RNN | Recurrent:
    """A layer with the weights of Keras' ``LSTM``, ``GRU`` or ``SimpleRNN``, at its defaults.

    The activations are tanh and sigmoid, as in Keras 2 and later; Keras 1 had a piecewise linear
    ``hard_sigmoid``.

    Args:
        weights: What ``layer.get_weights()`` returns: kernel ``(input, gates × units)``,
            recurrent kernel ``(units, gates × units)`` and, unless ``use_bias=False``, bias
            ``(gates × units,)``, or ``(2, 3 × units)`` for a GRU whose reset comes after. Those of
            a ``CuDNNLSTM`` or ``CuDNNGRU`` of Keras 2 are known by their bias,
            ``(2 × gates × units,)``. Those of a ``Bidirectional`` layer are both directions' arrays
            one after the other, four or six.
        kind: ``"lstm"``, ``"gru"`` or ``"simple_rnn"``.
        reset_after: For a GRU, whether the reset gate acts after the product with the state
            (Keras' default since 2.0, and torch's form) or before (the paper's). The shape of the
            bias shows it; required without biases.

    Returns:
        `sluice.nn.LSTM`, `GRU` or `RNN`, or a `Recurrent` of `sluice.cells.ResetBeforeGRU`; its
        input is ``(batch, time, features)``, as Keras has it, its parameters in the weights' dtype.

    Raises:
        ValueError: another kind, arrays whose shapes do not fit one another, or a GRU whose form
            is unknown or contradicts its bias.

    Example:
        >>> import numpy as np, sluice, torch
        >>> shapes = [(3, 32), (8, 32), (32,)]
        >>> layer = sluice.insight.from_keras([np.zeros(s, np.float32) for s in shapes], "lstm")
        >>> layer(torch.zeros(2, 5, 3))[0].shape
        torch.Size([2, 5, 8])
    """
    if kind not in _GATES:
        raise ValueError(f"kind must be one of {', '.join(map(repr, _GATES))}, got {kind!r}")
    if isinstance(weights, str | bytes | PathLike):
        raise ValueError(
            "weights must be the arrays that Keras' layer.get_weights() returns, got a path; open "
            "the model in Keras first"
        )
    # torch takes arrays in the machine's own byte order, and old files hold others.
    arrays = [np.asarray(array) for array in weights]
    arrays = [array.astype(array.dtype.newbyteorder("="), copy=False) for array in arrays]
    count = len(arrays) // 2 if len(arrays) in (4, 6) else len(arrays)
    halves = [_from_cudnn(arrays[k : k + count], kind) for k in range(0, len(arrays), count or 1)]
    found = {_check_shapes(half, kind, reset_after) for half in halves or [[]]}
    if len(found) > 1 or len({tuple(array.shape for array in half) for half in halves}) > 1:
        raise ValueError(
            "the two directions must have the same shapes, got "
            f"{[[array.shape for array in half] for half in halves]}"
        )
    inputs, units = halves[0][0].shape[0], halves[0][1].shape[0]
    options: _Options = {
        "bias": count == 3,
        "batch_first": True,
        "bidirectional": len(halves) == 2,
        "dtype": torch.from_numpy(halves[0][0]).dtype,
    }
    layer: LSTM | GRU | RNN | Recurrent
    if kind == "gru" and not found.pop():
        layer = Recurrent(ResetBeforeGRU, inputs, units, **options)
    else:
        layer = {"lstm": LSTM, "gru": GRU, "simple_rnn": RNN}[kind](inputs, units, **options)
    state: dict[str, Tensor] = {}
    for suffix, half in zip(("_l0", "_l0_reverse"), halves, strict=False):
        state |= _name_weights([_reorder_gates(array, kind) for array in half], suffix)
    layer.load_state_dict(state)
    return layer


def _from_cudnn(arrays: list[Array], kind: str) -> list[Array]:
    """The weights of a layer of cuDNN's as the plain layer has them; others as they are.

    Of each gate cuDNN holds the transposed matrices, the kernel's in the memory of Keras' shape
    (``_convert_rnn_weights`` in Keras 2). An LSTM's two biases add up.
    """
    if len(arrays) != 3 or kind == "simple_rnn" or any(one.ndim != 2 for one in arrays[:2]):
        return arrays
    kernel, recurrent, bias = arrays
    (inputs, wide), units, gates = kernel.shape, len(recurrent), _GATES[kind]
    if bias.shape != (2 * gates * units,) or wide != gates * units or recurrent.shape[1] != wide:
        return arrays
    kernels = [gate.reshape(units, inputs).T for gate in np.hsplit(kernel, gates)]
    recurrents = [gate.T for gate in np.hsplit(recurrent, gates)]
    both = bias.reshape(2, wide)
    return [np.hstack(kernels), np.hstack(recurrents), both.sum(0) if kind == "lstm" else both]


def _check_shapes(arrays: list[Array], kind: str, reset_after: bool | None) -> bool:
    """Whether the reset comes after, once all shapes are known to fit."""
    shapes = [array.shape for array in arrays]
    if len(shapes) not in (2, 3) or any(len(shape) != 2 for shape in shapes[:2]):
        raise ValueError(
            "the weights must be those of one layer, a kernel, a recurrent kernel and at most a "
            f"bias, or twice these for a Bidirectional layer; got shapes {shapes}"
        )
    (inputs, _), (units, _), *_ = shapes
    wide = _GATES[kind] * units
    after = kind == "gru" and _resets_after(shapes, reset_after)
    expected: list[tuple[int, ...]] = [(inputs, wide), (units, wide)]
    expected.append((2, wide) if after else (wide,))
    if shapes != expected[: len(shapes)]:
        raise ValueError(
            f"the weights of a {kind} of {units} units must have the shapes {expected}, got "
            f"{shapes}"
        )
    return after


def _resets_after(shapes: list[tuple[int, ...]], reset_after: bool | None) -> bool:
    if len(shapes) == 2:
        if reset_after is None:
            raise ValueError(
                "the weights of a GRU without biases do not tell its form; pass "
                "reset_after=True or reset_after=False"
            )
        return reset_after
    after = len(shapes[2]) == 2
    if reset_after is not None and reset_after != after:
        raise ValueError(
            f"reset_after={reset_after} contradicts a bias of shape {shapes[2]}, which is that of "
            f"reset_after={after}"
        )
    return after


def _reorder_gates(array: Array, kind: str) -> Tensor:
    """The gates along the last axis in our order, as a tensor."""
    gates = np.split(array, _GATES[kind], axis=-1)
    return torch.from_numpy(np.concatenate([gates[place] for place in _ORDER[kind]], axis=-1))


def _name_weights(tensors: list[Tensor], suffix: str) -> dict[str, Tensor]:
    named = {f"weight_ih{suffix}": tensors[0].T, f"weight_hh{suffix}": tensors[1].T}
    if len(tensors) == 3:
        both = tensors[2].ndim == 2
        named[f"bias_ih{suffix}"] = tensors[2][0] if both else tensors[2]
        named[f"bias_hh{suffix}"] = tensors[2][1] if both else torch.zeros_like(tensors[2])
    return named
