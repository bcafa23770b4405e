"""Which plugin names there are, and who offers them: installed packages, and files in folders."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from unprompt._config.reference import normalised
from unprompt._registry.folders import FILE, plugin_files, private_module, stem_of
from unprompt._registry.wording import described, one_line
from unprompt.contracts import hookspecs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry point of the group ``unprompt``, or one file of a folder of plugins.

    Attributes:
        name: The plugin's name in YAML.
        module: The plugin's module, as the target of its spec names it.
        distribution: The installed package that offers it; `FILE` for a file.
        version: That package's version; empty for a file.
        path: The file; empty for an installed package.
    """

    name: str
    module: str
    distribution: str
    version: str
    path: str = ""

    @property
    def owner(self) -> str:
        """``distribution version``, or ``file PATH``, as listings name it."""
        return f"file {self.path}" if self.path else f"{self.distribution} {self.version}"

    @property
    def label(self) -> str:
        """``plugin 'name' (from distribution version)``, as error lines begin."""
        return f"plugin {self.name!r} (from {self.path or self.owner})"

    @property
    def reference(self) -> str:
        """``distribution:name``, which names this claim also where others have the name, too."""
        return f"{normalised(self.distribution)}:{self.name}"

    @property
    def importable(self) -> str:
        """The plugin's module, as Python imports it."""
        return private_module(Path(self.path)) if self.path else self.module

    def located(self, module: str) -> str:
        """A module as Python imports it, where the plugin's own spec names it ``module``."""
        package, dot, rest = module.partition(".")
        own = self.path and package == self.module
        return f"{self.importable}{dot}{rest}" if own else module


def installed_claims() -> tuple[Claim, ...]:
    """Every entry point of the group, and every file of `plugin_files`; imports none of them.

    Where several offer one name, all are in the result.

    Returns:
        Sorted by name.

    Raises:
        ConfigError: A folder of ``UNPROMPT_PLUGINS_DIR`` cannot be read.
    """
    points = list(_entry_points())
    owners = {id(point.dist): point.dist for point in points if point.dist}
    known = {key: _name_and_version(owner) for key, owner in owners.items()}
    claims = {
        Claim(point.name, point.value, *known[id(point.dist)]) for point in points if point.dist
    }
    claims |= set(map(_file_claim, plugin_files()))
    return tuple(sorted(claims, key=lambda claim: (claim.name, claim.reference, claim.path)))


def _entry_points() -> Iterator[importlib.metadata.EntryPoint]:
    """The entry points of what Python imports: of one distribution only the first on the path."""
    try:
        yield from importlib.metadata.entry_points(group=hookspecs.GROUP)
    except Exception:  # noqa: BLE001  # Python reads those of all distributions, or of none
        seen = set[str]()
        for owner in importlib.metadata.distributions():
            name, _ = _name_and_version(owner)
            if normalised(name) not in seen:
                seen.add(normalised(name))
                yield from _own_entry_points(owner)


def _own_entry_points(
    owner: importlib.metadata.Distribution,
) -> list[importlib.metadata.EntryPoint]:
    """Those of one distribution; none, with a warning, where its file of them is broken."""
    try:
        return [point for point in owner.entry_points if point.group == hookspecs.GROUP]
    except Exception as error:  # noqa: BLE001  # parsed without checks
        _warn(" ".join(_name_and_version(owner)), described(error))
        return []


@cache  # a command may ask more than once
def _warn(owner: str, why: str) -> None:
    log.warning("%s: its entry points cannot be read, so its plugins are missing: %s", owner, why)


def _name_and_version(owner: importlib.metadata.Distribution) -> tuple[str, str]:
    """As its METADATA says, else as its folder is called."""
    name = version = ""
    with suppress(Exception):  # no METADATA, or not text: parsed without checks
        metadata = owner.metadata  # parsed whenever it is asked for
        name, version = metadata["Name"], metadata["Version"]
    folder = Path(str(getattr(owner, "_path", "")))
    parts = [*folder.stem.split("-"), "", ""]
    return one_line(name or parts[0] or "?", str), one_line(version or parts[1] or "?", str)


def _file_claim(path: Path) -> Claim:
    stem = stem_of(path)
    return Claim(stem.replace("_", "-"), stem.replace("-", "_"), FILE, "", str(path))
