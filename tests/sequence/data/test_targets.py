import numpy as np
import torch

from sluice.sequence import BucketBatches
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.targets import NextChord, NextToken, NextValues, StepLabels, collate


def test_any_part_of_the_next_tokens() -> None:
    steps = NextToken(RaggedArray.of([[4], [7, 8, 9]], np.uint8))
    inputs, targets = [1, 7, 8, 9], [7, 8, 9, 2]
    for first in range(5):
        for last in range(first, 5):
            part = steps.read(1, first, last)
            assert [one.tolist() for one in part] == [inputs[first:last], targets[first:last]]
            assert part[0].dtype == part[1].dtype == np.int64


def test_any_part_of_the_next_values() -> None:
    values = np.array([[1, 10], [2, 20], [3, 30], [4, 40]], np.float32)
    ragged = RaggedArray.of([values], np.float32)
    steps = NextValues(ragged, RaggedArray(values[:, 1:], ragged.starts, ragged.stops), horizon=3)
    whole = [[20, 30, 40], [30, 40, np.nan], [40, np.nan, np.nan]]
    assert steps.lengths.tolist() == [3]
    for first in range(4):
        for last in range(first, 4):
            inputs, targets = steps.read(0, first, last)
            np.testing.assert_array_equal(inputs, values[first:last])
            np.testing.assert_array_equal(targets, np.reshape(whole[first:last], (-1, 3)))


def test_of_several_columns_the_nearest_step_comes_first() -> None:
    values = RaggedArray.of([[[1, 10], [2, 20], [3, 30]]], np.float32)
    targets = NextValues(values, values, horizon=2).read(0, 0, 1)[1]
    assert targets.tolist() == [[2, 20, 3, 30]]


def test_a_chord_is_predicted_from_the_previous_one_and_the_first_from_silence() -> None:
    roll = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    steps = NextChord(RaggedArray.of([roll], np.float32))
    assert steps.lengths.tolist() == [3]
    for first in range(4):
        for last in range(first, 4):
            inputs, targets = steps.read(0, first, last)
            assert inputs.tolist() == [[0.0, 0.0], *roll][first:last]
            assert targets.tolist() == roll[first:last]


def test_padding_of_values_and_labels() -> None:
    ragged = RaggedArray.of([[[1.0], [2.0]], [[3.0]]], np.float32)
    labels = RaggedArray(np.array([1, 2, 1]), ragged.starts, ragged.stops)
    batch = collate(steps := StepLabels(ragged, labels), [steps.read(0, 0, 2), steps.read(1, 0, 1)])
    assert batch.inputs[:, :, 0].T.tolist() == [[1, 2], [3, 0]]
    assert batch.targets.T.tolist() == [[1, 2], [1, 0]] and batch.targets.dtype == torch.int64
    assert batch.lengths is not None and batch.lengths.tolist() == [2, 1]
    chords = NextChord(ragged)
    batch = collate(chords, [chords.read(0, 0, 2), chords.read(1, 0, 1)])
    assert batch.inputs.isfinite().all()
    assert batch.targets.isnan().flatten().tolist() == [False, False, False, True]


def test_padding_reaches_no_gradient() -> None:
    values = RaggedArray.of([np.ones((5, 2)), np.ones((2, 2))], np.float32)
    (batch,) = BucketBatches(NextValues(values, values), batch_size=2, seed=0).batches(0)
    layer = torch.nn.Linear(2, 2)
    known = ~batch.targets.isnan()
    loss = ((layer(batch.inputs) - batch.targets)[known] ** 2).sum()
    torch.autograd.backward(loss)
    assert known.sum() == 2 * (4 + 1)
    assert layer.weight.grad is not None and layer.weight.grad.isfinite().all()
