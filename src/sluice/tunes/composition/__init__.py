"""Composing, continuing, filling and varying tunes with a trained model."""
