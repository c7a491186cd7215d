"""Pictures of what a model does inside: matplotlib figures, returned and never shown.

They take a tape or plain arrays, and ``style="light"`` or ``"dark"``. matplotlib, the extra
``plots``, is imported by the first picture. ``figure.savefig("forget.png", dpi=150)`` keeps one.
"""

from sluice.insight.plots.eigenvalues import eigenvalues as eigenvalues
from sluice.insight.plots.flow import gradient_flow as gradient_flow
from sluice.insight.plots.heat import heat_map as heat_map
from sluice.insight.plots.ranked import ranked as ranked
from sluice.insight.plots.saturation import saturation as saturation
from sluice.insight.plots.text import coloured_text as coloured_text
from sluice.insight.plots.timescales import timescales as timescales
from sluice.insight.plots.traces import traces as traces
