"""What all plots share: a figure in a theme, and the text about it in their docstrings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from sluice.insight.plots import style
from sluice.render.theme import get_theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Plot = TypeVar("Plot", bound="Callable[..., Figure]")

_SHARED_ARGS = """
        title: Above the figure; None for none.
        theme: ``"light"`` or ``"dark"``.

    Returns:
        The figure."""
_RAISES = "\n\n    Raises:\n"
_SHARED_RAISES = """\
        MissingExtraError: matplotlib is not installed.
        ValueError: the theme is unknown.
"""


def document_plot(plot: Plot) -> Plot:
    """Decorates a plot: completes its docstring by what holds of every plot.

    The parameters ``title`` and ``theme``, the figure returned and the shared errors go before
    the plot's own ``Raises:``.
    """
    if plot.__doc__ is not None:  # as under python -OO
        head, found, tail = plot.__doc__.partition(_RAISES)
        assert found, f"the docstring of {plot.__name__} has no 'Raises:'"
        plot.__doc__ = head + _SHARED_ARGS + found + _SHARED_RAISES + tail
    return plot


class Canvas:
    """An empty figure in a theme, of a size in inches.

    Raises ValueError for an unknown theme, MissingExtraError where matplotlib is not installed.
    """

    def __init__(self, theme: str, width: float, height: float) -> None:
        self.theme = get_theme(theme)
        self.figure = style.create_figure(self.theme, width, height)

    def add_axes(self, x: str, y: str, title: str | None = None) -> Axes:
        """Axes that fill the figure, with labels."""
        axes: Axes = self.figure.subplots()
        self.style_axes(axes, x, y, title)
        return axes

    def add_panels(
        self,
        rows: int,
        columns: int,
        *,
        title: str | None,
        share_x: bool = False,
        share_y: bool = False,
        heights: Sequence[float] | None = None,
    ) -> list[list[Axes]]:
        """Axes in rows and columns, below a common title."""
        if title:
            self.figure.suptitle(title, fontsize=style.LARGE, color=self.theme.ink)
        grid = self.figure.subplots(
            rows, columns, sharex=share_x, sharey=share_y, squeeze=False, height_ratios=heights
        )
        return [list(row) for row in grid]

    def style_axes(self, axes: Axes, x: str, y: str, title: str | None = None) -> None:
        """Label axes, in the theme's colours."""
        style.style_axes(axes, self.theme, x, y, title)
