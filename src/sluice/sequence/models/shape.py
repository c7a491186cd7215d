"""What all models' configurations share: the recurrent layers and dropout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from sluice import nn
from sluice.cells import layer_norm, recurrent_dropout, zoneout
from sluice.cells.cell import Cell
from sluice.cells.from_text import TracedCell
from sluice.cells.registry import list_cells
from sluice.nn.options import LayerOptions
from sluice.nn.stack import RecurrentStack
from sluice.option_names import name_argument
from sluice.sequence.errors import SequenceError

_TORCH: dict[str, Callable[..., RecurrentStack]] = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}
MOST_LAYERS = 1_000
_RATES = ("dropout", "embedding_dropout", "output_dropout", "recurrent_dropout")


@dataclass(frozen=True)
class ModelConfig:
    """The base of all models' configurations, which adds nothing."""


@dataclass(frozen=True)
class SequenceModelConfig(ModelConfig):
    """The recurrent layers of a model, its embedding and its dropout.

    Attributes:
        cell: the name of a cell of `sluice.cells`, in any case; or a `Cell` of your own, object or
            class, which is stored as the text of its equations (so a checkpoint needs no code).
        embedding_size: the width of the embedding of tokens or values; 0 for values without one.
        hidden_size: units of a layer, in each direction.
        num_layers: the number of layers.
        dropout: between layers, and on the output if `output_dropout` is None.
        bidirectional: whether the layers read in both directions.
        projection_size: the size of a cell's width "projection", else 0.
        sizes: the sizes of the cell's own widths, by name; those that a `Cell` itself has are
            added.
        embedding_dropout, output_dropout: on the input of the first layer and the output of the
            last.
        recurrent_dropout: on the inputs of the recurrent matrices, one mask per sequence (Gal &
            Ghahramani 2016).
        zoneout: the probability that a state keeps its previous value (Krueger et al. 2017): a rate
            for h and c, or one for each state by name; in evaluation the expected value is used.
        layer_norm: layer norm within the recurrence (Ba et al. 2016).

    Raises:
        SequenceError: an unknown cell, a size below one, a rate outside [0, 1), or an option that
            does not fit the cell.
    """

    cell: str | Cell | type[Cell] = "lstm"
    embedding_size: int = 128
    hidden_size: int = 256
    num_layers: int = 2
    dropout: float = 0.2
    _: KW_ONLY
    bidirectional: bool = False
    projection_size: int = 0
    sizes: Mapping[str, int] | None = None
    embedding_dropout: float = 0.0
    output_dropout: float | None = None
    recurrent_dropout: float = 0.0
    zoneout: float | Mapping[str, float] = 0.0
    layer_norm: bool = False

    def __post_init__(self) -> None:
        cell = self.cell() if isinstance(self.cell, type) else self.cell
        if isinstance(cell, Cell):  # whose text does not hold them
            object.__setattr__(self, "sizes", {**cell.sizes, **(self.sizes or {})} or None)
        object.__setattr__(self, "cell", cell.text if isinstance(cell, Cell) else cell)
        if isinstance(self.zoneout, Mapping):
            object.__setattr__(self, "zoneout", dict(self.zoneout))
        require_sizes(self, hidden_size=1, num_layers=1, embedding_size=0, projection_size=0)
        require_rates(self, *_RATES)
        _build_cell(self)

    @property
    def width(self) -> int:
        """The width of the layers' output, both directions together, above an embedding."""
        cell, options = _build_cell(self), self.layer_options(self.embedding_size)
        last = options.size_layers(cell)[-1]
        return options.directions * sum(map(last.of, cell.graph.output_widths))

    def layer_options(self, input_size: int) -> LayerOptions:
        """What the layers are built from."""
        return LayerOptions(
            input_size,
            self.hidden_size,
            self.num_layers,
            dropout=self.dropout if self.num_layers > 1 else 0.0,
            bidirectional=self.bidirectional,
            proj_size=self.projection_size,
            sizes=self.sizes,
        )


