"""Folders of single-file plugins, without packaging: ``UNPROMPT_PLUGINS_DIR``.

Each ``name.py``, and each package ``name/__init__.py``, is a plugin that is called as its file is,
with dashes for underscores. Names that begin with an underscore or a dot, and tests (``test_*.py``,
``conftest.py``), are none. A module is imported under a private name, which holds a hash of its
path: two folders, or a folder and an installed library, may have files of one name. In the target
of its spec it is named as its file is. A package imports its own modules relatively; a single file
imports nothing beside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from unprompt._files.paths import absolute, reason, shown, user_path
from unprompt.errors import ConfigError, DataError

VARIABLE = "UNPROMPT_PLUGINS_DIR"
"""Folders, separated as those of PATH are. Processes that a command starts have it, too."""

OPTION = "--plugins-dir"

FILE = "file"
"""What stands for a distribution: ``plugin: file:name``."""

_PREFIX = "_unprompt_file_"
_INIT = "__init__.py"


def plugin_files() -> list[Path]:
    """The file of each plugin in the folders of `VARIABLE`: absolute, in their order.

    Raises:
        ConfigError: A folder cannot be read.
    """
    folders = [_absolute(name) for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    return [file for folder in dict.fromkeys(folders) for file in _plugins_in(folder, VARIABLE)]


@contextmanager
def plugins_from(folders: Sequence[Path]) -> Iterator[None]:
    """Have `VARIABLE` name other folders; it is as it was after the block.

    Args:
        folders: As `OPTION` names them; with none, nothing is changed.

    Raises:
        ConfigError: A folder cannot be read, or its name cannot be in the variable.
    """
    if not folders:
        yield
        return
    before, names = os.environ.get(VARIABLE), [str(absolute(folder)) for folder in folders]
    for name in names:
        _plugins_in(Path(name), OPTION)
        if os.pathsep in name:
            what = f"a folder of plugins cannot have {os.pathsep!r} in its name"
            raise ConfigError(f"{OPTION}: {shown(name)}: {what}")
    os.environ[VARIABLE] = os.pathsep.join(names)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def stem_of(path: Path) -> str:
    """How a plugin's file is called: that of a package as its folder."""
    return path.parent.name if path.name == _INIT else path.stem


def private_module(path: Path) -> str:
    """The name under which a plugin's file is imported."""
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    readable = re.sub(r"\W", "_", stem_of(path))  # of tracebacks
    return f"{_PREFIX}{digest}_{readable}"


def _absolute(name: str) -> Path:
    try:
        return absolute(user_path(name))
    except DataError as error:
        raise ConfigError([f"{VARIABLE}: {line}" for line in error.problems]) from error


def _plugins_in(folder: Path, named_by: str) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"{named_by}: {shown(folder)}: {reason(error)}") from error
    files = [entry if entry.suffix == ".py" else entry / _INIT for entry in entries]
    return [file for entry, file in zip(entries, files, strict=True) if _is_plugin(entry, file)]


def _is_plugin(entry: Path, file: Path) -> bool:
    aside = entry.name.startswith(("_", ".", "test_")) or entry.name == "conftest.py"
    return not aside and file.is_file()


class _Finder:
    """Finds plugins' files under their private names, also for objects that are unpickled."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As a finder of ``sys.meta_path`` does."""
        if not name.startswith(_PREFIX) or "." in name:  # a package's own modules have its path
            return None
        for file in plugin_files():
            if private_module(file) == name:
                return importlib.util.spec_from_file_location(name, file)
        return None


sys.meta_path.append(_Finder)
