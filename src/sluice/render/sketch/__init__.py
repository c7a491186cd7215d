"""The sketch of a unit, derived from its graph: parts, places, wires, and the drawing."""

from sluice.render.sketch.animation import animate_sketch as animate_sketch
from sluice.render.sketch.drawing import draw_series as draw_series
from sluice.render.sketch.drawing import draw_sketch as draw_sketch
from sluice.render.sketch.interactive import draw_interactive_sketch as draw_interactive_sketch
from sluice.render.sketch.layout import build_layout as build_layout
