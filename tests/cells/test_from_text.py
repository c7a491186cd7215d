import pytest
import torch

import sluice
from sluice.cells import LSTM, PeepholeLSTM, layer_norm, zoneout
from sluice.cells.from_text import TracedCell


@pytest.mark.parametrize("cell", [PeepholeLSTM(), zoneout(layer_norm(LSTM), c=0.3)])
@pytest.mark.parametrize("backend", ["reference", None])
def test_a_cell_from_its_text_computes_the_same(cell: sluice.Cell, backend: str | None) -> None:
    ours = sluice.nn.Recurrent(TracedCell(cell.text), 3, 8, num_layers=2)
    theirs = sluice.nn.Recurrent(cell, 3, 8, num_layers=2)
    ours.load_state_dict(theirs.state_dict())
    ours.backend = theirs.backend = backend
    x = torch.randn(6, 4, 3)
    torch.manual_seed(3)
    found, _ = ours(x)
    torch.manual_seed(3)
    expected, _ = theirs(x)
    assert ours.cell.name == cell.name
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_transforms_accept_it() -> None:
    assert zoneout(TracedCell(LSTM().text), c=0.5).graph == zoneout(LSTM, c=0.5).graph


def test_its_step_runs_on_tensors() -> None:
    layer = sluice.nn.Recurrent(LSTM, 3, 4)
    parameters = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    x, h, c = torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4)
    (sizes,) = layer.sizes
    found = TracedCell(LSTM().text).bind(parameters, sizes).step(x, h=h, c=c)
    expected = LSTM().bind(parameters, sizes).step(x, h, c)
    torch.testing.assert_close(found, expected)


def test_text_that_is_not_a_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="the first line of a graph must be"):
        TracedCell("LSTM")
