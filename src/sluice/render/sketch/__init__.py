"""The sketch of a unit, derived from its graph: parts, places, wires, and the drawing."""

from sluice.render.sketch.animation import animate_sketch as animate_sketch
from sluice.render.sketch.drawing import draw_series as draw_series
from sluice.render.sketch.drawing import draw_sketch as draw_sketch
from sluice.render.sketch.interactive import draw_interactive_sketch as draw_interactive_sketch
from sluice.render.sketch.layout import build_layout as build_layout
from sluice.render.sketch.sheets import draw_blanks as draw_blanks
from sluice.render.sketch.sheets import draw_stroke_sheet as draw_stroke_sheet
from sluice.render.sketch.sheets import draw_strokes as draw_strokes
from sluice.render.sketch.side_by_side import draw_side_by_side as draw_side_by_side
from sluice.render.sketch.stack import draw_stack as draw_stack
from sluice.render.sketch.unrolled import draw_unrolled as draw_unrolled
