"""What can be found wrong with a plugin before it predicts anything."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from unprompt._config.base import NAME_PATTERN
from unprompt._config.source import parse
from unprompt._registry.boundary import calling
from unprompt._registry.claims import Claim
from unprompt._registry.hooks import CONTRACTS, KINDS, PluginHooks, Spec
from unprompt._registry.options import option_faults
from unprompt._registry.requirements import unmet_requirements
from unprompt._registry.returned import is_property, returns_nothing, role_of_class
from unprompt._registry.wording import one_line, what_is
from unprompt.errors import PluginError


@dataclass(frozen=True, slots=True)
class Verified:
    """What a plugin offers, and what is wrong with it.

    Attributes:
        offers: The kinds of specs that it offers, and ``observer`` for lifecycle hooks.
        summary: The first spec's summary.
        error: Everything that is wrong, on one line that names the plugin; None: nothing.
        cause: The error that ended the verification, if one did.
    """

    offers: tuple[str, ...] = ()
    summary: str = ""
    error: str | None = None
    cause: PluginError | None = None


def verified(hooks: PluginHooks, claim: Claim) -> Verified:
    """Load a plugin and every target of it, heavy imports included, and check them.

    Nothing is built and nothing predicted.
    """
    faults = [*name_faults(claim.name), *_requirement_faults(claim)]
    offers: list[str] = []
    summaries: list[str] = []
    causes: list[PluginError] = []
    for kind in KINDS:
        try:
            spec = hooks.offer(claim, kind)
            if spec is not None:
                offers.append(KINDS[kind])
                summaries.append(one_line(spec.summary, str))
                faults += _spec_faults(hooks, claim, spec)
        except PluginError as error:
            causes.append(error)
            faults.append(error.problems[0].removeprefix(claim.label).removeprefix(":").strip())
            if not hooks.is_loaded(claim):
                break
    else:
        observes = [hook for hook in hooks.names(claim) if hook not in _OFFERS]
        offers += ["observer"] * bool(observes and "observer" not in offers)
        unmarked = hooks.unmarked(claim)
        if unmarked:
            faults.append(unmarked)
        elif not hooks.names(claim):
            faults.append("implements no hook")
    line = _line(claim, faults) if faults else None
    return Verified(tuple(offers), "".join(summaries[:1]), line, next(iter(causes), None))


_OFFERS = {f"unprompt_{kind}" for kind in KINDS.values()}


def _line(claim: Claim, faults: list[str]) -> str:
    start = "" if faults[0].startswith(("failed to load", "implements no")) else ":"
    return f"{claim.label}{start} {'; '.join(faults)}"


def _requirement_faults(claim: Claim) -> Iterator[str]:
    """What its distribution needs and does not get; a file has none."""
    return iter(()) if claim.path else unmet_requirements(claim.distribution)


def name_faults(name: str) -> Iterator[str]:
    """Why a name cannot be written in YAML and ``--set`` as it is."""
    data = parse(f"plugin: {name}\n", "name").data
    if not re.match(NAME_PATTERN, name):
        yield f"its name {name!r} should be letters, digits, '-' and '_' only"
    elif not isinstance(data, dict) or data.get("plugin") != name:
        yield f"its name {name!r} is no text in YAML"
    elif name.isdigit():
        yield f"its name {name!r} is a position in --set"


def _spec_faults(hooks: PluginHooks, claim: Claim, spec: Spec) -> Iterator[str]:
    """What is wrong with a spec, its options and its target."""
    if not spec.summary.strip() or not spec.summary.isprintable():
        yield f"its summary is not one line of text: {one_line(spec.summary, longest=60)}"
    with calling(claim, "options"):
        faults = list(option_faults(spec.options))
    yield from (f"options: {fault}" for fault in faults)
    target = hooks.target(claim, spec)
    with calling(claim, spec.target):
        faults = list(_target_faults(spec, target))
    yield from (f"{spec.target} {fault}" for fault in faults)


def _target_faults(spec: Spec, target: Any) -> Iterator[str]:
    base, arguments = CONTRACTS[type(spec)]
    if not isinstance(target, type):
        yield f"is {what_is(target)}, not a class"
        return
    if not issubclass(target, base):
        yield f"is no subclass of unprompt.{base.__name__}"
        return
    if abstract := sorted(getattr(target, "__abstractmethods__", ())):
        yield f"lacks {', '.join(abstract)}"
    if not _takes(target, *arguments):
        yield f"does not take ({', '.join(arguments)})"
    role = role_of_class(target)
    for owner in target.__mro__:
        if owner.__module__.startswith("unprompt.contracts"):
            for name, declared in vars(owner).items():
                if not name.startswith("_"):
                    yield from _method_faults(role, target, name, declared)


def _method_faults(role: str, target: type, name: str, declared: Any) -> Iterator[str]:
    """What is wrong with a method that takes the place of a contract's."""
    own = inspect.getattr_static(target, name)
    if own is declared:
        return
    if is_property(role, name):
        if isinstance(own, FunctionType):
            yield f"has {name} as a method, not as a property"
        return
    if not isinstance(declared, FunctionType):
        return
    method = getattr(target, name)
    if not callable(method):
        yield f"has {what_is(method)} as {name}, not a method"
        return
    arguments = list(inspect.signature(declared).parameters)[1:]
    receiver = ["self"] if isinstance(own, FunctionType) else []
    if not _takes(method, *receiver, *arguments):
        yield f"has a method {name} that does not take ({', '.join(arguments)})"
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        yield f"has an async method {name}"
    elif returns_nothing(role, name) and inspect.isgeneratorfunction(method):
        yield f"has a generator as {name}, whose code would not run"


def _takes(function: Any, *arguments: object) -> bool:
    """Whether a function can be called with arguments by position."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some that are written in C have none
        return True
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True
