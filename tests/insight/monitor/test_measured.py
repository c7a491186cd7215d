"""What a monitor measures, against closed forms and autograd in plain torch."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.insight import LayerObservation, Monitor, Observation


def observe(model: nn.Module, *arguments: Any, loss: Any = None, **options: Any) -> Observation:
    """One step of a model: the loss is the sum of its output, or a function of it."""
    monitor = Monitor(model, every=1, on_message=lambda message: None, sequences=100)
    with monitor.observe(**options):
        output = model(*arguments)[0]
        (output.sum() if loss is None else loss(output)).backward()
    return monitor.observations[-1]


def make_orthogonal(radius: float) -> nn.Module:
    """An Elman layer in its linear range whose recurrent matrix is radius · orthogonal."""
    layer = sluice.nn.RNN(3, 6)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(1e-6)
        layer.weight_hh_l0.copy_(radius * torch.linalg.qr(torch.randn(6, 6)).Q)
    return layer


@pytest.mark.parametrize("radius", [0.5, 0.8, 1.0, 1.3])
def test_the_flow_of_a_linear_layer_is_a_power_of_its_radius(radius: float) -> None:
    seen = observe(make_orthogonal(radius), torch.randn(16, 2, 3)).layers["l0"]
    expected = [radius ** (15 - t) for t in range(16)]
    assert seen.flow == pytest.approx(expected, rel=1e-4)
    assert (seen.flow_steps, seen.flow_factor) == (16, pytest.approx(radius, rel=1e-5))
    assert seen.flow_ratio == pytest.approx(radius**15, rel=1e-4)
    assert seen.flow_twenty == seen.flow_ratio  # there are no 20 steps


def compute_lstm_flow(layer: nn.Module, x: Tensor) -> list[float]:
    """(∂s_T / ∂s_t)ᵀ v by autograd through torch's cell, v the ±1 of torch's generator 0."""
    cell = nn.LSTMCell(x.shape[-1], layer.hidden_size)
    cell.load_state_dict(
        {name: getattr(layer, f"{name}_l0") for name in dict(cell.named_parameters())}
    )
    state = tuple(torch.zeros(x.shape[1], layer.hidden_size) for _ in range(2))
    states = []
    for step in x:
        state = cell(step, state)
        states.append(state)
    generator = torch.Generator().manual_seed(0)
    signs = [torch.randint(0, 2, s.shape, generator=generator) * 2 - 1 for s in state]
    total = sum((v * s).sum() for v, s in zip(signs, state, strict=True))
    flat = [one for pair in states for one in pair]
    slopes = torch.autograd.grad(total, flat)
    squares = torch.stack(
        [
            h.square().sum(-1) + c.square().sum(-1)
            for h, c in zip(slopes[::2], slopes[1::2], strict=True)
        ]
    )
    return (squares / squares[-1]).mean(1).sqrt().tolist()


def test_the_flow_of_an_lstm_is_that_of_autograd() -> None:
    layer, x = sluice.nn.LSTM(3, 5, forget_bias=1.0), torch.randn(12, 4, 3)
    seen = observe(layer, x, loss=lambda y: y[3].sum()).layers["l0"]  # whatever the loss is
    assert seen.flow == pytest.approx(compute_lstm_flow(layer, x), rel=1e-4)


def test_each_sequence_flows_from_its_own_end_to_its_own_beginning() -> None:
    layer, x = make_orthogonal(0.7), torch.randn(10, 3, 3)
    resets = torch.zeros(10, 3, dtype=torch.bool)
    resets[4] = True  # then 6, 4 and 0 steps are left

    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = layer

        def forward(self, x: Tensor) -> Any:
            return self.inner(x, lengths=[10, 8, 4], resets=resets)

    seen = observe(Called(), x).layers["inner.l0"]
    # Of the third sequence the reset lies behind its end, and 4 steps count.
    assert seen.flow == pytest.approx([0.7 ** (5 - t) for t in range(6)], rel=1e-4)
    assert seen.flow_steps == 6


def test_a_reverse_layer_flows_to_the_last_step() -> None:
    layer = sluice.nn.RNN(3, 6, bidirectional=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(1e-6)
        for end, radius in (("", 0.9), ("_reverse", 0.6)):
            getattr(layer, f"weight_hh_l0{end}").copy_(
                radius * torch.linalg.qr(torch.randn(6, 6)).Q
            )
    seen = observe(layer, torch.randn(8, 2, 3)).layers
    factors = [seen[name].flow_factor for name in ("l0", "l0_reverse")]
    assert factors == pytest.approx([0.9, 0.6], rel=1e-5)


def test_gates_gradients_and_timescales_are_those_of_plain_torch() -> None:
    layer, x = sluice.nn.LSTM(3, 5), 3 * torch.randn(7, 4, 3)
    with torch.no_grad():
        layer.bias_ih_l0[5:10] = torch.tensor([-6.0, -2, 0, 2, 6])
    h = c = torch.zeros(4, 5)
    kept: dict[str, list[Tensor]] = {name: [] for name in ("input", "forget", "output", "h", "c")}
    for step in x:
        sums = step @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T
        i, f, g, o = (sums + layer.bias_hh_l0).chunk(4, dim=-1)
        i, f, o = (one.sigmoid() for one in (i, f, o))
        c = f * c + i * g.tanh()
        h = o * c.tanh()
        for name, value in zip(kept, (i, f, o, h, c), strict=True):
            kept[name].append(value)
    loss = torch.stack(kept["h"])[[2, 6]].square().sum()
    seen = observe(layer, x, loss=lambda y: 8 * y[[2, 6]].square().sum(), loss_scale=8.0)
    found: LayerObservation = seen.layers["l0"]
    for name, steps in kept.items():
        values, slopes = (
            torch.stack(steps),
            torch.stack(torch.autograd.grad(loss, steps, retain_graph=True)),
        )
        one = found.values[name]
        assert one.mean == pytest.approx(values.mean().item(), abs=1e-6)
        norms = slopes.norm(dim=-1)
        assert one.gradient == pytest.approx(norms.square().mean().sqrt().item(), rel=1e-4)
        if name in ("h", "c"):
            by_step = norms.square().mean(1).sqrt().tolist()
            assert found.state_gradients[name] == pytest.approx(by_step, rel=1e-4)
        else:
            assert one.low == pytest.approx((values < 0.1).double().mean().item())
            assert one.high == pytest.approx((values > 0.9).double().mean().item())
    forget = torch.stack(kept["forget"]).mean((0, 1)).double()
    times = (-1 / forget.log()).sort().values
    assert found.timescales == pytest.approx(times[[1, 2, 3]].tolist(), rel=1e-4)


def test_padding_does_not_count() -> None:
    layer, x = sluice.nn.GRU(3, 5), torch.randn(9, 2, 3)
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([4, 9]), enforce_sorted=False)
    together = observe(layer, packed, loss=lambda y: y.data.sum()).layers["l0"]
    apart = [observe(layer, x[:length, k : k + 1]).layers["l0"] for k, length in ((0, 4), (1, 9))]
    for name, one in together.values.items():
        first, second = (seen.values[name].mean for seen in apart)
        assert one.mean == pytest.approx((4 * first + 9 * second) / 13, abs=1e-6)


def test_layers_have_the_names_that_they_have_in_the_model() -> None:
    model = nn.ModuleDict({"encoder": sluice.nn.GRU(3, 4, bidirectional=True)})
    monitor = Monitor(nn.Sequential(model), every=1)
    with monitor.observe():
        model["encoder"](torch.randn(4, 2, 3))[0].sum().backward()
    assert list(monitor.observations[0].layers) == ["0.encoder.l0", "0.encoder.l0_reverse"]


def test_under_autocast_and_a_scaled_loss() -> None:
    layer, x = sluice.nn.LSTM(3, 8), torch.randn(9, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scaled = observe(layer, x, loss=lambda y: 64 * y.float().sum(), loss_scale=lambda: 64.0)
    plain = observe(layer, x).layers["l0"].values["forget"]
    found = scaled.layers["l0"].values["forget"]
    assert found.gradient == pytest.approx(plain.gradient, rel=0.05)
    assert found.mean == pytest.approx(plain.mean, abs=0.01)


def test_a_decoder_and_a_one_step_cell_are_seen_as_whole_sequences() -> None:
    layer, x = sluice.nn.LSTM(3, 5, 2), torch.randn(12, 4, 3)
    cell = sluice.nn.LSTMCell(3, 5)
    cell.load_state_dict(
        {
            name.removesuffix("_l0"): value
            for name, value in layer.state_dict().items()
            if name.endswith("_l0")
        }
    )

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.cell = layer, cell

        def forward(self, x: Tensor) -> Any:
            outputs, states, own = [], None, None
            for step in x:
                output, states = self.layer(step[None], states)
                own = self.cell(step, own)
                outputs += [output[0], 0 * own[0]]
            return (torch.stack(outputs),)

    whole, parts = observe(layer, x).layers, observe(Decoder(), x).layers
    for name in ("l0", "l1"):
        found = parts[f"layer.{name}"]
        assert found.flow == pytest.approx(whole[name].flow, rel=1e-5)
        assert found.values["forget"] == whole[name].values["forget"]
    assert parts["cell.l0"].flow == pytest.approx(whole["l0"].flow, rel=1e-5)
    assert parts["cell.l0"].values["forget"].mean == whole["l0"].values["forget"].mean
