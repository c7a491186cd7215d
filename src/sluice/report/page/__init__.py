"""One page, in itself complete, on what a recurrent model does inside while it reads."""

from sluice.report.page.build import Report as Report
from sluice.report.page.build import build_report as build_report
from sluice.report.page.build import look as look
from sluice.report.page.inputs import ReportError as ReportError
from sluice.report.page.inputs import ReportInputs as ReportInputs
