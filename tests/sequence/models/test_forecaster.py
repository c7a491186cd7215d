from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from sluice.sequence import SequenceError
from sluice.sequence.batch import Batch
from sluice.sequence.models import ChoraleConfig, ChoraleModel, Forecaster, ForecasterConfig
from sluice.sequence.models.filling import forward_fill

NAN = float("nan")


def plainly(values: np.ndarray, resets: np.ndarray, before: np.ndarray) -> np.ndarray:
    filled, last = values.copy(), before.copy()
    for t, b, f in np.ndindex(*values.shape):
        if f == 0 and resets[t, b]:
            last[b] = 0
        if not np.isnan(values[t, b, f]):
            last[b, f] = values[t, b, f]
        filled[t, b, f] = last[b, f]
    return filled


def test_carrying_forward_equals_a_plain_loop() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(9, 4, 3))
    values[random.random(values.shape) < 0.6] = np.nan
    resets, before = random.random((9, 4)) < 0.2, random.normal(size=(4, 3))
    lengths = np.array([9, 0, 4, 1])
    expected = plainly(values, resets, before)
    filled, last = forward_fill(
        torch.tensor(values), torch.tensor(before), torch.tensor(lengths), torch.tensor(resets)
    )
    np.testing.assert_array_equal(filled.numpy(), expected)
    ends = [expected[length - 1, b] if length else before[b] for b, length in enumerate(lengths)]
    np.testing.assert_array_equal(last.numpy(), np.stack(ends))


def forecaster(**changes: Any) -> Forecaster:
    sizes = {"hidden_size": 8, "num_layers": 1, "dropout": 0.0}
    return Forecaster(ForecasterConfig(3, **{**sizes, **changes})).eval()


class Given:
    """A source of fixed batches."""

    def __init__(self, *batches: Batch, carries: bool = False) -> None:
        self.given, self.stateful = batches, carries

    def __len__(self) -> int:
        return len(self.given)

    def batches(self, epoch: int, first: int = 0) -> Any:
        return iter(self.given[first:])


def data(steps: int = 7) -> Batch:
    values = 1000 + 5 * torch.randn(steps + 1, 4, 3)
    values[2, 1, 0] = values[3, 2] = NAN
    return Batch(values[:-1], values[1:])


def test_it_takes_and_returns_raw_units() -> None:
    model, batch = forecaster(), data()
    plain, _ = model((batch.inputs - 1000) / 5)
    model.mean.fill_(1000), model.deviation.fill_(5)
    torch.testing.assert_close(model(batch.inputs)[0], plain * 5 + 1000)


def test_the_scale_is_learned_within_lengths_and_without_what_is_missing() -> None:
    first, second = data(), data()
    lengths = torch.tensor([7, 3, 5, 1])
    second = Batch(second.inputs, second.targets, lengths)
    model = forecaster()
    model.fit_scale(Given(first, second))
    rows = [first.inputs.reshape(-1, 3).numpy()]
    rows += [second.inputs[:length, b].numpy() for b, length in enumerate(lengths.tolist())]
    whole = np.concatenate(rows).astype(np.float64)
    np.testing.assert_allclose(model.mean, np.nanmean(whole, axis=0), rtol=1e-6)
    np.testing.assert_allclose(model.deviation, np.nanstd(whole, axis=0), rtol=1e-5)


def test_a_constant_feature_and_a_missing_one() -> None:
    batch, model = data(), forecaster()
    batch.inputs[..., 1] = 4.5
    model.fit_scale(Given(batch))
    assert (model.mean[1], model.deviation[1]) == (4.5, 1)
    batch.inputs[..., 2] = NAN
    with pytest.raises(SequenceError, match="no value at all"):
        model.fit_scale(Given(batch))


