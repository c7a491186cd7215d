"""From sequences of tokens to a trained language model, and from it to new sequences."""

from sluice.sequence.checkpoint import Checkpoint as Checkpoint
from sluice.sequence.errors import CheckpointError as CheckpointError
from sluice.sequence.errors import SequenceError as SequenceError
from sluice.sequence.errors import TrainingDiverged as TrainingDiverged
from sluice.sequence.errors import UnknownToken as UnknownToken
from sluice.sequence.generation import EndingGrammar as EndingGrammar
from sluice.sequence.generation import Grammar as Grammar
from sluice.sequence.generation import Hypothesis as Hypothesis
from sluice.sequence.generation import NotAllowed as NotAllowed
from sluice.sequence.generation import Sampling as Sampling
from sluice.sequence.generation import Spelling as Spelling
from sluice.sequence.generation import beam_search as beam_search
from sluice.sequence.generation import generate as generate
from sluice.sequence.generation import log_likelihood as log_likelihood
from sluice.sequence.generation import stream as stream
from sluice.sequence.model import LanguageModel as LanguageModel
from sluice.sequence.model import ModelConfig as ModelConfig
from sluice.sequence.training import Outcome as Outcome
from sluice.sequence.training import Plan as Plan
from sluice.sequence.training import Progress as Progress
from sluice.sequence.training import evaluate as evaluate
from sluice.sequence.training import loss_per_token as loss_per_token
from sluice.sequence.training import train as train
from sluice.sequence.vocabulary import Vocabulary as Vocabulary
