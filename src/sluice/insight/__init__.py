"""Looking inside a model: what its gates did, and what the loss says of them."""

from sluice.insight import plots as plots
from sluice.insight.extras import MissingExtra as MissingExtra
from sluice.insight.keras import from_keras as from_keras
from sluice.insight.opening import Opened as Opened
from sluice.insight.opening import from_state_dict as from_state_dict
from sluice.insight.opening import from_torch as from_torch
from sluice.insight.recording import Recorded as Recorded
from sluice.insight.recording import Tape as Tape
from sluice.insight.recording import record as record
