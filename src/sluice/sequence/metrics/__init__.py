"""What a trained model is worth: figures of each kind of model, beside those of naive ones."""

from sluice.sequence.metrics.evaluation import evaluate as evaluate
from sluice.sequence.metrics.figures import Metrics as Metrics
