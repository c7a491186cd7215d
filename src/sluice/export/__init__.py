"""Layers and models as files that other engines run, each run by its engine and compared."""

from sluice.export.errors import ExportError as ExportError
from sluice.export.exported import ExportedFile as ExportedFile
from sluice.export.to_c.files import c as c
from sluice.export.to_html.files import html as html
from sluice.export.to_js.files import js as js
from sluice.export.to_keras.files import keras as keras
from sluice.export.to_onnx.files import onnx as onnx
from sluice.export.to_rtneural.files import rtneural as rtneural
from sluice.export.to_torch.files import torch as torch
