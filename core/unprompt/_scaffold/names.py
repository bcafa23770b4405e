"""The names of a new package, all made from the one that the author typed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from unprompt._config.models import RESERVED
from unprompt._files.paths import shown
from unprompt._registry.claims import Claim
from unprompt._registry.verify import name_faults
from unprompt.errors import DataError

PREFIX = "unprompt-"
_LONGEST = 50  # generated lines stay within 100 columns
_VALID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Names:
    """What a new package calls things.

    Attributes:
        folder: The package's folder, as it was typed.
        plugin: The plugin's name in YAML, which is its entry point's.
        project: The distribution, which pip installs.
        module: The package that Python imports.
    """

    folder: str
    plugin: str
    project: str
    module: str


def names_of(text: str, claims: Iterable[Claim]) -> Names:
    """The names for what was typed: ``demo`` and ``unprompt-demo`` are the plugin ``demo``.

    Args:
        text: What was typed.
        claims: The plugins that are installed.

    Raises:
        DataError: It cannot be the name of a plugin and of a distribution, or is taken.
    """
    plugin = text.removeprefix(PREFIX)
    if not _VALID.fullmatch(plugin):
        raise DataError(
            f"{shown(text)!r} cannot be the name of a plugin: use letters, digits, - and _, with a "
            "letter or digit at both ends"
        )
    if fault := next(name_faults(plugin), None):
        raise DataError(f"{plugin!r} cannot be the name of a plugin: {fault}")
    if len(plugin) > _LONGEST:
        raise DataError(f"the name of a plugin has at most {_LONGEST} letters, got {len(plugin)}")
    if plugin in RESERVED:
        raise DataError(f"a plugin cannot be named {plugin!r}: tables use that name themselves")
    # One spelling, as pip takes a_b, a-b and A-B for the same distribution.
    project = PREFIX + re.sub(r"[-_]+", "-", plugin).lower()
    names = Names(text, plugin, project, project.replace("-", "_"))
    for claim in claims:
        if claim.name == plugin or claim.module.partition(".")[0] == names.module:
            raise DataError(
                f"the name {plugin!r} is taken by {claim.label}, which is installed: choose another"
            )
    return names
