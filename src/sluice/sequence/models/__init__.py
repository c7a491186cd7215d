"""Models of sequences: each a module with a small configuration, around layers of any cell."""

from sluice.sequence.models.labels import Classifier as Classifier
from sluice.sequence.models.labels import LabelsConfig as LabelsConfig
from sluice.sequence.models.labels import Tagger as Tagger
from sluice.sequence.models.language import LanguageModel as LanguageModel
from sluice.sequence.models.language import ModelConfig as ModelConfig
