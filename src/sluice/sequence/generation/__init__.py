"""Generation: sampling, beam search, and the likelihood of given sequences."""

from sluice.sequence.generation.autoregressive import generate as generate
from sluice.sequence.generation.autoregressive import stream_tokens as stream_tokens
from sluice.sequence.generation.batch_worker import QueueFullError as QueueFullError
from sluice.sequence.generation.batched_sequence import BatchedSequence as BatchedSequence
from sluice.sequence.generation.batched_sequence import DeadlineError as DeadlineError
from sluice.sequence.generation.batched_sequence import (
    GenerationCancelledError as GenerationCancelledError,
)
from sluice.sequence.generation.batched_sequence import SequenceStatus as SequenceStatus
from sluice.sequence.generation.beam import Hypothesis as Hypothesis
from sluice.sequence.generation.beam import beam_search as beam_search
from sluice.sequence.generation.continuous_batch import ContinuousBatch as ContinuousBatch
from sluice.sequence.generation.generation_handle import GenerationHandle as GenerationHandle
from sluice.sequence.generation.generation_recording import (
    GenerationRecording as GenerationRecording,
)
from sluice.sequence.generation.generation_recording import (
    record_generation as record_generation,
)
from sluice.sequence.generation.generation_server import GenerationServer as GenerationServer
from sluice.sequence.generation.grammar import EndingGrammar as EndingGrammar
from sluice.sequence.generation.grammar import Grammar as Grammar
from sluice.sequence.generation.grammar import GrammarError as GrammarError
from sluice.sequence.generation.likelihood import log_likelihood as log_likelihood
from sluice.sequence.generation.packed_model import PackedLanguageModel as PackedLanguageModel
from sluice.sequence.generation.sampling import Sampling as Sampling
from sluice.sequence.generation.text_codec import TextCodec as TextCodec
