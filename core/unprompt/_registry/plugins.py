"""The registry: find plugins by name, build what they offer, and call their lifecycle hooks.

Names come from package metadata, without importing anything. A plugin is imported when something
names it. One plugin's failure does not keep others from working, and every error says which
plugin and which distribution it belongs to.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

from unprompt._config.check import did_you_mean
from unprompt._files.hashing import content_hash, file_hash
from unprompt._registry.claims import Claim, installed_claims
from unprompt._registry.hooks import PluginHooks, Spec
from unprompt._registry.verify import Verified, verified
from unprompt.contracts.specs import DatasetSpec, PredictorSpec, TextEncoderSpec
from unprompt.errors import PluginError

S = TypeVar("S", PredictorSpec, DatasetSpec, TextEncoderSpec)


class Registry:
    """The plugins of this Python environment."""

    def __init__(self) -> None:
        """Set up an empty registry; entry points are read, and plugins imported, on first use."""
        self._hooks = PluginHooks()

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Every entry point of the group, sorted by name; see `installed_claims`."""
        return installed_claims()

    def claim(self, name: str) -> Claim:
        """The entry point called ``name``.

        Raises:
            PluginError: There is none (with suggestions), or two distributions have one.
        """
        claims = [claim for claim in self.claims if claim.name == name]
        if not claims:
            suggestion = did_you_mean(name, {claim.name for claim in self.claims})
            raise PluginError(f"unknown plugin {name!r}{suggestion or '; see `unprompt plugins`'}")
        if len(claims) > 1:
            owners = " and ".join(claim.owner for claim in claims)
            raise PluginError(f"plugin name {name!r} is claimed by {owners}; uninstall one")
        return claims[0]

    def spec(self, name: str, kind: type[S]) -> S:
        """The spec that plugin ``name`` offers; loads the plugin if it is not loaded yet.

        Raises:
            PluginError: The plugin is unknown, broken, or offers no spec of this kind.
        """
        claim = self.claim(name)
        spec = self._hooks.offer(claim, kind)
        if not isinstance(spec, kind):
            raise self._hooks.lack(claim, kind)
        return spec

    def build(self, spec: Spec, *arguments: Any) -> Any:
        """Import the spec's target and call it with ``arguments``.

        Returns:
            What the plugin built; each call of its methods is inside `boundary.calling`.

        Raises:
            PluginError: The target cannot be imported or does not exist.
        """
        return self._hooks.build(self.claim(spec.name), spec, *arguments)

    def notify(self, names: Sequence[str], hook: str, **arguments: Any) -> None:
        """Call a lifecycle hook of each named plugin, in that order, each plugin once.

        Raises:
            PluginError: A plugin's hook raised; the cause is kept.
        """
        for name in dict.fromkeys(names):
            self._hooks.call(self.claim(name), hook, **arguments)

    def source_hash(self, name: str) -> str:
        """A hash of the source of plugin and core, so that edited code reuses no old results."""
        return content_hash([_package_hash(self.claim(name).module), _package_hash(__name__)])

    def verified(self, claim: Claim) -> Verified:
        """Load a plugin and every target of it, heavy imports included; see `verify.verified`."""
        return verified(self._hooks, claim)


@cache
def _package_hash(module: str) -> str:
    """SHA-256 over the Python files of the package (or of the one module) that holds ``module``."""
    spec = importlib.util.find_spec(module.partition(".")[0])
    if spec is None:
        return ""
    folders = spec.submodule_search_locations
    files = (
        [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
        if folders
        else [Path(str(spec.origin))]
    )
    return content_hash([(path.name, file_hash(path)) for path in files])
