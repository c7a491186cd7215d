import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from sluice.sequence import LanguageModel, LanguageModelConfig, SequenceError
from sluice.sequence.batch import Batch
from sluice.sequence.batching.bucketed import BucketBatches
from sluice.sequence.data.targets import IGNORE_INDEX
from sluice.sequence.metrics import evaluate
from sluice.sequence.models import (
    ChoraleConfig,
    ChoraleModel,
    Classifier,
    Forecaster,
    ForecasterConfig,
    LabelsConfig,
    Seq2Seq,
    Seq2SeqConfig,
    SequenceModel,
    Tagger,
)


class Given:
    """A source of fixed batches."""

    def __init__(self, *batches: Batch, carries: bool = False) -> None:
        self.given, self.stateful = batches, carries

    def __len__(self) -> int:
        return len(self.given)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        return iter(self.given[first:])


def test_a_uniform_model_of_tokens() -> None:
    model = LanguageModel(LanguageModelConfig(vocabulary_size=8, hidden_size=4))
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    source = BucketBatches([[3, 4, 5], [6]], batch_size=1, seed=0)
    figures = evaluate(model.train(), source, characters=9)
    assert model.training
    assert figures.items == 6
    assert figures["nats per token"] == pytest.approx(math.log(8))
    assert figures["perplexity"] == pytest.approx(8)
    assert figures["bits per character"] == pytest.approx(6 * 3 / 9)
    # Six different tokens can come. As read: 3 4 5 END, 6 END, or the other way round.
    chances = (1 / 6, 1 / 7, 1 / 8, 1 / 9, 1 / 10, 2 / 11)
    unigram = figures.by_method["unigram"]["nats per token"]
    assert unigram == pytest.approx(-sum(map(math.log, chances)) / 6)


def test_a_state_is_carried_if_the_source_is_stateful() -> None:
    model = LanguageModel(LanguageModelConfig(vocabulary_size=8, hidden_size=4)).eval()
    tokens = torch.randint(3, 8, (9, 2))
    whole = Given(Batch(tokens[:-1], tokens[1:]))
    parts = [Batch(tokens[:4], tokens[1:5]), Batch(tokens[4:8], tokens[5:])]
    expected = evaluate(model, whole)["nats per token"]
    assert evaluate(model, Given(*parts, carries=True))["nats per token"] == pytest.approx(expected)
    assert evaluate(model, Given(*parts))["nats per token"] != pytest.approx(expected, rel=1e-7)


def test_pairs_of_sequences() -> None:
    model = Seq2Seq(Seq2SeqConfig(6, 7, hidden_size=4))
    torch.nn.init.zeros_(model.readout.weight), torch.nn.init.zeros_(model.readout.bias)
    batch = Batch(torch.full((3, 2), 4), torch.tensor([[4, 2], [2, 0]]))
    figures = evaluate(model, Given(batch))
    assert (figures.items, figures["perplexity"]) == (3, pytest.approx(7))


def always(model: SequenceModel, bias: list[float]) -> SequenceModel:
    with torch.no_grad():
        model.readout.weight.zero_(), model.readout.bias.copy_(torch.tensor(bias))
    return model


def test_labels_of_sequences() -> None:
    model = always(Classifier(LabelsConfig(3, features=2, hidden_size=4)), [0.0, 1.0, 0.5])
    x = torch.zeros(5, 4, 2)
    batches = [
        Batch(x, torch.tensor([1, 0, 1, IGNORE_INDEX])),
        Batch(x, torch.tensor([2, 0, 0, 0])),
    ]
    figures = evaluate(model, Given(*batches), labels=("a", "b", "c"))
    logs = np.array([0, 1, 0.5]) - np.log(np.exp([0, 1, 0.5]).sum())
    assert figures.items == 7 and figures.labels == ("a", "b", "c")
    assert figures.confusion == ((0, 4, 0), (0, 2, 0), (0, 1, 0))
    assert figures["accuracy"] == pytest.approx(2 / 7)
    assert figures["macro F1"] == pytest.approx((0 + 4 / 9 + 0) / 3)
    assert figures["nats per label"] == pytest.approx(-(4 * logs[0] + 2 * logs[1] + logs[2]) / 7)
    chances = np.exp(logs)
    squares = [((chances - np.eye(3)[k]) ** 2).sum() for k in (0, 0, 0, 0, 1, 1, 2)]
    assert figures["Brier score"] == pytest.approx(np.mean(squares))
    frequencies = np.array([5, 3, 2]) / 10  # 4, 2 and 1, with one more of each
    constant = figures.by_method["class frequencies"]
    assert constant["nats per label"] == pytest.approx(
        -(4 * np.log(0.5) + 2 * np.log(0.3) + np.log(0.2)) / 7
    )
    squares = [((frequencies - np.eye(3)[k]) ** 2).sum() for k in (0, 0, 0, 0, 1, 1, 2)]
    assert constant["Brier score"] == pytest.approx(np.mean(squares))
    assert figures.by_method["always a"]["accuracy"] == pytest.approx(4 / 7)


