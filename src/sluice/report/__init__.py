"""Reports on models: files that a browser shows."""

from sluice.report.look import look as look
