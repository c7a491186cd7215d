"""ONNX files of layers and of whole models."""
