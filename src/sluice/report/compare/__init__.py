"""Cells side by side: at which lag each stops learning, and what its gradient does there."""

from sluice.report.compare.comparison import Comparison as Comparison
from sluice.report.compare.comparison import Verdict as Verdict
from sluice.report.compare.run import TrialResult as TrialResult
from sluice.report.compare.settings import CompareError as CompareError
from sluice.report.compare.settings import TrialSpec as TrialSpec
from sluice.report.compare.settings import ComparisonSettings as ComparisonSettings
from sluice.report.compare.work import ComparisonProgress as ComparisonProgress
from sluice.report.compare.work import compare as compare
