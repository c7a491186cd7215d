"""Recurrent layers as other programs call them: sizes and ways of calling, without the programs.

A case builds the same module from `torch.nn` or from `sluice.nn`; its input is random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        group: The part of the table.
        program: Where calls like this come from.
        call: What is called, for the table.
        make: From `torch.nn` or `sluice.nn` to a module.
        x: Its input.
    """

    group: str
    program: str
    call: str
    make: Callable[[Any], nn.Module]
    x: Tensor


class Whole(nn.Module):
    """The output of one call over a sequence."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output."""
        output: Tensor = self.layer(x)[0]
        return output


class Steps(nn.Module):
    """Calls of one step each, the states passed on: a decoder, an agent, a generation loop."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of all steps."""
        outputs, states = [], None
        for step in x.split(1):
            y, states = self.layer(step, states)
            outputs.append(y)
        return torch.cat(outputs)


class CellSteps(nn.Module):
    """A cell, step after step."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of all steps."""
        outputs, states = [], None
        for step in x.unbind():
            states = self.cell(step, states)
            outputs.append(states[0] if isinstance(states, tuple) else states)
        return torch.stack(outputs)


class Packed(nn.Module):
    """A packed batch of sequences of different lengths."""

    def __init__(self, layer: nn.Module, lengths: Tensor) -> None:
        super().__init__()
        self.layer, self.lengths = layer, lengths

    def forward(self, x: Tensor) -> Tensor:
        """The packed output."""
        packed = pack_padded_sequence(x, self.lengths, enforce_sorted=False)
        data: Tensor = self.layer(packed)[0].data
        return data


