"""The cells that the library has: found by name, and what their documentation says."""

from __future__ import annotations

import re

import pytest
import torch

import sluice
from command import run
from sluice.cells.registry import describe_cell, get_cell, list_cells


def test_every_cell_cites_a_paper_and_says_what_it_is_good_for() -> None:
    assert len(list_cells()) >= 40
    for kind in list_cells().values():
        found = describe_cell(kind)
        assert re.search(r"\b(19|20)\d\d[a-z]?\b", found.summary), found.name
        assert found.purpose.endswith("."), found.name


def test_cells_by_name() -> None:
    assert type(get_cell("Peephole-LSTM")) is sluice.cells.PeepholeLSTM
    with pytest.raises(ValueError, match=r"must be one of .*'lsmt'"):
        get_cell("lsmt")


def test_layers_take_a_name() -> None:
    torch.manual_seed(3)
    named = sluice.nn.Recurrent("janet", 3, 8)
    torch.manual_seed(3)
    built = sluice.nn.Recurrent(sluice.cells.JANET, 3, 8)
    x = torch.randn(5, 2, 3)
    assert torch.equal(named(x)[0], built(x)[0])
    with pytest.raises(ValueError, match="'no-such-cell'"):
        sluice.nn.Recurrent("no-such-cell", 3, 8)


def test_the_command_lists_every_cell() -> None:
    result = run("cells")
    assert result.exit_code == 0
    words = result.stdout.split()
    assert set(list_cells()) <= set(words) and words.count("Good") == len(list_cells())
