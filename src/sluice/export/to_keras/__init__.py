"""Keras' own files of layers and models."""
