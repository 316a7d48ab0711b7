"""Words on the screen, whose room follows what they say."""

from __future__ import annotations

from textual.visual import VisualType
from textual.widgets import Static


class Words(Static):
    """Literal words: no markup is read. Every change of them is laid out."""

    def __init__(
        self,
        content: VisualType = "",
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(content, id=id, classes=classes, markup=False)

    def clear_cached_dimensions(self) -> None:
        """Forget the size that the words before needed.

        Textual keeps it under a count of the layouts that were asked for. The count stands still
        while one is already asked for: words that change after a layout which came in between
        would keep the room of those before, and their last lines could not be scrolled to.
        """
        super().clear_cached_dimensions()
        self._box_model_cache.clear()
