"""Looking inside a model: what its gates did, and what the loss says of them."""

from sluice.insight.recording import Recorded as Recorded
from sluice.insight.recording import Tape as Tape
from sluice.insight.recording import record as record
