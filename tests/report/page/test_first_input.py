"""Models that call their layer step by step, beside the same weights run over the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sluice
from sampling import thin_out
from sluice.report import look
from sluice.report.page.first_input import capture_first_input
from sluice.report.page.pack import unpack_tensor


class Decoder(nn.Module):
    """Reads step by step, in either layout."""

    def __init__(self, cell: nn.Module, batch_first: bool) -> None:
        super().__init__()
        self.cell, self.out, self.batch_first = cell, nn.Linear(8, 5), batch_first

    def forward(self, x: Tensor) -> Tensor:
        x, state, found = x.transpose(0, 1) if self.batch_first else x, None, []
        for row in x:
            if isinstance(self.cell, nn.RNNCellBase):
                state = self.cell(row, state)
                found.append(self.out(state[0]))
            else:
                y, state = self.cell(row[None], state)
                found.append(self.out(y[0]))
        y = torch.stack(found)
        return y.transpose(0, 1) if self.batch_first else y


class Whole(nn.Module):
    """Reads the sequence in one call."""

    def __init__(self, like: Decoder) -> None:
        super().__init__()
        self.cell, self.out = sluice.nn.LSTM(4, 8), like.out
        weights = like.cell.state_dict().items()
        self.cell.load_state_dict({f"{name.removesuffix('_l0')}_l0": w for name, w in weights})

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(self.cell(x)[0])
        return y


@pytest.mark.parametrize(
    "kind", thin_out([nn.LSTM, nn.LSTMCell, sluice.nn.LSTM, sluice.nn.LSTMCell], 3)
)
def test_a_page_of_a_loop_is_that_of_the_whole(kind: Any) -> None:
    batch_first = kind in (nn.LSTM, sluice.nn.LSTMCell)
    model = Decoder(kind(4, 8), batch_first)
    x, y = torch.randn(12, 2, 4), torch.randint(5, (12, 2))
    given = (x.transpose(0, 1), y.T) if batch_first else (x, y)
    loop = look(model, *given, batch_first=batch_first).data
    whole = look(Whole(model), x, y).data
    assert [place["name"] for place in loop["places"]] == ["cell l0"]
    assert loop["axes"][0]["length"] == 12 and loop["losses"] == whole["losses"]
    (ours,), (theirs,) = loop["places"], whole["places"]
    assert ours["flow"] == theirs["flow"] and ours["memory"] == theirs["memory"]
    for name, packed in theirs["values"].items():
        np.testing.assert_allclose(
            unpack_tensor(ours["values"][name]), unpack_tensor(packed), atol=1e-4
        )
    influence = [unpack_tensor(one["influence"]) for one in (loop, whole)]
    np.testing.assert_allclose(*influence, atol=1e-3)
    assert np.abs(influence[1]).max() > 0.5


def test_what_is_read_in_other_steps_is_not_captured() -> None:
    layer = sluice.nn.GRU(3, 4)
    for steps, expected in ((5, [(5, 2, 3)]), (4, []), (6, [])):
        with capture_first_input(layer, steps, False) as found:
            _, state = layer(torch.randn(2, 2, 3))
            layer(torch.randn(3, 2, 3), state)
        assert [tuple(one.shape) for one in found] == expected
