"""The version, alone: what names it must not import the library."""

__version__ = "0.2.0"
