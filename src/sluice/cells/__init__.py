"""Recurrent cells, each written once as its update equations."""

from sluice.cells.cell import Cell as Cell
from sluice.cells.declarations import Gate as Gate
from sluice.cells.declarations import Map as Map
from sluice.cells.declarations import Mask as Mask
from sluice.cells.declarations import Norm as Norm
from sluice.cells.declarations import State as State
from sluice.cells.declarations import Vector as Vector
from sluice.cells.elman import Elman as Elman
from sluice.cells.elman import Jordan as Jordan
from sluice.cells.gru import GRU as GRU
from sluice.cells.gru import MGU as MGU
from sluice.cells.gru import ResetBeforeGRU as ResetBeforeGRU
from sluice.cells.layer_norm_cells import LayerNormElman as LayerNormElman
from sluice.cells.layer_norm_cells import LayerNormGRU as LayerNormGRU
from sluice.cells.layer_norm_cells import LayerNormLSTM as LayerNormLSTM
from sluice.cells.lstm import CIFG as CIFG
from sluice.cells.lstm import LSTM as LSTM
from sluice.cells.lstm import LSTM1997 as LSTM1997
from sluice.cells.lstm import PeepholeLSTM as PeepholeLSTM
from sluice.cells.lstm import ProjectedLSTM as ProjectedLSTM
from sluice.cells.slstm import SLSTM as SLSTM
from sluice.cells.transforms import clamp_gates as clamp_gates
from sluice.cells.transforms import clamp_units as clamp_units
from sluice.cells.transforms import layer_norm as layer_norm
from sluice.cells.transforms import recurrent_dropout as recurrent_dropout
from sluice.cells.transforms import zoneout as zoneout
