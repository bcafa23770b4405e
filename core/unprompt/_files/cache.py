"""Where results are kept between runs: folders named by a hash of everything they depend on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unprompt._files.hashing import content_hash
from unprompt._files.writing import replacing_folder
from unprompt.types import Json

LAYOUT = 1
"""Raise when the content of a cached folder changes shape: old ones are then left alone."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of cached results; safe for several processes, because entries appear by rename.

    Attributes:
        root: The folder; made when first written to.
    """

    root: Path

    @classmethod
    def default(cls) -> Cache:
        """``$UNPROMPT_CACHE_DIR``, else ``$XDG_CACHE_HOME/unprompt``, else ``~/.cache/unprompt``."""
        named = os.environ.get("UNPROMPT_CACHE_DIR")
        if named:
            return cls(Path(named).expanduser().absolute())
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return cls(Path(base).expanduser().absolute() / "unprompt")

    def folder(self, kind: str, key: Json, make: Callable[[Path], None]) -> Path:
        """The folder that holds what ``make`` writes for ``key``, made now if it is not there.

        Args:
            kind: What is kept: ``texts``, ``artifacts``, ``predictions``.
            key: Plain data that names everything the content depends on.
            make: Fills an empty folder. When it raises, nothing is kept.

        Returns:
            A complete folder, not to be written to.
        """
        path = self.root / kind / content_hash([LAYOUT, key])
        if not path.is_dir():
            with replacing_folder(path, shared=True) as part:
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
