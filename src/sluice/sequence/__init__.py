"""From sequences of tokens to a trained language model, and from it to new sequences."""

from sluice.sequence.batch import Batch as Batch
from sluice.sequence.batch import Source as Source
from sluice.sequence.batches import Bucketed as Bucketed
from sluice.sequence.checkpoint import Checkpoint as Checkpoint
from sluice.sequence.data.formats import load as load
from sluice.sequence.data.series import Series as Series
from sluice.sequence.data.sources import Streams as Streams
from sluice.sequence.data.sources import Windows as Windows
from sluice.sequence.data.splits import Split as Split
from sluice.sequence.data.tokens import Tokens as Tokens
from sluice.sequence.data.told import reading_bar as reading_bar
from sluice.sequence.errors import CheckpointError as CheckpointError
from sluice.sequence.errors import DataError as DataError
from sluice.sequence.errors import SequenceError as SequenceError
from sluice.sequence.errors import TrainingDiverged as TrainingDiverged
from sluice.sequence.errors import UnknownToken as UnknownToken
from sluice.sequence.generate import Sampling as Sampling
from sluice.sequence.generate import generate as generate
from sluice.sequence.model import LanguageModel as LanguageModel
from sluice.sequence.model import ModelConfig as ModelConfig
from sluice.sequence.plan import Plan as Plan
from sluice.sequence.train import Outcome as Outcome
from sluice.sequence.train import Progress as Progress
from sluice.sequence.train import loss_per_token as loss_per_token
from sluice.sequence.train import train as train
from sluice.sequence.vocabulary import Vocabulary as Vocabulary