def test_baselines_of_labels_are_those_of_training() -> None:
    model = always(Classifier(LabelsConfig(2, features=2, hidden_size=4)), [0.0, 1.0])
    batch = Batch(torch.zeros(5, 4, 2), torch.tensor([0, 0, 0, 1]))
    figures = evaluate(model, Given(batch), labels=("a", "b"), class_counts=(2, 5))
    assert figures.by_method["always b"]["accuracy"] == pytest.approx(1 / 4)
    assert figures.by_method["class frequencies"]["nats per label"] == pytest.approx(
        -(3 * math.log(3 / 9) + math.log(6 / 9)) / 4
    )


def test_labels_of_steps_leave_out_padding() -> None:
    model = always(Tagger(LabelsConfig(2, vocabulary_size=6, hidden_size=4)), [0.0, 1.0])
    targets = torch.tensor([[1, 2], [2, 0], [2, 0]])
    figures = evaluate(model, Given(Batch(torch.full((3, 2), 4), targets, torch.tensor([3, 1]))))
    assert figures.items == 4
    assert figures.confusion == ((0, 1), (0, 3))
    assert figures.by_method["always 2"]["accuracy"] == figures["accuracy"] == pytest.approx(3 / 4)


def test_keys_and_the_previous_step_as_baseline() -> None:
    model = always(ChoraleModel(ChoraleConfig(3, hidden_size=4)), [1.0, -1.0, -1.0])
    now = torch.tensor([[1.0, 0, 0], [1, 1, 0]])[:, None]
    coming = torch.tensor([[1.0, 1, 0], [0, 1, 0]])[:, None]
    figures = evaluate(model, Given(Batch(now, coming)))
    # Predicted are {0} and {0}, of {0, 1} and {1}; the previous step predicts {0} and {0, 1}.
    assert figures["frame accuracy"] == pytest.approx((1 + 0) / (2 + 2))
    assert figures.by_method["the step before"]["frame accuracy"] == pytest.approx(
        (1 + 1) / (2 + 2)
    )
    on, off = math.log1p(math.exp(-1)), math.log1p(math.exp(1))
    assert figures["nats per step"] == pytest.approx((on + off + on + off + off + on) / 2)


NAN = np.nan


def forecaster(horizon: int) -> Forecaster:
    torch.manual_seed(3)
    config = ForecasterConfig(2, targets=(1,), horizon=horizon, hidden_size=4, dropout=0.0)
    return Forecaster(config).eval()


def season(steps: int, sequences: int) -> np.ndarray:
    random = np.random.default_rng(1)
    wave = 10 + 3 * np.sin(np.arange(steps) * 2 * np.pi / 4)[:, None, None]
    values = wave + random.normal(size=(steps, sequences, 2)) * 0.3
    values[random.random(values.shape) < 0.1] = NAN
    return values.astype(np.float32)


def targets_of(values: np.ndarray, horizon: int) -> np.ndarray:
    steps = len(values) - 1
    ahead = np.full((steps + horizon, values.shape[1]), NAN, np.float32)
    ahead[:steps] = values[1:, :, 1]
    return np.stack([ahead[h : h + steps] for h in range(horizon)], axis=-1)


