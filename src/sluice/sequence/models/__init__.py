"""Models of sequences: modules with a small configuration and recurrent layers of any cell."""

from sluice.sequence.models.base import SequenceModel as SequenceModel
from sluice.sequence.models.biaxial import BiaxialConfig as BiaxialConfig
from sluice.sequence.models.biaxial import BiaxialModel as BiaxialModel
from sluice.sequence.models.chorale import ChoraleConfig as ChoraleConfig
from sluice.sequence.models.chorale import ChoraleModel as ChoraleModel
from sluice.sequence.models.conv_seq2seq import ConvSeq2Seq as ConvSeq2Seq
from sluice.sequence.models.conv_seq2seq import ConvSeq2SeqConfig as ConvSeq2SeqConfig
from sluice.sequence.models.forecaster import Forecaster as Forecaster
from sluice.sequence.models.forecaster_config import ForecasterConfig as ForecasterConfig
from sluice.sequence.models.labels import Classifier as Classifier
from sluice.sequence.models.labels import LabelsConfig as LabelsConfig
from sluice.sequence.models.labels import Tagger as Tagger
from sluice.sequence.models.language import LanguageModel as LanguageModel
from sluice.sequence.models.language import LanguageModelConfig as LanguageModelConfig
from sluice.sequence.models.pair_model import PairModel as PairModel
from sluice.sequence.models.pair_model import PairModelConfig as PairModelConfig
from sluice.sequence.models.seq2seq import Seq2Seq as Seq2Seq
from sluice.sequence.models.seq2seq import Seq2SeqConfig as Seq2SeqConfig
from sluice.sequence.models.seq2seq_decoding import DecodedSequence as DecodedSequence
from sluice.sequence.models.seq2seq_decoding import decode as decode
from sluice.sequence.models.transformer_seq2seq import TransformerSeq2Seq as TransformerSeq2Seq
from sluice.sequence.models.transformer_seq2seq import (
    TransformerSeq2SeqConfig as TransformerSeq2SeqConfig,
)

KINDS: dict[str, type[SequenceModel]] = {
    kind.__name__: kind
    for kind in (
        LanguageModel,
        Classifier,
        Tagger,
        Forecaster,
        ChoraleModel,
        BiaxialModel,
        Seq2Seq,
        ConvSeq2Seq,
        TransformerSeq2Seq,
    )
}
"""The models by the names in checkpoint files."""
