"""Cells side by side: at which lag each stops learning, and what its gradient does there."""

from sluice.report.compare.comparison import Comparison as Comparison
from sluice.report.compare.comparison import Verdict as Verdict
from sluice.report.compare.run import Run as Run
from sluice.report.compare.settings import CompareError as CompareError
from sluice.report.compare.settings import Job as Job
from sluice.report.compare.settings import Settings as Settings
from sluice.report.compare.work import Progress as Progress
from sluice.report.compare.work import compare as compare
