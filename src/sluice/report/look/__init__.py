"""One page, in itself complete, on what a recurrent model does inside while it reads."""

from sluice.report.look.given import Given as Given
from sluice.report.look.given import LookError as LookError
from sluice.report.look.making import Report as Report
from sluice.report.look.making import look as look
from sluice.report.look.making import made as made
