"""Importing plugins and calling their hooks, one plugin at a time, so that errors have an owner."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Literal, NamedTuple, TypeAlias

import pluggy
from pydantic import BaseModel

from unprompt._config.check import did_you_mean
from unprompt._registry.boundary import Guarded, broken, calling, loading
from unprompt._registry.claims import Claim
from unprompt._registry.handed import handed
from unprompt._registry.returned import check_ran
from unprompt._registry.wording import one_line, what_is
from unprompt.contracts import Dataset, Observer, Predictor, TextEncoder, hookspecs
from unprompt.contracts.specs import DatasetSpec, ObserverSpec, PredictorSpec, TextEncoderSpec
from unprompt.errors import PluginError, named

Kind: TypeAlias = Literal["predictor", "dataset", "text_encoder", "observer"]
Spec: TypeAlias = PredictorSpec | DatasetSpec | TextEncoderSpec | ObserverSpec

KINDS: dict[type[Spec], Kind] = {
    PredictorSpec: "predictor",
    DatasetSpec: "dataset",
    TextEncoderSpec: "text_encoder",
    ObserverSpec: "observer",
}
"""Each type of spec with its kind; the hook that offers one is ``unprompt_<kind>``."""


class Contract(NamedTuple):
    """What the target of a spec is.

    Attributes:
        base: The class that it derives from.
        arguments: What it is called with.
    """

    base: type
    arguments: tuple[str, ...]


CONTRACTS: dict[type[Spec], Contract] = {
    PredictorSpec: Contract(Predictor, ("options", "runtime")),
    DatasetSpec: Contract(Dataset, ("options",)),
    TextEncoderSpec: Contract(TextEncoder, ("options", "runtime")),
    ObserverSpec: Contract(Observer, ("options",)),
}


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
        given = {name: handed(value) for name, value in arguments.items()}
        with loading(claim, f": {hook} raised ", call=hook):
            results = caller(**given)
        try:
            check_ran(results[0] if results else None)
        except PluginError as error:
            raise broken(claim, f": {hook} {error}") from error
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
        if why := _fault(spec, kind, claim):
            raise broken(claim, f": {hook} {why}")
        assert isinstance(spec, kind)  # there would be a fault
        return spec

    def lack(self, claim: Claim, kind: type[Spec]) -> PluginError:
        """The error that a plugin offers no spec of one kind."""
        line = f" offers no {KINDS[kind].replace('_', ' ')}"
        line += ", and no lifecycle hook" * (kind is ObserverSpec)
        if not self.names(claim) or self.unmarked(claim):
            line += f": {self.unmarked(claim) or 'it implements no hook'}"
        return broken(claim, line)

    def unmarked(self, claim: Claim) -> str:
        """Names the functions of a plugin that have a hook's name, and are not marked as one."""
        names = {name for name in vars(self._load(claim)) if hasattr(hookspecs, name)}
        known = {name for name in names if name.startswith("unprompt_")} - self.names(claim)
        first = min(known, default=None)
        return f"{first} is not marked with unprompt.hookimpl" if first else ""

    def is_loaded(self, claim: Claim) -> bool:
        """Whether the plugin's module has been imported, and its hooks fit."""
        return claim in self._modules

    def build(self, claim: Claim, spec: Spec, *arguments: Any) -> Any:
        """Import the spec's target and call it with ``arguments``.

        Returns:
            What the plugin built; each call of its methods is inside `boundary.calling`.

        Raises:
            PluginError: The target cannot be imported, does not exist, or builds something else
                than its contract says.
        """
        target, base = self.target(claim, spec), CONTRACTS[type(spec)].base
        with calling(claim, spec.target):
            built = target(*arguments)
            if not isinstance(built, base):
                raise PluginError(f"gave {what_is(built)}, not a {base.__name__}")
        return Guarded(built, claim)

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
        with loading(claim, ": "):
            fault = next(self._faults(module), None)
        if fault:
            raise broken(claim, f": {fault}")
        name = claim.importable  # two claims may be of one module, which is registered once
        if not self._manager.has_plugin(name):
            try:
                with loading(claim, ": "):
                    self._manager.register(module, name=name)
            except PluginError:
                if self._manager.has_plugin(name):
                    self._manager.unregister(name=name)
                raise
        self._modules[claim] = module
        return module

    def _faults(self, module: ModuleType) -> Iterator[str]:
        """What is wrong with the implementations of hooks in a module."""
        known = [name for name in vars(hookspecs) if name.startswith("unprompt_")]
        for name, function in vars(module).items():
            marked = self._manager.parse_hookimpl_opts(module, name)
            if not marked:
                continue
            hook = marked.get("specname") or name
            if hook not in known:
                yield f"there is no hook {hook!r}{did_you_mean(hook, known)}"
                continue
            has = inspect.signature(getattr(hookspecs, hook)).parameters
            takes = inspect.signature(function).parameters.values()
            other = [p.name for p in takes if p.name not in has and _is_needed(p)]
            if other:
                yield f"{hook} takes {named(other)}, which that hook does not have"


def _is_needed(parameter: inspect.Parameter) -> bool:
    """Whether a function cannot be called without it."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return False
    return parameter.default is parameter.empty


def _fault(spec: object, kind: type[Spec], claim: Claim) -> str | None:
    """What is wrong with a spec, behind the name of the hook that gave it; None: nothing."""
    if not isinstance(spec, kind):
        return f"gave {what_is(spec)}, not a {kind.__name__}"
    if spec.name != claim.name:
        source = "file" if claim.path else "entry point"
        return f"gave a spec named {one_line(spec.name)}, but its {source} is named {claim.name!r}"
    if not isinstance(spec.options, type) or not issubclass(spec.options, BaseModel):
        return f"gave {what_is(spec.options)} as options, not a model of pydantic"
    if not isinstance(spec.target, str):
        return f"gave {what_is(spec.target)} as target, not text"
    if not isinstance(spec.summary, str):
        return f"gave {what_is(spec.summary)} as summary, not text"
    if isinstance(spec, PredictorSpec) and not isinstance(spec.reads, bool):
        return f"gave {what_is(spec.reads)} as reads, not True or False"
    if not isinstance(spec.extra, str | None):
        return f"gave {what_is(spec.extra)} as extra, not text"
    return None
