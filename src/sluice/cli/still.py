"""What is drawn again and again without change is laid out once."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import Progress
from rich.segment import Segment


class StillRenderable:
    """A renderable that is laid out once for each width, and then only written."""

    def __init__(self, renderable: RenderableType) -> None:
        self.renderable, self._width = renderable, 0
        self._lines: list[list[Segment]] = []

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._width != options.max_width:
            free = options.update(height=None)
            self._lines = console.render_lines(self.renderable, free, pad=False)
            self._width = options.max_width
        for line in self._lines:
            yield from line
            yield Segment.line()


class WatchedProgress(Progress):
    """A progress bar with something below it."""

    below: RenderableType | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.below is not None:
            yield self.below
