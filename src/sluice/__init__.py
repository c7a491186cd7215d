"""Recurrent networks whose cell is written once, as its update equations."""

__version__ = "0.1.0"
