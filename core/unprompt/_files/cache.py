"""The cache of results: folders named by a hash of everything that their content depends on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unprompt._files.hashing import content_hash
from unprompt._files.paths import cache_folder
from unprompt._files.writing import replacing_folder
from unprompt.types import PlainData

LAYOUT = 1
"""Version of what cached folders contain; raise it when that changes, and old ones are ignored."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of cached results; several processes can use it, as entries appear by rename.

    Attributes:
        root: The folder; it is made when the first entry is written.
    """

    root: Path

    @classmethod
    def default(cls) -> Cache:
        """That of `cache_folder`. Raises DataError as it does."""
        return cls(cache_folder())

    def folder(self, kind: str, key: PlainData, make: Callable[[Path], None]) -> Path:
        """The folder with what ``make`` writes for ``key``, which is called where there is none.

        Args:
            kind: What is kept: ``texts``, ``artifacts``, ``predictions``.
            key: Everything that the content depends on.
            make: Fills an empty folder; if it raises, nothing is kept.

        Returns:
            A complete folder; do not write to it.
        """
        path = self.root / kind / content_hash([LAYOUT, key])
        if not path.is_dir():
            with replacing_folder(path) as part:
                make(part)
        return path


def copy_folder(source: Path, target: Path) -> None:
    """Copy a cached folder, as hard links where the file system can: artifacts may be large."""
    shutil.copytree(source, target, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
