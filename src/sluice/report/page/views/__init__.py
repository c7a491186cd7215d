"""What the page shows of each kind of data."""

from __future__ import annotations

from sluice.report.page.forward import ForwardRecord
from sluice.report.page.inputs import ReportInputs
from sluice.report.page.view_inputs import LabelsView, PairsView, RollView, SeriesView, TunesView
from sluice.report.page.views.labels import pack_labels
from sluice.report.page.views.pairs import pack_pairs
from sluice.report.page.views.roll import pack_roll
from sluice.report.page.views.series import pack_series
from sluice.report.page.views.tunes import pack_tune


def pack_view(
    inputs: ReportInputs, forward: ForwardRecord, sequence: int
) -> dict[str, object] | None:
    """What a page draws of these data alone; None for text, of which tokens are all there is."""
    view = inputs.view
    if isinstance(view, SeriesView):
        return pack_series(view, inputs, forward, sequence)
    if isinstance(view, LabelsView):
        return pack_labels(view, forward, sequence)
    if isinstance(view, RollView):
        return pack_roll(view, forward, sequence)
    if isinstance(view, TunesView):
        return pack_tune(view, forward, sequence)
    if isinstance(view, PairsView):
        return pack_pairs(view, forward, sequence)
    return None
