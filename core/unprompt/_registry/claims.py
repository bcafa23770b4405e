"""Which plugin names there are, and who offers them: installed packages, and files in folders."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from unprompt._config.reference import normalised
from unprompt._registry.folders import FILE, plugin_files, private_module, stem_of
from unprompt.contracts import hookspecs


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
    # entry_points() sees what Python imports: of one distribution only the first on the path.
    points = importlib.metadata.entry_points(group=hookspecs.GROUP)
    owners = {id(point.dist): point.dist for point in points if point.dist}
    known = {key: _name_and_version(owner) for key, owner in owners.items()}
    claims = {
        Claim(point.name, point.value, *known[id(point.dist)]) for point in points if point.dist
    }
    claims |= set(map(_file_claim, plugin_files()))
    return tuple(sorted(claims, key=lambda claim: (claim.name, claim.reference, claim.path)))


def _name_and_version(owner: importlib.metadata.Distribution) -> tuple[str, str]:
    try:
        metadata = owner.metadata  # parsed whenever it is asked for
        name, version = metadata["Name"], metadata["Version"]
    except Exception:  # noqa: BLE001  # no METADATA, or not text: parsed without checks
        name, version = str(owner.locate_file("")), "?"
    return name or "?", version or "?"


def _file_claim(path: Path) -> Claim:
    stem = stem_of(path)
    return Claim(stem.replace("_", "-"), stem.replace("-", "_"), FILE, "", str(path))
