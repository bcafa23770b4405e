"""Images of one colour that other processes can open: each says who opened it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from unprompt.errors import DataError


@dataclass(frozen=True)
class LoggedColours:
    """Images by id.

    Attributes:
        levels: Their colours.
        log: A file that gets ``process id`` of each that is opened; none where None.
        broken: Those that cannot be opened.
        fatal: Whose opening ends the process that tries it.
        bug: Whose opening raises an error of ours.
    """

    levels: Mapping[str, tuple[int, int, int]]
    log: Path | None = None
    broken: frozenset[str] = frozenset()
    fatal: frozenset[str] = frozenset()
    bug: frozenset[str] = field(default=frozenset())

    def open(self, image_id: str) -> Image.Image:
        """40 x 40 pixels."""
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{os.getpid()} {image_id}\n")
        if image_id in self.broken:
            raise DataError(f"{image_id}.png: truncated")
        if image_id in self.fatal:
            os.kill(os.getpid(), 9)
        if image_id in self.bug:
            raise ZeroDivisionError(image_id)
        return Image.new("RGB", (40, 40), self.levels[image_id])

    def digest(self, image_id: str) -> str:
        """Of the colour."""
        return "-".join(map(str, self.levels[image_id]))
