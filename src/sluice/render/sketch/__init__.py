"""The sketch of a unit, derived from its graph: parts, places, wires, and the drawing."""

from sluice.render.sketch.animate import animated as animated
from sluice.render.sketch.draw import series as series
from sluice.render.sketch.draw import sketch as sketch
from sluice.render.sketch.layout import layout as layout
