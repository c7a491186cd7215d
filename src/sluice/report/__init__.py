"""Reports on recurrent models: a page on one model, a comparison of cells, an ablation.

`look` shows what happens inside a model on one page, `compare` trains cells side by side, and
`ablate` measures what a model loses without each of its gates and units. `evaluate_model` judges a
model on a file, beside baselines, and `predict_labels` labels new data.
"""

from sluice.report.ablation import Ablation as Ablation
from sluice.report.ablation import AblationError as AblationError
from sluice.report.ablation import Effect as Effect
from sluice.report.ablation import Intervention as Intervention
from sluice.report.ablation import ablate as ablate
from sluice.report.comparison import Comparison as Comparison
from sluice.report.comparison import ComparisonError as ComparisonError
from sluice.report.comparison import ComparisonProgress as ComparisonProgress
from sluice.report.comparison import Verdict as Verdict
from sluice.report.comparison import compare as compare
from sluice.report.evaluation import EvaluationReport as EvaluationReport
from sluice.report.evaluation import EvaluationSettings as EvaluationSettings
from sluice.report.evaluation import evaluate_model as evaluate_model
from sluice.report.label_predictions import LabelPredictions as LabelPredictions
from sluice.report.label_predictions import predict_labels as predict_labels
from sluice.report.page import Report as Report
from sluice.report.page import ReportError as ReportError
from sluice.report.page import look as look
