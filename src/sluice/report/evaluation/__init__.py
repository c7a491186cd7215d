"""Trained models judged on a file of data, beside baselines: what `sluice evaluate` prints."""

from sluice.report.evaluation.evaluation_report import EvaluationReport as EvaluationReport
from sluice.report.evaluation.kinds import evaluate_model as evaluate_model
from sluice.report.evaluation.settings import EvaluationSettings as EvaluationSettings
