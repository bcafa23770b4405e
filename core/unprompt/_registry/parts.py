"""Plugins with checked options: a part, a member, an ensemble, an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from pydantic import BaseModel

from unprompt._config.models import ExperimentConfig
from unprompt._registry.hooks import Spec
from unprompt.types import Json


class PlainPart(TypedDict):
    """A part as YAML holds it."""

    plugin: str
    options: dict[str, Any]


class PlainMember(PlainPart):
    """A member as YAML holds it."""

    name: str
    weight: float
    artifact: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Part:
    """A plugin's spec and validated options: everything needed to build it."""

    spec: Spec
    options: BaseModel

    @property
    def plugin(self) -> str:
        """The plugin, as YAML writes it: ``name`` or ``distribution:name``."""
        return self.spec.name

    def plain(self) -> PlainPart:
        """As YAML holds it, with every default written out."""
        return {"plugin": self.plugin, "options": self.options.model_dump(mode="json")}


@dataclass(frozen=True, slots=True)
class Member:
    """One line of an ensemble, ready to be built.

    Attributes:
        name: Distinct in the ensemble.
        part: The predictor.
        weight: At least 0.
        artifact: The folder of what the member learned before; None: it is prepared in the run.
    """

    name: str
    part: Part
    weight: float
    artifact: Path | None = None

    def plain(self) -> PlainMember:
        """As YAML holds it, with every default written out."""
        part = self.part.plain()
        entry: PlainMember = {
            "name": self.name,
            "plugin": part["plugin"],
            "options": part["options"],
            "weight": self.weight,
        }
        if self.artifact:
            entry["artifact"] = str(self.artifact)
        return entry


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Ordered members and the space that they predict in."""

    name: str
    text_encoder: Part
    members: tuple[Member, ...]

    def plain(self) -> dict[str, Json]:
        """As YAML holds it, with every default written out."""
        return {
            "name": self.name,
            "text_encoder": self.text_encoder.plain(),
            "members": [member.plain() for member in self.members],
        }


@dataclass(frozen=True, slots=True)
class Experiment:
    """The configuration of one run.

    Attributes:
        config: What the YAML says, validated.
        dataset: The dataset's plugin and options.
        ensemble: The members.
        observers: In their order; the name of a plugin that has lifecycle hooks only, which take
            no options.
    """

    config: ExperimentConfig
    dataset: Part
    ensemble: Ensemble
    observers: tuple[Part | str, ...] = ()

    @property
    def plugins(self) -> tuple[str, ...]:
        """Every plugin that the experiment names, in order: their lifecycle hooks are called."""
        members = [member.part.plugin for member in self.ensemble.members]
        named = [self.dataset.plugin, self.ensemble.text_encoder.plugin, *members]
        observers = [part if isinstance(part, str) else part.plugin for part in self.observers]
        return tuple(dict.fromkeys([*named, *observers]))

    def plain(self) -> dict[str, Json]:
        """As YAML holds it, every default and absolute path written out, to repeat the run."""
        config = self.config.model_dump(mode="json")
        data = {**self.dataset.plain(), "split": config["data"]["split"]}
        observers: list[Json] = [
            part if isinstance(part, str) else dict(part.plain()) for part in self.observers
        ]
        own: dict[str, Json] = {"data": data, "ensemble": self.ensemble.plain()}
        return {**config, **own, "observers": observers}