def require_sizes(config: object, **least: int) -> None:
    """Raise SequenceError if a field is not an integer, or below its minimum."""
    for name, smallest in least.items():
        size = getattr(config, name)
        if not isinstance(size, int) or isinstance(size, bool) or size < smallest:
            raise SequenceError(
                f"{name_argument(name)} must be an integer of at least {smallest}, got {size!r}."
            )
        if name == "num_layers" and size > MOST_LAYERS:
            raise SequenceError(
                f"{name_argument(name)} must be at most {MOST_LAYERS:,}, got {size:,}."
            )


def build_layers(config: SequenceModelConfig, input_size: int) -> RecurrentStack:
    """The recurrent layers: `nn.LSTM`, `nn.GRU` or `nn.RNN` if possible, else `nn.Recurrent`.

    Raises:
        SequenceError: sizes that do not fit the cell.
    """
    asked = config.layer_options(input_size)
    options: dict[str, Any] = {"dropout": asked.dropout, "bidirectional": asked.bidirectional}
    sizes = (input_size, config.hidden_size, config.num_layers)
    name = str(config.cell).lower()
    beyond = (
        config.recurrent_dropout,
        _resolve_zoneout(config),
        config.layer_norm,
        config.projection_size,
        config.sizes,
    )
    if name in _TORCH and not any(beyond):
        return _TORCH[name](*sizes, **options)
    try:
        options |= {"proj_size": asked.proj_size, "sizes": asked.sizes}
        return nn.Recurrent(_build_cell(config), *sizes, **options)
    except ValueError as error:
        raise SequenceError(f"The sizes do not fit the cell: {error}.") from None


def require_rates(config: object, *names: str) -> None:
    """Raise SequenceError if a field is outside [0, 1); None is right where it is a default."""
    for name in names:
        rate = getattr(config, name)
        if not (name == "output_dropout" and rate is None):
            _require_rate(name, rate)


def _require_rate(name: str, rate: object) -> None:
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise SequenceError(f"{name_argument(name)} must be in [0, 1), got {rate!r}.")


def _build_cell(config: SequenceModelConfig) -> Cell:
    """The cell of `config`, with its dropout, zoneout and layer norm."""
    cell = _find_cell(str(config.cell), config.layer_norm)
    if cell.graph.inputs:
        raise SequenceError(
            f"{cell.name} takes {', '.join(one.name for one in cell.graph.inputs)} beside x, which "
            "a model of sequences does not have; call a layer of it, sluice.nn.Recurrent."
        )
    states = [state.name for state in cell.graph.states]
    if config.recurrent_dropout:
        cell = recurrent_dropout(cell, config.recurrent_dropout)
    rates = _resolve_zoneout(config)
    if isinstance(config.zoneout, Mapping):
        for state in sorted(rates.keys() - set(states)):
            raise SequenceError(f"zoneout must name states of the cell, {states}, got {state!r}.")
    elif rates and not set(states) <= {"h", "c"}:
        raise SequenceError(
            f"A number for zoneout needs a cell with states h and c, but those of {cell.name} "
            f"are {', '.join(states)}; give a rate by name, as in {{'h': 0.05}}."
        )
    held = {state: rate for state, rate in rates.items() if state in states}
    return zoneout(cell, **held) if held else cell


def _resolve_zoneout(config: SequenceModelConfig) -> dict[str, float]:
    given = config.zoneout
    rates = dict(given) if isinstance(given, Mapping) else dict.fromkeys("hc", given)
    for rate in rates.values():
        _require_rate("zoneout", rate)
    return {state: float(rate) for state, rate in rates.items() if rate}


def _find_cell(name: str, normed: bool) -> Cell:
    kinds = {label.lower(): kind for label, kind in list_cells().items()}
    if name.startswith("sluice graph"):
        cell: Cell = TracedCell(name)
    elif name.lower() in kinds:
        special = kinds.get(f"layernorm{name.lower()}") if normed else None
        if special is not None:
            return special()
        cell = kinds[name.lower()]()
    else:
        raise SequenceError(
            f"{name_argument('cell')} must be one of {', '.join(kinds)}, or a Cell of your own, "
            f"got {name!r}."
        )
    return layer_norm(cell) if normed else cell