def naive(values: np.ndarray, horizon: int, period: int, mean: float) -> dict[str, np.ndarray]:
    """Naive forecasts (last value, last season) in plain loops: (time, batch, horizon)."""
    shape = (len(values) - 1, values.shape[1], horizon)
    last, seasonal = np.empty(shape), np.empty(shape)
    for b in range(values.shape[1]):
        filled, now = [], mean
        for value in values[:, b, 1]:
            now = now if np.isnan(value) else value
            filled.append(now)
        for t in range(shape[0]):
            for h in range(horizon):
                then = t + h + 1
                while then > t:
                    then -= period
                last[t, b, h] = filled[t]
                raw = values[then, b, 1] if then >= 0 else filled[t]
                seasonal[t, b, h] = filled[then] if then >= 0 and np.isnan(raw) else raw
    return {"last value": last, f"last season ({period} steps)": seasonal}


@pytest.mark.parametrize("horizon", [1, 3, 6])
@pytest.mark.parametrize("parts", [1, 3])
def test_forecasts_and_naive_baselines(horizon: int, parts: int) -> None:
    model, values = forecaster(horizon), season(31, 3)
    inputs, targets = torch.tensor(values[:-1]), torch.tensor(targets_of(values, horizon))
    batches = [Batch(*both) for both in zip(inputs.chunk(parts), targets.chunk(parts), strict=True)]
    source = Given(*batches, carries=parts > 1)
    figures = evaluate(model, source, period=4)
    steps = np.abs(values[4:-1, :, 1] - values[:-5, :, 1])
    scale = np.nanmean(steps)
    foretold = {"model": model(inputs)[0].detach().numpy(), **naive(values, horizon, 4, 0.0)}
    assert list(figures.by_method) == list(foretold)
    for who, forecast in foretold.items():
        error = forecast - targets.numpy()
        assert figures.items == (~np.isnan(error)).sum()
        expected = {
            "MAE": np.nanmean(np.abs(error)),
            "RMSE": np.sqrt(np.nanmean(error**2)),
            "MASE": np.nanmean(np.abs(error)) / scale,
        }
        assert figures.by_method[who] == pytest.approx(expected, rel=1e-5), who
    assert (
        figures.by_method["last season (4 steps)"]["MASE"] < figures.by_method["last value"]["MASE"]
    )


def test_naive_forecasts_cross_no_reset_and_no_length() -> None:
    model, values = forecaster(1), season(13, 2)
    inputs, targets = torch.tensor(values[:-1]), torch.tensor(targets_of(values, 1))
    resets = torch.zeros(12, 2, dtype=torch.bool)
    resets[6] = True
    marked = Given(Batch(inputs, targets, resets=resets))
    apart = Given(Batch(inputs[:6], targets[:6]), Batch(inputs[6:], targets[6:]))
    a, b = evaluate(model, marked, period=4), evaluate(model, apart, period=4)
    for who, figures in a.by_method.items():
        assert figures == pytest.approx(b.by_method[who], rel=1e-5)
    lengths = torch.tensor([12, 5])
    targets[5:, 1] = NAN
    wild = inputs.clone()
    wild[5:, 1] = 1e6
    c = evaluate(model, Given(Batch(inputs, targets, lengths)), period=4)
    d = evaluate(model, Given(Batch(wild, targets, lengths)), period=4)
    assert c.by_method == d.by_method


def test_mase_by_the_training_data_and_without_a_scale() -> None:
    model, values = forecaster(1), season(9, 2)
    batch = Batch(torch.tensor(values[:-1]), torch.tensor(targets_of(values, 1)))
    ramp = torch.arange(6.0)[:, None, None].expand(6, 1, 2) * 2
    figures = evaluate(model, Given(batch), training=Given(Batch(ramp, ramp[..., :1])))
    assert figures["MASE"] == pytest.approx(figures["MAE"] / 2)
    still = Given(Batch(ramp * 0, ramp[..., :1]))
    assert "MASE" not in evaluate(model, Given(batch), training=still).by_method["model"]


def test_nothing_to_forecast() -> None:
    model = forecaster(1)
    batch = Batch(torch.zeros(3, 1, 2), torch.full((3, 1, 1), NAN))
    with pytest.raises(SequenceError, match="nothing to predict"):
        evaluate(model, Given(batch))
    with pytest.raises(SequenceError, match="at least 1 step, got 0"):
        evaluate(model, Given(batch), period=0)


def test_another_model_is_refused() -> None:
    class Other(SequenceModel):
        pass

    other: Any = Other()
    with pytest.raises(SequenceError, match="evaluate has no metrics for a Other; pass a model of"):
        evaluate(other, Given())
