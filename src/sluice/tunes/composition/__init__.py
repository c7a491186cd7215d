"""Composing, continuing, filling and varying tunes with a trained model."""

from sluice.tunes.composition import training as training
