"""Equations written out in the languages that run them."""
