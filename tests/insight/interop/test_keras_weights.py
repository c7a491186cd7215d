"""Keras' weights against its documented equations, written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sluice.insight import from_keras

UNITS, INPUTS = 5, 3
Array = np.ndarray[Any, Any]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def lstm(x: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
    """Gates i, f, c, o; ``x`` is (batch, time, features)."""
    h = c = np.zeros((len(x), UNITS))
    outputs = []
    for step in range(x.shape[1]):
        z = x[:, step] @ kernel + h @ recurrent + bias
        i, f, candidate, o = (z[:, k * UNITS : (k + 1) * UNITS] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def gru(x: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
    """Gates z, r, h; a bias of two rows is that of ``reset_after=True``."""
    after = bias.ndim == 2
    b_in, b_rec = bias if after else (bias, np.zeros_like(bias))
    h, outputs = np.zeros((len(x), UNITS)), []
    z_, r_, h_ = (slice(k * UNITS, (k + 1) * UNITS) for k in range(3))
    for step in range(x.shape[1]):
        a = x[:, step] @ kernel + b_in
        z = sigmoid(a[:, z_] + h @ recurrent[:, z_] + b_rec[z_])
        r = sigmoid(a[:, r_] + h @ recurrent[:, r_] + b_rec[r_])
        inner = r * (h @ recurrent[:, h_] + b_rec[h_]) if after else (r * h) @ recurrent[:, h_]
        h = z * h + (1 - z) * np.tanh(a[:, h_] + inner)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def simple_rnn(x: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
    h, outputs = np.zeros((len(x), UNITS)), []
    for step in range(x.shape[1]):
        h = np.tanh(x[:, step] @ kernel + bias + h @ recurrent)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def draw_weights(gates: int, *bias: int) -> list[Array]:
    generator = np.random.default_rng(3)
    wide = gates * UNITS
    shapes = [(INPUTS, wide), (UNITS, wide), (*bias, wide)]
    return [generator.normal(size=shape) for shape in shapes]


CASES = [
    ("lstm", lstm, draw_weights(4)),
    ("gru", gru, draw_weights(3, 2)),
    ("gru", gru, draw_weights(3)),
    ("simple_rnn", simple_rnn, draw_weights(1)),
]


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("kind", "equations", "weights"), CASES)
def test_outputs_are_those_of_the_equations(
    kind: str, equations: Any, weights: list[Array], biased: bool
) -> None:
    x = np.random.default_rng(4).normal(size=(2, 7, INPUTS))
    after = weights[2].ndim == 2 if kind == "gru" else None
    bias = weights[2] if biased else np.zeros_like(weights[2])
    arrays = weights if biased else weights[:2]
    layer = from_keras(arrays, kind, reset_after=after)
    y, _ = layer(torch.from_numpy(x))
    np.testing.assert_allclose(y.detach().numpy(), equations(x, *weights[:2], bias), atol=1e-12)
    copies = [array.copy() for array in arrays]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    for array, copied in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copied)


def test_the_form_of_a_gru_follows_from_its_bias() -> None:
    assert type(from_keras(draw_weights(3, 2), "gru")).__name__ == "GRU"
    assert from_keras(draw_weights(3), "gru").cell.name == "ResetBeforeGRU"
    with pytest.raises(ValueError, match="pass reset_after="):
        from_keras(draw_weights(3)[:2], "gru")
    with pytest.raises(ValueError, match=r"reset_after=True contradicts a bias of shape \(15,\)"):
        from_keras(draw_weights(3), "gru", reset_after=True)


def test_weights_of_wrong_shapes_are_refused() -> None:
    with pytest.raises(
        ValueError, match="kind must be one of 'lstm', 'gru', 'simple_rnn', got 'LSTM'"
    ):
        from_keras(draw_weights(4), "LSTM")
    with pytest.raises(ValueError, match=r"a simple_rnn of 5 units must have the shapes \[\(3,"):
        from_keras(draw_weights(4), "simple_rnn")
    with pytest.raises(ValueError, match="a kernel, a recurrent kernel"):
        from_keras(draw_weights(4)[:1])


def store_as_cudnn(weights: list[Array], gates: int) -> list[Array]:
    """cuDNN's matrices are (units, input) in memory, which Keras 2 holds in its own shapes."""
    kernel, recurrent, bias = weights
    kernels = [np.ascontiguousarray(k.T).reshape(k.shape) for k in np.hsplit(kernel, gates)]
    recurrents = [k.T for k in np.hsplit(recurrent, gates)]
    both = bias if bias.ndim == 2 else np.stack([0.25 * bias, 0.75 * bias])
    return [np.hstack(kernels), np.hstack(recurrents), both.reshape(-1)]


@pytest.mark.parametrize(("kind", "equations", "weights"), CASES[:2])
def test_weights_of_cudnn_layers(kind: str, equations: Any, weights: list[Array]) -> None:
    x = np.random.default_rng(4).normal(size=(2, 7, INPUTS))
    stored = store_as_cudnn(weights, 4 if kind == "lstm" else 3)
    for arrays in (stored, [array.astype(">f8") for array in stored]):
        y, _ = from_keras(arrays, kind)(torch.from_numpy(x))
        np.testing.assert_allclose(y.detach().numpy(), equations(x, *weights), atol=1e-12)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("kind", "equations", "weights"), CASES)
def test_bidirectional_layers(
    kind: str, equations: Any, weights: list[Array], biased: bool
) -> None:
    x = np.random.default_rng(4).normal(size=(2, 7, INPUTS))
    other = [0.5 * array for array in weights]
    after = weights[2].ndim == 2 if kind == "gru" else None
    count = 3 if biased else 2
    layer = from_keras([*weights[:count], *other[:count]], kind, reset_after=after)
    y, _ = layer(torch.from_numpy(x))
    if not biased:
        weights, other = ([*own[:2], np.zeros_like(own[2])] for own in (weights, other))
    back = equations(x[:, ::-1], *other)[:, ::-1]
    expected = np.concatenate([equations(x, *weights), back], axis=-1)
    np.testing.assert_allclose(y.detach().numpy(), expected, atol=1e-12)


def test_directions_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="the two directions must have the same shapes"):
        from_keras([*draw_weights(3), *draw_weights(3, 2)], "gru")
    with pytest.raises(ValueError, match="those of one layer"):
        from_keras([*draw_weights(4), *draw_weights(4), *draw_weights(4)])
