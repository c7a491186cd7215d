"""The full state along a run: that of a recording, for every cell, layer and direction."""

from __future__ import annotations

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import sluice
from cell_list import CELLS
from insight.plain_cells import any_layer
from sluice.insight.dynamics.step_map import build_step_map, run_trajectory


@pytest.mark.parametrize("name", CELLS)
def test_states_are_those_of_a_recording(name: str) -> None:
    layer, x = any_layer(name, learn_initial_state=True), torch.randn(5, 2, 3).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1)
        with sluice.record(layer) as tape:
            layer(x)
    names = [state.name for state in layer.cell.graph.states]
    run = run_trajectory(layer, x)
    torch.testing.assert_close(run.states[1:], torch.cat([tape[""][n] for n in names], dim=-1))
    start = torch.cat([getattr(layer, f"initial_{n}_l0") for n in names]).detach()
    torch.testing.assert_close(run.states[0], start.expand(2, -1))


def test_layers_directions_and_layouts() -> None:
    layer = sluice.nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True, dropout=0.5)
    x = torch.randn(2, 5, 3)
    with torch.no_grad(), sluice.record(layer.eval()) as tape:
        layer(x)
    layer.train()  # measures run without dropout and keep the mode
    for number in (0, 1):
        for reverse in (False, True):
            place, run = tape.layer(number, reverse), run_trajectory(layer, x, number, reverse)
            states = torch.cat([place.h, place.c], dim=-1).double()
            states = states.flip(0) if reverse else states
            torch.testing.assert_close(run.states[1:], states, rtol=0, atol=1e-5)
    assert layer.training
    alone = run_trajectory(layer, x[0]).states
    torch.testing.assert_close(alone[:, 0], run_trajectory(layer, x).states[:, 0])


def test_invalid_arguments_are_refused() -> None:
    layer = sluice.nn.GRU(3, 4)
    with pytest.raises(TypeError, match=r"module must be a recurrent layer of sluice\.nn, got GRU"):
        build_step_map(torch.nn.GRU(3, 4))  # type: ignore[arg-type]
    with pytest.raises(IndexError, match=r"got l1$"):
        run_trajectory(layer, torch.zeros(5, 2, 3), layer=1)
    with pytest.raises(IndexError, match=r"got l0_reverse$"):
        run_trajectory(layer, torch.zeros(5, 2, 3), reverse=True)
    with pytest.raises(RuntimeError, match="must be 3 wide, got 4"):
        run_trajectory(layer, torch.zeros(5, 2, 4))
    with pytest.raises(RuntimeError, match="length to be larger than 0"):
        run_trajectory(layer, torch.zeros(0, 2, 3))
    with pytest.raises(TypeError, match="must be a plain tensor, got a PackedSequence"):
        run_trajectory(layer, pack_sequence([torch.zeros(2, 3)]))  # type: ignore[arg-type]
