"""Find plugins, load the ones that are named, and keep one's failure from another's work.

Names come from package metadata, without importing anything. A plugin is imported when something
names it. Every error says which plugin and which distribution it belongs to.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import pluggy

from unprompt._config.check import did_you_mean
from unprompt._files.hashing import content_hash, file_hash
from unprompt.contracts import hookspecs
from unprompt.contracts.specs import DatasetSpec, PredictorSpec, TextEncoderSpec
from unprompt.errors import PluginError

Kind: TypeAlias = Literal["predictor", "dataset", "text_encoder"]
Spec: TypeAlias = PredictorSpec | DatasetSpec | TextEncoderSpec
S = TypeVar("S", PredictorSpec, DatasetSpec, TextEncoderSpec)

_SPECS: dict[type[Spec], tuple[Kind, str]] = {
    PredictorSpec: ("predictor", "a predictor"),
    DatasetSpec: ("dataset", "a dataset"),
    TextEncoderSpec: ("text_encoder", "a text encoder"),
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry point: who offers which name, and from where.

    Attributes:
        name: What YAML writes.
        module: The plugin's module.
        distribution: The installed package that brings it.
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


@dataclass(frozen=True, slots=True)
class Status:
    """What ``unprompt plugins --check`` found out about one claim.

    Attributes:
        claim: The entry point.
        offers: The kinds of parts that it offers, and ``observer`` for lifecycle hooks.
        summary: The first spec's summary.
        error: Why it cannot be used; None: everything loads.
    """

    claim: Claim
    offers: tuple[str, ...] = ()
    summary: str = ""
    error: str | None = None


class Registry:
    """The plugins of this Python environment."""

    def __init__(self) -> None:
        """Nothing is looked up or imported yet."""
        self._manager = pluggy.PluginManager(hookspecs.GROUP)
        self._manager.add_hookspecs(hookspecs)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Every entry point of the group, by name; two claims on one name are both here."""
        # entry_points() sees what Python imports: of one distribution only the first on the path.
        found = {
            Claim(point.name, point.value, point.dist.name, point.dist.version)
            for point in importlib.metadata.entry_points(group=hookspecs.GROUP)
            if point.dist
        }
        return tuple(sorted(found, key=lambda claim: (claim.name, claim.distribution)))

    def claim(self, name: str) -> Claim:
        """Who offers ``name``.

        Raises:
            PluginError: Nobody does (with suggestions), or two distributions do.
        """
        found = [claim for claim in self.claims if claim.name == name]
        if not found:
            near = did_you_mean(name, {claim.name for claim in self.claims})
            raise PluginError(f"unknown plugin {name!r}{near or '; see `unprompt plugins`'}")
        if len(found) > 1:
            owners = " and ".join(claim.owner for claim in found)
            raise PluginError(f"plugin name {name!r} is claimed by {owners}; uninstall one")
        return found[0]

    def spec(self, name: str, kind: type[S]) -> S:
        """The spec that plugin ``name`` offers, loading the plugin if need be.

        Raises:
            PluginError: The plugin is unknown, broken, or offers no such part.
        """
        spec = self._offer(self.claim(name), kind)
        if not isinstance(spec, kind):
            raise PluginError(f"plugin {name!r} offers no {_SPECS[kind][0].replace('_', ' ')}")
        return spec

    def build(self, spec: Spec, *arguments: Any) -> Any:
        """Import the spec's target and call it.

        Raises:
            PluginError: The target cannot be imported or is not there.
        """
        return self._target(self.claim(spec.name), spec)(*arguments)

    def notify(self, names: Sequence[str], hook: str, **arguments: Any) -> None:
        """Call a lifecycle hook of each named plugin, in that order.

        Raises:
            PluginError: A plugin's hook raised; the cause is kept.
        """
        for name in dict.fromkeys(names):
            self._call(self.claim(name), hook, **arguments)

    def source_hash(self, name: str) -> str:
        """A hash of the source of plugin and core: edited code reuses no old results."""
        return content_hash([_package_hash(self.claim(name).module), _package_hash(__name__)])

    def check(self) -> Iterator[Status]:
        """Load every plugin and every target, heavy imports included; failures are rows."""
        for claim in self.claims:
            try:
                yield self._status(claim)
            except PluginError as error:
                yield Status(claim, error=str(error))

    def _status(self, claim: Claim) -> Status:
        self.claim(claim.name)  # a name claimed twice
        module = self._load(claim)
        offers: list[str] = []
        summary = ""
        for kind, (word, _) in _SPECS.items():
            spec = self._offer(claim, kind)
            if spec is not None:
                self._target(claim, spec)
                offers.append(word)
                summary = summary or spec.summary
        hooks = {caller.name for caller in self._manager.get_hookcallers(module) or []}
        if any(hook.startswith(("unprompt_run_", "unprompt_member_")) for hook in hooks):
            offers.append("observer")
        return Status(claim, tuple(offers), summary)

    def _load(self, claim: Claim) -> Any:
        """The plugin's module, imported and registered."""
        known = self._manager.get_plugin(claim.name)
        if known is not None:
            return known
        try:
            module = importlib.import_module(claim.module)
        except Exception as error:  # a plugin may fail in any way while it is imported
            raise PluginError(
                f"plugin {claim.name!r} (from {claim.owner}) failed to load: {_told(error)}"
            ) from error
        try:
            self._manager.register(module, name=claim.name)
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            if self._manager.has_plugin(claim.name):
                self._manager.unregister(name=claim.name)
            raise PluginError(
                f"plugin {claim.name!r} (from {claim.owner}): {_told(error)}"
            ) from error
        return module

    def _offer(self, claim: Claim, kind: type[Spec]) -> Spec | None:
        word, article = _SPECS[kind]
        spec = self._call(claim, f"unprompt_{word}")
        if spec is None:
            return None
        owner = f"plugin {claim.name!r} (from {claim.owner})"
        if not isinstance(spec, kind):
            raise PluginError(f"{owner}: unprompt_{word} gave {spec!r}, not {article}'s spec")
        if spec.name != claim.name:
            raise PluginError(f"{owner}: its spec is called {spec.name!r}, its entry point is not")
        return spec

    def _call(self, claim: Claim, hook: str, **arguments: Any) -> Any:
        """What one plugin's hook answers, or None when it has none."""
        module = self._load(claim)
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        caller = self._manager.subset_hook_caller(hook, remove_plugins=others)
        try:
            answers = caller(**arguments)
        except Exception as error:  # a plugin's hook may raise anything
            raise PluginError(
                f"plugin {claim.name!r} (from {claim.owner}): {hook} raised {_told(error)}"
            ) from error
        return answers[0] if answers else None

    def _target(self, claim: Claim, spec: Spec) -> Any:
        """The class that a spec names."""
        module, _, name = spec.target.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except Exception as error:  # as in _load
            hint = f"; pip install {spec.extra!r}" if spec.extra else ""
            raise PluginError(
                f"plugin {claim.name!r} (from {claim.owner}): {spec.target} failed to load: "
                f"{_told(error)}{hint}"
            ) from error


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


def _told(error: BaseException) -> str:
    """An error on one line, with its type."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
