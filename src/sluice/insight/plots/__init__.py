"""Plots of a model's inner values: matplotlib figures, returned and never shown.

They take a tape or plain arrays, and ``theme="light"`` or ``"dark"``. matplotlib, the extra
``plots``, is imported by the first plot. ``figure.savefig("forget.png", dpi=150)`` writes one.
"""

from sluice.insight.plots.attention import plot_attention as plot_attention
from sluice.insight.plots.coloured_text import plot_text as plot_text
from sluice.insight.plots.eigenvalues import plot_eigenvalues as plot_eigenvalues
from sluice.insight.plots.forecasts import ForecastPanel as ForecastPanel
from sluice.insight.plots.forecasts import plot_forecasts as plot_forecasts
from sluice.insight.plots.gradient_flow import plot_gradient_flow as plot_gradient_flow
from sluice.insight.plots.heat_map import plot_heat_map as plot_heat_map
from sluice.insight.plots.memory_operations import plot_memory_operations as plot_memory_operations
from sluice.insight.plots.ranked import plot_ranking as plot_ranking
from sluice.insight.plots.saturation import plot_saturation as plot_saturation
from sluice.insight.plots.state_machine import plot_state_machine as plot_state_machine
from sluice.insight.plots.timescales import plot_timescales as plot_timescales
from sluice.insight.plots.traces import plot_traces as plot_traces
