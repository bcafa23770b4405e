"""What a trial may choose, and what it is worth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unprompt._config.search import SearchConfig
from unprompt._search.objective import GramObjective
from unprompt.types import PlainData

if TYPE_CHECKING:
    import optuna

Choice = None | bool | int | float | str
"""What Optuna can store of a categorical parameter."""
Params = Mapping[str, Any]
"""A trial's, as Optuna gives them."""
LEAST = math.exp(-20.0)
"""The smallest parameter of a simplex weight: a weight of 20 before shares are taken."""


@dataclass(frozen=True, slots=True)
class Variants:
    """Searched options of a member, each with the values to choose from; there may be none."""

    values: Mapping[str, Sequence[PlainData]]

    def __len__(self) -> int:
        """How many variants of the member there are; 1 where nothing is searched."""
        return math.prod(len(choices) for choices in self.values.values())

    def options(self) -> list[dict[str, PlainData]]:
        """The chosen values of each variant, in the order of their numbers."""
        choices = itertools.product(*self.values.values())
        return [dict(zip(self.values, choice, strict=True)) for choice in choices]


@dataclass(frozen=True, slots=True)
class Point:
    """What one trial's parameters mean: a weight per member, and the number of its variant."""

    weights: tuple[float, ...]
    variants: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Weights and cheap options to search, with the held-out score of any choice.

    Every variant of every member is a row of one objective, so that a trial over options costs
    no more than one over weights.

    Attributes:
        objective: Over all V variants, member by member.
        members: M names.
        variants: What may vary of each member.
        config: The search block.
    """

    objective: GramObjective
    members: tuple[str, ...]
    variants: tuple[Variants, ...]
    config: SearchConfig

    def weight_range(self, member: str) -> tuple[float, float]:
        """Lowest and highest value of the parameter behind a member's weight."""
        if self.config.weights == "simplex":
            return LEAST, 1.0
        return self.config.weight_bounds(member)

    def value(self, trial: optuna.Trial) -> float:
        """The held-out score of what a trial suggests."""
        for name in self.members:
            trial.suggest_float(f"weight.{name}", *self.weight_range(name))
        for option, choices in self.choices().items():
            trial.suggest_categorical(option, choices)
        return self.score(self.point(trial.params))

    def point(self, params: Params) -> Point:
        """What parameters mean."""
        raw = [float(params[f"weight.{name}"]) for name in self.members]
        if self.config.weights == "simplex":
            raw = [max(0.0, -math.log(value)) for value in raw]
            total = sum(raw)
            raw = [value / total for value in raw] if total else raw
        numbers = [
            _number(name, variants, params)
            for name, variants in zip(self.members, self.variants, strict=True)
        ]
        return Point(tuple(raw), tuple(numbers))

    def params(self, weights: Sequence[float]) -> dict[str, Choice]:
        """Parameters for given weights (M,), every member as the ensemble says it."""
        params: dict[str, Choice] = {}
        for name, weight in zip(self.members, weights, strict=True):
            low, high = self.weight_range(name)
            scaled = weight / max(weights)
            raw = math.exp(-scaled) if self.config.weights == "simplex" else scaled
            params[f"weight.{name}"] = min(max(raw, low), high)
        return params | {option: choices[0] for option, choices in self.choices().items()}

    def score(self, point: Point) -> float:
        """Mean held-out cosine; -1 where all weights are 0, so that it can never be the best."""
        if not any(point.weights):
            return -1.0
        full = [0.0] * self.objective.member_count
        for column, weight in zip(self.columns(point), point.weights, strict=True):
            full[column] = weight
        return self.objective(full)

    def columns(self, point: Point) -> list[int]:
        """The objective's rows that a point uses, one per member."""
        starts = itertools.accumulate(map(len, self.variants), initial=0)
        return [start + number for start, number in zip(starts, point.variants, strict=False)]

    def objective_at(self, point: Point) -> GramObjective:
        """The objective over weights alone, with a point's variants."""
        return self.objective.subset(self.columns(point))

    def options_at(self, point: Point) -> tuple[dict[str, PlainData], ...]:
        """The options of each member that a point chooses; empty where none is searched."""
        chosen = zip(self.variants, point.variants, strict=True)
        return tuple(variants.options()[number] for variants, number in chosen)

    def choices(self) -> dict[str, list[Choice]]:
        """The values of each searched option, by ``<member>.<option>``, as Optuna stores them."""
        return {
            f"{name}.{option}": _plain(choices)
            for name, variants in zip(self.members, self.variants, strict=True)
            for option, choices in variants.values.items()
        }


def _number(member: str, variants: Variants, params: Params) -> int:
    """The variant that parameters choose."""
    number = 0
    for option, choices in variants.values.items():
        number = number * len(choices) + _plain(choices).index(params[f"{member}.{option}"])
    return number


def _plain(choices: Sequence[PlainData]) -> list[Choice]:
    """Choices as Optuna can store them: maps and lists as text."""
    return [
        choice if isinstance(choice, None | bool | int | float | str) else repr(choice)
        for choice in choices
    ]
