"""One page, in itself complete, on what a recurrent model does inside while it reads."""

from sluice.report.look.given import ReportInputs as ReportInputs
from sluice.report.look.given import ReportError as ReportError
from sluice.report.look.making import Report as Report
from sluice.report.look.making import look as look
from sluice.report.look.making import build_report as build_report
