"""Data read for a trained model as its training read them, for reports."""

from sluice.report.model_data.loading import load_model_data as load_model_data
from sluice.report.model_data.model_data import ModelData as ModelData
from sluice.report.model_data.token_data import Needed as Needed
