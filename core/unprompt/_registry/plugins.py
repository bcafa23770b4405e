"""The registry: find plugins by name, build what they offer, and call their lifecycle hooks.

Names come from package metadata, and from the names of files, without importing anything. A plugin
is imported when something names it. One plugin's failure does not keep others from working, and
every error says which plugin and which distribution it belongs to.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, cached_property
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from unprompt._config.reference import split_reference
from unprompt._files.hashing import content_hash, file_hash
from unprompt._registry.allowed import divided
from unprompt._registry.boundary import OWN
from unprompt._registry.claims import Claim, installed_claims
from unprompt._registry.hooks import PluginHooks, Spec
from unprompt._registry.lookup import find
from unprompt._registry.verify import Verified, verified
from unprompt.contracts.specs import DatasetSpec, ObserverSpec, PredictorSpec, TextEncoderSpec
from unprompt.errors import PluginError

S = TypeVar("S", PredictorSpec, DatasetSpec, TextEncoderSpec, ObserverSpec)

_CODE = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)
"""How the names of files end that Python imports."""

_LIFECYCLE = ("unprompt_run_", "unprompt_member_", "unprompt_training_")


class Registry:
    """The plugins of this Python environment."""

    def __init__(self) -> None:
        """Set up an empty registry; entry points are read, and plugins imported, on first use."""
        self._hooks = PluginHooks()

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The plugins that may be used, sorted by name; see `installed_claims`."""
        return self._divided[0]

    @cached_property
    def excluded(self) -> tuple[Claim, ...]:
        """The plugins that ``UNPROMPT_PLUGINS`` does not list, sorted by name."""
        return self._divided[1]

    @cached_property
    def _divided(self) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
        return divided(installed_claims())

    def claim(self, name: str) -> Claim:
        """The plugin that YAML calls ``name``, or ``distribution:name``.

        Raises:
            PluginError: There is none (with suggestions), it is excluded, or several have the
                name (with what to write).
        """
        return find(name, self.claims, self.excluded)

    def spec(self, name: str, kind: type[S]) -> S:
        """The spec that plugin ``name`` offers; loads the plugin if it is not loaded yet.

        Raises:
            PluginError: The plugin is unknown, broken, or offers no spec of this kind.
        """
        spec = self.offered(name, kind)
        if spec is None:
            raise self.lack(name, kind)
        return spec

    def offered(self, name: str, kind: type[S]) -> S | None:
        """As `spec`; None where the plugin offers none of this kind.

        Returns:
            The spec, named as YAML writes it: with its distribution where ``name`` has one, so
            that whoever builds it, repeats the run or loads what it learned means the same plugin.
        """
        spec = self._hooks.offer(self.claim(name), kind)
        if not isinstance(spec, kind):
            return None
        distribution, own = split_reference(name)
        return replace(spec, name=f"{distribution}:{own}") if distribution else spec

    def lack(self, name: str, kind: type[Spec]) -> PluginError:
        """The error that a plugin offers no spec of one kind."""
        return self._hooks.lack(self.claim(name), kind)

    def reference(self, claim: Claim) -> str:
        """What YAML writes for a claim: its distribution, too, where others have its name."""
        others = any(other.name == claim.name for other in self.claims if other != claim)
        return claim.reference if others else claim.name

    def own(self, name: str) -> str:
        """As `reference`, of a plugin of ours."""
        several = sum(claim.name == name for claim in self.claims) > 1
        return f"{OWN}:{name}" if several else name

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
        for claim in dict.fromkeys(map(self.claim, names)):
            self._hooks.call(claim, hook, **arguments)

    def follows_runs(self, name: str) -> bool:
        """Whether a plugin has lifecycle hooks.

        Raises:
            PluginError: It is unknown, or fails to load.
        """
        hooks = self._hooks.names(self.claim(name))
        return any(hook.startswith(_LIFECYCLE) for hook in hooks)

    def implements(self, name: str, hook: str) -> bool:
        """Whether a plugin implements a hook.

        Raises:
            PluginError: It is unknown, or fails to load.
        """
        return hook in self._hooks.names(self.claim(name))

    def source_hash(self, name: str, kind: type[Spec] = PredictorSpec) -> str:
        """A hash of the source of plugin and core, so that edited code reuses no old results.

        Args:
            name: The plugin.
            kind: Of the spec whose target's package is part of it: it may be another one.
        """
        return content_hash([*self._code(self.claim(name), kind), _package_hash(__name__)])

    def foreign_code(self, name: str, kind: type[Spec]) -> str:
        """A hash of the source of a plugin alone; empty for one of ours, which says what it is."""
        claim = self.claim(name)
        if claim.distribution == OWN:
            return ""
        return content_hash([claim.distribution, *self._code(claim, kind)])

    def _code(self, claim: Claim, kind: type[Spec]) -> list[str]:
        """Hashes of the packages that hold a plugin's module and the target of one spec."""
        spec = self._hooks.offer(claim, kind)
        target = claim.located(spec.target.partition(":")[0]) if spec else claim.importable
        modules = {module.partition(".")[0] for module in (claim.importable, target)}
        return [_package_hash(module) for module in sorted(modules)]

    def verified(self, claim: Claim) -> Verified:
        """Load a plugin and every target of it, heavy imports included; see `verify.verified`."""
        return verified(self._hooks, claim)


@cache
def _package_hash(module: str) -> str:
    """SHA-256 over the code of the package (or of the one module) that holds ``module``.

    Compiled modules are code, too; an editable install is found where its source is.
    """
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except ValueError:  # a module that took its own away
        return str(uuid4())  # reuses nothing
    if spec is None:
        return ""
    if not spec.submodule_search_locations:
        files = [Path(spec.origin)] if spec.has_location and spec.origin else []
    else:
        below = (Path(folder).rglob("*") for folder in spec.submodule_search_locations)
        # Editors leave links to nowhere, such as .#module.py, beside the files that they edit.
        files = [
            path
            for entries in below
            for path in sorted(entries)
            if path.name.endswith(_CODE) and path.is_file()
        ]
    return content_hash([(path.name, file_hash(path)) for path in files])
