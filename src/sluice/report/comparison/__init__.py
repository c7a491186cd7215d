"""Cells side by side: at which lag each stops learning, and what its gradient does there."""

from sluice.report.comparison.comparison import Comparison as Comparison
from sluice.report.comparison.comparison import Verdict as Verdict
from sluice.report.comparison.settings import ComparisonError as ComparisonError
from sluice.report.comparison.settings import ComparisonSettings as ComparisonSettings
from sluice.report.comparison.settings import TrialSpec as TrialSpec
from sluice.report.comparison.sweep import ComparisonProgress as ComparisonProgress
from sluice.report.comparison.sweep import compare as compare
from sluice.report.comparison.trial import TrialResult as TrialResult
