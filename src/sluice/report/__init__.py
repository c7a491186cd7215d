"""Reports: cells trained side by side, a model without its gates, a look inside on one page."""

from sluice.report.page import look as look
