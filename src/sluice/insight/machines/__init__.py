"""Finite state machines: what they are, and how one is extracted from a trained model."""
