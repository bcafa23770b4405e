"""Entry points of an environment in which some package's metadata is broken.

Python parses the entry points of all packages at once and without checks, so that one bad line of
one package is a traceback in whoever asks: we, but also pydantic, torch and triton while they are
imported.
"""

from __future__ import annotations

import importlib.metadata
import logging
from functools import cache
from importlib.metadata import Distribution, EntryPoints

log = logging.getLogger(__name__)


def skip_broken_metadata() -> None:
    """Where a package's entry points cannot be read, name it in a warning and take it to have none.

    Changes nothing where all can be read.
    """
    try:
        importlib.metadata.entry_points()
    except Exception:  # noqa: BLE001  # parsing text of anybody without checks: any error
        usual = Distribution.entry_points.fget  # type: ignore[attr-defined]  # a property

        def readable(distribution: Distribution) -> EntryPoints:
            try:
                points: EntryPoints = usual(distribution)
            except Exception as error:  # noqa: BLE001  # as above
                _warn(_name(distribution), " ".join(str(error).split()))
                return EntryPoints(())
            return points

        Distribution.entry_points = property(readable)  # type: ignore[assignment, method-assign]  # for every library that asks


@cache  # libraries ask again and again
def _warn(name: str, why: str) -> None:
    log.warning("%s: entry_points.txt cannot be read (%s), so its plugins are not known", name, why)


def _name(distribution: Distribution) -> str:
    """Its folder, which every installed package has; its name is in the metadata."""
    return f"package {getattr(distribution, '_path', None) or distribution.locate_file('')}"
