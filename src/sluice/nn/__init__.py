"""Modules: torch's recurrent layers as drop-ins, and `Recurrent` for any cell."""

from sluice.nn.attention import AdditiveAttention as AdditiveAttention
from sluice.nn.attention import additive_attention as additive_attention
from sluice.nn.bidirectional import Bidirectional as Bidirectional
from sluice.nn.conversion import convert as convert
from sluice.nn.readout import Readout as Readout
from sluice.nn.recurrent import Recurrent as Recurrent
from sluice.nn.rnn import GRU as GRU
from sluice.nn.rnn import LSTM as LSTM
from sluice.nn.rnn import RNN as RNN
from sluice.nn.rnn_cells import GRUCell as GRUCell
from sluice.nn.rnn_cells import LSTMCell as LSTMCell
from sluice.nn.rnn_cells import RNNCell as RNNCell
from sluice.nn.stream import Stream as Stream
