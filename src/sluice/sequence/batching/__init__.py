"""Batches of sequences: bucketed by length, as streams, windows or pairs."""
