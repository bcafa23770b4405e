"""What stands in a table's rows for a column that holds no text, and so was not read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unread:
    """Stands for a value.

    Attributes:
        kind: Arrow's name of its type.
    """

    kind: str

    @property
    def problem(self) -> str:
        """Why it is no text, and what would help."""
        what = "images" if "binary" in self.kind else "values"
        help_ = ": save them as files, and name the files in this column"
        return f"holds {what} ({self.kind[:120]}), not text{help_ if what == 'images' else ''}"
