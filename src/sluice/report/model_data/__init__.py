"""Data read for a trained model as its training read them, for reports."""

from sluice.report.model_data.label_data import cut_as_trained as cut_as_trained
from sluice.report.model_data.label_data import get_class_counts as get_class_counts
from sluice.report.model_data.loading import load_model_data as load_model_data
from sluice.report.model_data.model_data import ModelData as ModelData
from sluice.report.model_data.token_data import Needed as Needed