@pytest.mark.parametrize("error", ["squared", "absolute"])
def test_the_loss_is_in_deviations_over_present_values(error: Any) -> None:
    model, batch = forecaster(error=error, targets=(2, 0)), data()
    batch = Batch(batch.inputs, batch.targets[..., [2, 0]])
    model.fit_scale(Given(batch))
    (total, items), _ = model.loss(batch)
    foretold = model(batch.inputs)[0].detach().numpy()
    errors = (foretold - batch.targets.numpy()) / model.deviation[[2, 0]].numpy()
    expected = np.nansum(errors**2 if error == "squared" else abs(errors))
    assert items == int((~batch.targets.isnan()).sum()) < batch.targets.numel()
    assert total.item() == pytest.approx(expected, rel=1e-4)
    total.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_inputs_of_the_layers() -> None:
    model, inputs = forecaster(), []
    model.layers.register_forward_pre_hook(lambda layers, arguments: inputs.append(arguments[0]))
    values = torch.tensor([[1.0, NAN, 3.0], [NAN, 2.0, NAN]])[:, None]
    model(values)
    assert inputs[0][:, 0].tolist() == [[1, 0, 3, 0, 1, 0], [1, 2, 3, 1, 0, 1]]


def test_two_chunks_equal_one_sequence() -> None:
    model, batch = forecaster(cell="gru"), data()
    first, state = model(batch.inputs[:3])
    second, _ = model(batch.inputs[3:], state)
    torch.testing.assert_close(torch.cat((first, second)), model(batch.inputs)[0])


def test_an_untrained_model_predicts_the_last_value_and_learns_the_change() -> None:
    model, batch = forecaster(horizon=2), data()
    torch.nn.init.zeros_(model.readout.weight), torch.nn.init.zeros_(model.readout.bias)
    foretold, _ = model(batch.inputs)
    torch.testing.assert_close(foretold[1, 0], batch.inputs[1, 0].repeat(2))
    torch.testing.assert_close(foretold[2, 1, 0], batch.inputs[1, 1, 0])  # missing at step 2


def test_forecasts_follow_each_sequences_last_step() -> None:
    model, values = forecaster(horizon=4, targets=(1,)), torch.randn(6, 3, 3)
    lengths = torch.tensor([6, 2, 4])
    found = model.forecast(values, lengths)
    assert found.shape == (4, 3, 1)
    for column, length in enumerate(lengths.tolist()):
        alone, _ = model(values[:length, column : column + 1])
        torch.testing.assert_close(found[:, column, 0], alone[-1, 0])
    torch.testing.assert_close(model.forecast(values, lengths, steps=2), found[:2])
    with pytest.raises(SequenceError, match="forecasts 1 of 3 features"):
        model.forecast(values, lengths, steps=5)


def test_beyond_its_horizon_it_reads_its_own_forecasts() -> None:
    model, values = forecaster(horizon=2), torch.randn(6, 3, 3)
    found = model.forecast(values, steps=5)
    first = model.forecast(values)
    again = model(torch.cat((values, first)))[0][-1].view(3, 2, 3).transpose(0, 1)
    torch.testing.assert_close(found[:4], torch.cat((first, again)))
    assert found.shape == (5, 3, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": (3,)}, "different indices in 0 to 2"),
        ({"targets": (1, 1)}, "different indices in 0 to 2"),
        ({"horizon": 0}, "horizon must be an integer of at least 1"),
        ({"error": "none"}, "error must be one of"),
        ({"bidirectional": True}, "must not see"),
    ],
)
def test_a_bad_configuration_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        forecaster(**changes)


def test_a_chorales_loss_sums_over_keys_and_counts_steps() -> None:
    model = ChoraleModel(ChoraleConfig(5, hidden_size=6, dropout=0.0)).eval()
    keys = (torch.rand(8, 3, 5) < 0.3).float()
    targets = keys[1:].clone()
    targets[5:, 1] = NAN
    (total, items), _ = model.loss(Batch(keys[:-1], targets, torch.tensor([7, 5, 7])))
    on = model(keys[:-1])[0].sigmoid()
    expected = functional.binary_cross_entropy(on, targets.nan_to_num(), reduction="none")
    assert items == 19
    torch.testing.assert_close(total, expected.sum() - expected[5:, 1].sum())
