"""Layer-norm forms of the usual cells (Ba, Kiros & Hinton 2016, "Layer Normalization")."""

from __future__ import annotations

from sluice.cells.declarations import Norm
from sluice.cells.elman import Elman
from sluice.cells.gru import GRU
from sluice.cells.layer_normed import LayerNormed
from sluice.cells.lstm import LSTM
from sluice.equations.ops import Value, sigmoid, tanh


class _NormedOutputLSTM(LSTM):
    """The LSTM that shows its cell state through a norm (Ba et al. 2016, equations 21 and 22)."""

    norm_c = Norm()

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        i = sigmoid(self.input(x, h))
        f = sigmoid(self.forget(x, h))
        g = tanh(self.candidate(x, h))
        o = sigmoid(self.output(x, h))
        c = f * c + i * g
        return dict(h=o * tanh(self.norm_c(c)), c=c, input=i, forget=f, candidate=g, output=o)


class LayerNormLSTM(LayerNormed):
    """The layer-norm LSTM (Ba et al. 2016, equations 20 to 22).

    The paper's b of equation 20 is the sum of the two norms' biases. ``span`` is as for
    `sluice.cells.layer_norm`.

    Good for: deep or long models that an LSTM trains badly, at any batch size.
    """

    def __init__(self, span: str = "all", epsilon: float = 1e-5) -> None:
        super().__init__(_NormedOutputLSTM, span, epsilon)


class LayerNormGRU(LayerNormed):
    """The layer-norm GRU (Ba et al. 2016, supplementary material), its reset after the product.

    Good for: what a GRU does, with larger learning rates.
    """

    def __init__(self, span: str = "all", epsilon: float = 1e-5) -> None:
        super().__init__(GRU, span, epsilon)


class LayerNormElman(LayerNormed):
    """The layer-norm simple recurrent network (Ba et al. 2016, equation 4, on each map apart).

    Good for: an Elman cell over longer sequences: the norm keeps its state's scale.
    """

    def __init__(self, nonlinearity: str = "tanh", epsilon: float = 1e-5) -> None:
        super().__init__(Elman(nonlinearity), "all", epsilon)
