"""Metrics of a trained model, beside those of simple baselines."""

from sluice.sequence.metrics.evaluation import evaluate as evaluate
from sluice.sequence.metrics.metrics import Metrics as Metrics
