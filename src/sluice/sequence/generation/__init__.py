"""Generation: sampling, beam search, and the likelihood of given sequences."""

from sluice.sequence.generation.autoregressive import generate as generate
from sluice.sequence.generation.autoregressive import stream_tokens as stream_tokens
from sluice.sequence.generation.beam import Hypothesis as Hypothesis
from sluice.sequence.generation.beam import beam_search as beam_search
from sluice.sequence.generation.grammar import EndingGrammar as EndingGrammar
from sluice.sequence.generation.grammar import Grammar as Grammar
from sluice.sequence.generation.grammar import GrammarError as GrammarError
from sluice.sequence.generation.likelihood import log_likelihood as log_likelihood
from sluice.sequence.generation.sampling import Sampling as Sampling
from sluice.sequence.generation.text_codec import TextCodec as TextCodec
