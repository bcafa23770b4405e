"""The options that a search chooses from, checked where the YAML file is read."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from typing import Any, TypeAlias

from pydantic import BaseModel

from unprompt._config.check import did_you_mean, validate
from unprompt._config.options import variant_with, with_changes
from unprompt._config.search import SearchConfig
from unprompt._config.source import Key, Source
from unprompt._registry.boundary import calling
from unprompt._registry.parts import Ensemble, Member, Part
from unprompt._registry.plugins import Registry
from unprompt.contracts import Predictor, Runtime
from unprompt.errors import ConfigError, UnpromptError

Guard: TypeAlias = Callable[[], AbstractContextManager[None]]
"""`calling` for the plugin whose options are checked: their validators are its code."""

MOST_VARIANTS = 1000
"""Of all members together: each is a row of predictions for every image of the holdout."""
MOST_POINTS = 100_000
"""Of the smallest grid; Optuna makes all of them before the first trial."""


def check_search(
    source: Source, search: SearchConfig, ensemble: Ensemble, registry: Registry
) -> None:
    """Note what is wrong in the search block of an experiment: nothing is predicted before."""
    _check_reading(source, search, ensemble)
    members = {member.name: member for member in ensemble.members}
    for block in ("bounds", "space"):
        for name in getattr(search, block):
            if name not in members:
                suggestion = did_you_mean(name, members)
                source.problem(("search", block, name), f"is no member of the ensemble{suggestion}")
    space = {name: options for name, options in search.space.items() if name in members}
    if _is_small(source, search, space, len(members)):
        for name, options in space.items():
            before = len(source.problems)
            member = members[name]
            guard = partial(calling, registry.claim(member.part.spec.name), "options")
            _check_values(source, member, options, guard)
            if len(source.problems) == before:
                _check_together(source, member, options, registry, guard)


def _check_reading(source: Source, search: SearchConfig, ensemble: Ensemble) -> None:
    """Note where members that read prompts from files leave nothing to search."""
    if search.include_reading:
        return
    reading = [member.name for member in ensemble.members if member.reads]
    wanted = "set search.include_reading to true to let it take part"
    if len(reading) == len(ensemble.members):
        what = f"only members that read prompts from files: nothing is predicted; {wanted}"
        source.problem(("ensemble", "members"), what)
    for block in ("bounds", "space"):
        for name in reading:
            if name in getattr(search, block):
                what = f"reads prompts from files, so its weight is 0; {wanted}"
                source.problem(("search", block, name), what)


def _is_small(
    source: Source,
    search: SearchConfig,
    space: Mapping[str, Mapping[str, Sequence[object]]],
    members: int,
) -> bool:
    """Whether all variants can be predicted, and a grid of them be made; notes it where not."""
    variants = {name: math.prod(map(len, options.values())) for name, options in space.items()}
    total = sum(variants.values())
    if total > MOST_VARIANTS:
        largest = max(variants, key=lambda name: variants[name])
        what = f"has {variants[largest]} combinations of values, and all members may have"
        source.problem(("search", "space", largest), f"{what} {MOST_VARIANTS} together")
        return False
    points = 2**members * math.prod(variants.values())
    if search.sampler == "grid" and points > MOST_POINTS:
        what = f"a grid of at least 2 weights for each member has {points} points here, more than"
        source.problem(("search", "sampler"), f"{what} {MOST_POINTS}: take another sampler")
        return False
    return True


def _check_values(
    source: Source, member: Member, options: Mapping[str, Sequence[object]], guard: Guard
) -> None:
    """Note values that the member's options cannot have, each by itself."""
    for option, values in options.items():
        key: Key = ("search", "space", member.name, option)
        around = [other for other in options if option.startswith(f"{other}.")]
        if around:
            source.problem(key, f"is a part of {around[0]!r}, which is searched, too")
        for i, value in enumerate(values):
            if value in values[:i]:  # 1, 1.0 and true are one value for a study
                source.problem((*key, i), f"is there twice: {value!r}")
            elif isinstance(value, float) and not math.isfinite(value):
                source.problem((*key, i), f"should be a finite number, got {value!r}")
            else:
                with guard():
                    changed = variant_with(member.part.options, options, option, value)
                    mistakes = _mistakes(source, member.part, changed)
                _note(source, (*key, i), option, mistakes)


def _check_together(
    source: Source,
    member: Member,
    options: Mapping[str, Sequence[Any]],
    registry: Registry,
    guard: Guard,
) -> None:
    """Note options that the family cannot change, and the first combination that cannot be."""
    key: Key = ("search", "space", member.name)
    part, read = member.part, member.part.spec.options.model_validate
    try:
        predictor: Predictor = registry.build(part.spec, part.options, Runtime())
    except UnpromptError:
        return  # whoever uses the ensemble is told
    with closing(predictor):
        for option, values in options.items():
            with guard():
                alone = [read(variant_with(part.options, options, option, v)) for v in values]
            if why := _refusal(predictor, alone):
                source.problem((*key, option), why)
                return
        for chosen in itertools.product(*options.values()):
            choice = dict(zip(options, chosen, strict=True))
            with guard():
                plain = with_changes(part.options, choice)
                mistakes = [f"{path}: {what}" for path, what in _mistakes(source, part, plain)]
                changed = [] if mistakes else [read(plain)]
            why = mistakes[0] if mistakes else _refusal(predictor, changed)
            if why:
                together = ", ".join(f"{option} {value}" for option, value in choice.items())
                source.problem(key, f"with {together}: {why}")
                return


def _refusal(predictor: Predictor, variants: Sequence[BaseModel]) -> str | None:
    """Why a family cannot predict variants; None where it can."""
    try:
        predictor.check_variants(variants)
    except ConfigError as error:
        return error.problems[0]
    return None


def _mistakes(source: Source, part: Part, plain: Mapping[str, object]) -> list[tuple[str, str]]:
    """What is wrong with options: the path of each mistake, and what it is."""
    folder = {source.position(()).file: source.folder(())}
    scratch = Source(dict(plain), {(): source.position(())}, folders=folder)
    validate(scratch, part.spec.options, (), scratch.data)
    return [(".".join(map(str, problem.key)), problem.what) for problem in scratch.problems]


def _note(source: Source, key: Key, option: str, mistakes: Sequence[tuple[str, str]]) -> None:
    """Note mistakes at a value; the option's own path, which the key has, is not repeated."""
    for path, what in mistakes:
        inner = "" if path == option else path.removeprefix(f"{option}.")
        source.problem(key, f"{inner}: {what}" if inner else what)
