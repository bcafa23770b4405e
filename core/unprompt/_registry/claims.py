"""The entry points of installed packages: which plugin names there are, and who offers them."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass

from unprompt.contracts import hookspecs


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry point of the group ``unprompt``.

    Attributes:
        name: The plugin's name in YAML.
        module: The plugin's module.
        distribution: The installed package that offers it.
        version: That package's version.
    """

    name: str
    module: str
    distribution: str
    version: str

    @property
    def owner(self) -> str:
        """``distribution version``, as errors name it."""
        return f"{self.distribution} {self.version}"

    @property
    def label(self) -> str:
        """``plugin 'name' (from distribution version)``, as error lines begin."""
        return f"plugin {self.name!r} (from {self.owner})"


def installed_claims() -> tuple[Claim, ...]:
    """Every entry point of the group, sorted by name; imports none of them.

    Where two distributions claim one name, both claims are in the result.
    """
    # entry_points() sees what Python imports: of one distribution only the first on the path.
    points = importlib.metadata.entry_points(group=hookspecs.GROUP)
    claims = {_claim(point, point.dist) for point in points if point.dist}
    return tuple(sorted(claims, key=lambda claim: (claim.name, claim.distribution)))


def _claim(point: importlib.metadata.EntryPoint, owner: importlib.metadata.Distribution) -> Claim:
    try:
        name, version = owner.name, owner.version
    except Exception:  # noqa: BLE001  # no METADATA, or not text: parsed without checks
        name, version = str(owner.locate_file("")), "?"
    return Claim(point.name, point.value, name or "?", version or "?")
