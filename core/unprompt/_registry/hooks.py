"""Importing plugins and calling their hooks, one plugin at a time, so that errors have an owner."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any, Literal, TypeAlias

import pluggy

from unprompt._registry.boundary import loading, one_line
from unprompt._registry.claims import Claim
from unprompt.contracts import hookspecs
from unprompt.contracts.specs import DatasetSpec, ObserverSpec, PredictorSpec, TextEncoderSpec
from unprompt.errors import PluginError

Kind: TypeAlias = Literal["predictor", "dataset", "text_encoder", "observer"]
Spec: TypeAlias = PredictorSpec | DatasetSpec | TextEncoderSpec | ObserverSpec

KINDS: dict[type[Spec], Kind] = {
    PredictorSpec: "predictor",
    DatasetSpec: "dataset",
    TextEncoderSpec: "text_encoder",
    ObserverSpec: "observer",
}
"""Each type of spec with its kind; the hook that offers one is ``unprompt_<kind>``."""


class PluginHooks:
    """The plugins' modules, each imported on the first call for it."""

    def __init__(self) -> None:
        """Register the hook specifications; imports no plugin."""
        self._manager = pluggy.PluginManager(hookspecs.GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._modules: dict[Claim, ModuleType] = {}

    def names(self, claim: Claim) -> set[str]:
        """The names of the hooks that a plugin implements.

        Raises:
            PluginError: The plugin fails to load.
        """
        return {caller.name for caller in self._manager.get_hookcallers(self._load(claim)) or []}

    def call(self, claim: Claim, hook: str, **arguments: Any) -> Any:
        """Call one hook of one plugin.

        Returns:
            What the hook returns; None where the plugin does not implement it.

        Raises:
            PluginError: The plugin fails to load, or its hook raised; the cause is kept.
        """
        module = self._load(claim)
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        caller = self._manager.subset_hook_caller(hook, remove_plugins=others)
        if not caller.get_hookimpls():
            return None
        with loading(claim, f": {hook} raised ", call=hook):
            results = caller(**arguments)
        return results[0] if results else None

    def offer(self, claim: Claim, kind: type[Spec]) -> Spec | None:
        """The spec of one kind that a plugin offers, or None.

        Raises:
            PluginError: The plugin fails to load, or its hook gives something else than a spec
                of this kind under the plugin's own name.
        """
        hook = f"unprompt_{KINDS[kind]}"
        spec = self.call(claim, hook)
        if spec is None:
            return None
        if not isinstance(spec, kind):
            raise PluginError(f"{claim.label}: {hook} gave {one_line(spec)}, not a {kind.__name__}")
        if spec.name != claim.name:
            raise PluginError(
                f"{claim.label}: its spec is named {one_line(spec.name)}, "
                f"but its {'file' if claim.path else 'entry point'} is named {claim.name!r}"
            )
        return spec

    def target(self, claim: Claim, spec: Spec) -> Any:
        """Import the class that a spec names.

        Raises:
            PluginError: It cannot be imported, or the module has no such name.
        """
        module, _, name = spec.target.partition(":")
        hint = f"; pip install {spec.extra!r}" if spec.extra else ""
        with loading(claim, f": {spec.target} failed to load: ", hint, call=f"import of {module}"):
            return getattr(importlib.import_module(claim.located(module)), name)

    def _load(self, claim: Claim) -> ModuleType:
        """The plugin's module, imported and registered."""
        if claim in self._modules:
            return self._modules[claim]
        with loading(claim, " failed to load: ", call="import"):
            module = importlib.import_module(claim.importable)
        name = claim.importable  # two claims may be of one module, which is registered once
        if not self._manager.has_plugin(name):
            try:
                with loading(claim, ": "):
                    self._manager.register(module, name=name)
                    self._manager.check_pending()
            except PluginError:
                if self._manager.has_plugin(name):
                    self._manager.unregister(name=name)
                raise
        self._modules[claim] = module
        return module