class WeightDrop(nn.Module):
    """DropConnect on the recurrent weights (Merity et al. 2017), as awd-lstm-lm does it."""

    def __init__(self, layer: Any, rate: float) -> None:
        super().__init__()
        self.layer: Any = layer
        self.rate = rate
        self.raw = nn.Parameter(layer.weight_hh_l0.detach().clone())
        del layer._parameters["weight_hh_l0"]
        layer.weight_hh_l0 = self.raw.detach()
        layer.flatten_parameters = lambda: None  # as awd-lstm-lm does

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output, with weights that are drawn for this call."""
        dropped = nn.functional.dropout(self.raw, self.rate) if self.training else self.raw
        self.layer.weight_hh_l0 = dropped.view_as(dropped)  # never the parameter itself
        output: Tensor = self.layer(x)[0]
        return output


def list_cases() -> Iterator[Case]:
    """All of them."""
    yield from _list_programs()
    yield from _list_steps()
    yield from _list_cells()


def _whole(kind: str, *sizes: int, **options: Any) -> Callable[[Any], nn.Module]:
    return lambda library: Whole(getattr(library, kind)(*sizes, **options))


def _steps(kind: str, *sizes: int, **options: Any) -> Callable[[Any], nn.Module]:
    return lambda library: Steps(getattr(library, kind)(*sizes, **options))


def _cells(kind: str, *sizes: int) -> Callable[[Any], nn.Module]:
    return lambda library: CellSteps(getattr(library, kind)(*sizes))


def _packed(lengths: Tensor, *sizes: int, **options: Any) -> Callable[[Any], nn.Module]:
    return lambda library: Packed(library.LSTM(*sizes, **options), lengths)


def _list_programs() -> Iterator[Case]:
    random = torch.randn

    def case(program: str, call: str, make: Callable[[Any], nn.Module], *shape: int) -> Case:
        return Case(
            "programs", program, f"{call}, {'×'.join(map(str, shape))}", make, random(shape)
        )

    model = "word_language_model"
    for kind in ("LSTM", "GRU", "RNN"):
        yield case(model, f"{kind} 200×2", _whole(kind, 200, 200, 2, dropout=0.2), 35, 20, 200)
    drop = "awd-lstm-lm"
    yield case(
        drop,
        "LSTM 400→1150, weight drop",
        lambda library: WeightDrop(library.LSTM(400, 1150), 0.5),
        *(10, 80, 400),
    )
    yield case(
        drop, "LSTM 200, weight drop", lambda lib: WeightDrop(lib.LSTM(200, 200), 0.5), 35, 20, 200
    )
    yield case("char-rnn.pytorch", "GRU 100×2, steps", _steps("GRU", 100, 100, 2), 10, 100, 100)
    yield case("char-rnn.pytorch", "LSTM 100×2, steps", _steps("LSTM", 100, 100, 2), 10, 100, 100)
    yield case("char-rnn.pytorch", "GRU 100×2, generation", _steps("GRU", 100, 100, 2), 10, 1, 100)
    tutorial = "seq2seq tutorial"
    yield case(tutorial, "GRU 256, encoder's steps", _steps("GRU", 256, 256), 10, 1, 256)
    yield case(tutorial, "GRU 512→256, decoder's steps", _steps("GRU", 512, 256), 10, 1, 512)
    yield case(tutorial, "GRU 128, encoder", _whole("GRU", 128, 128), 10, 32, 128)
    yield case(tutorial, "GRU 256→128, decoder's steps", _steps("GRU", 256, 128), 10, 32, 256)
    yield case("name classification", "RNN 57→128", _whole("RNN", 57, 128), 8, 1, 57)
    yield case("name classification", "RNN 57→128, steps", _steps("RNN", 57, 128), 8, 1, 57)
    agent = "RecurrentPPO"
    yield case(agent, "LSTM 64→256, rollout", _steps("LSTM", 64, 256), 8, 1, 64)
    yield case(agent, "LSTM 64→256, rollout of 8", _steps("LSTM", 64, 256), 8, 8, 64)
    yield case(agent, "LSTM 64→256, sequence", _whole("LSTM", 64, 256), 128, 1, 64)
    yield case(agent, "LSTM 4→64, sequence", _whole("LSTM", 4, 64), 128, 1, 4)
    for kind, steps in (("RNN", 12), ("RNN", 24), ("GRU", 24), ("LSTM", 24)):
        call, make = f"{kind} 1→25", _whole(kind, 1, 25, batch_first=True)
        yield case("darts", call, make, 32, steps, 1)
    forecast = "pytorch-forecasting"
    for hidden, layers, batch in ((16, 1, 64), (30, 2, 64), (64, 2, 128)):
        make = _whole("LSTM", hidden, hidden, layers, batch_first=True)
        yield case(forecast, f"LSTM {hidden}×{layers}", make, batch, 24, hidden)
    make = _whole("GRU", 40, 40, 2, dropout=0.1, batch_first=True)
    yield case(forecast, "GRU 40×2", make, 128, 24, 40)
    yield case("neuralhydrology", "LSTM 27→256", _whole("LSTM", 27, 256), 60, 256, 27)
    yield case("neuralhydrology", "LSTM 27→64", _whole("LSTM", 27, 64), 90, 64, 27)
    for kind, hidden, batch in (("RNN", 32, 256), ("GRU", 32, 256), ("LSTM", 32, 256)):
        yield case("d2l", f"{kind} 28→{hidden}", _whole(kind, 28, hidden), 32, batch, 28)
    for kind in ("GRU", "LSTM"):
        yield case("d2l", f"{kind} 28→256", _whole(kind, 28, 256), 35, 32, 28)
    yield case("d2l", "GRU 256×2, seq2seq", _whole("GRU", 256, 256, 2, dropout=0.2), 9, 128, 256)
    yield case("tagger tutorial", "LSTM 6", _whole("LSTM", 6, 6), 5, 1, 6)
    yield case(
        "BiLSTM-CRF tutorial", "BiLSTM 5→2", _whole("LSTM", 5, 2, bidirectional=True), 11, 1, 5
    )
    lengths = torch.tensor([3 + k * 7 % 28 for k in range(32)])
    tagger = _packed(lengths, 100, 100, bidirectional=True)
    yield case("tagger, packed", "BiLSTM 100", tagger, 30, 32, 100)
    yield case("tagger, packed", "LSTM 50→100", _packed(lengths, 50, 100), 30, 32, 50)
    yield case(
        "time_sequence_prediction", "LSTMCell 51, steps", _cells("LSTMCell", 51, 51), 10, 97, 51
    )
    yield case("pointer network", "LSTMCell 128, steps", _cells("LSTMCell", 128, 128), 10, 128, 128)
    yield case("Dreamer", "GRUCell 200, steps", _cells("GRUCell", 200, 200), 10, 50, 200)
    yield case("Tacotron", "LSTMCell 512, steps", _cells("LSTMCell", 512, 512), 4, 32, 512)


def _list_steps() -> Iterator[Case]:
    for kind in ("LSTM", "GRU", "RNN"):
        for hidden in (8, 32, 64, 128, 256, 512):
            for batch in (1, 16, 64):
                make, x = _whole(kind, hidden, hidden), torch.randn(1, batch, hidden)
                yield Case(kind, "one step", f"{kind} {hidden}, batch {batch}", make, x)


def _list_cells() -> Iterator[Case]:
    for kind in ("LSTMCell", "GRUCell", "RNNCell"):
        for hidden in (8, 32, 64, 128, 256, 512):
            for batch in (1, 16, 64):
                make, x = _cells(kind, hidden, hidden), torch.randn(1, batch, hidden)
                yield Case(kind, "one step", f"{kind} {hidden}, batch {batch}", make, x)
