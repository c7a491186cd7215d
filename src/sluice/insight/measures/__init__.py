"""Measures of what was recorded."""
