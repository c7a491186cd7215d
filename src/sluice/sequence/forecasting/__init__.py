"""Forecasts beyond the end of series, and how good they would have been before."""
