"""Reports: cells trained side by side, a model without its gates, a look inside on one page."""

from sluice.report.look import look as look
