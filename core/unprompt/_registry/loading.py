"""From YAML to an ensemble or an experiment whose plugins and options are known to be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from unprompt._config.check import did_you_mean, finish, validate
from unprompt._config.compose import compose
from unprompt._config.models import EnsembleConfig, ExperimentConfig, MemberConfig
from unprompt._config.options import variant_with
from unprompt._config.search import SearchConfig
from unprompt._config.source import Key, Source
from unprompt._registry.plugins import Registry, Spec
from unprompt.contracts.specs import DatasetSpec, PredictorSpec, TextEncoderSpec
from unprompt.errors import PluginError
from unprompt.types import Json

S = TypeVar("S", PredictorSpec, DatasetSpec, TextEncoderSpec)

TEXT_ENCODER: str = EnsembleConfig.model_fields["text_encoder"].default.plugin
"""The text encoder of an ensemble that names none."""


@dataclass(frozen=True, slots=True)
class Part:
    """A plugin's spec and validated options: everything needed to build it."""

    spec: Spec
    options: BaseModel

    @property
    def plugin(self) -> str:
        """The plugin's name."""
        return self.spec.name

    def plain(self) -> dict[str, Json]:
        """As YAML would write it, every default spelled out."""
        return {"plugin": self.plugin, "options": self.options.model_dump(mode="json")}


@dataclass(frozen=True, slots=True)
class Member:
    """One line of an ensemble, ready to be built.

    Attributes:
        name: Distinct in the ensemble.
        part: The predictor.
        weight: At least 0.
        artifact: What the member prepared before, if anything.
    """

    name: str
    part: Part
    weight: float
    artifact: Path | None = None

    def plain(self) -> dict[str, Json]:
        """As YAML would write it."""
        entry = {"name": self.name, **self.part.plain(), "weight": self.weight}
        return entry | ({"artifact": str(self.artifact)} if self.artifact else {})


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Ordered members and the space that they predict in."""

    name: str
    text_encoder: Part
    members: tuple[Member, ...]

    def plain(self) -> dict[str, Json]:
        """As YAML would write it."""
        return {
            "name": self.name,
            "text_encoder": self.text_encoder.plain(),
            "members": [member.plain() for member in self.members],
        }


@dataclass(frozen=True, slots=True)
class Experiment:
    """One run's worth of configuration.

    Attributes:
        config: What the YAML says, validated.
        dataset: The dataset's plugin and options.
        ensemble: The members.
    """

    config: ExperimentConfig
    dataset: Part
    ensemble: Ensemble

    @property
    def plugins(self) -> tuple[str, ...]:
        """Every plugin that the experiment names, in order: who gets lifecycle hooks."""
        members = [member.part.plugin for member in self.ensemble.members]
        named = [self.dataset.plugin, self.ensemble.text_encoder.plugin, *members]
        return tuple(dict.fromkeys([*named, *self.config.observers]))

    def plain(self) -> dict[str, Json]:
        """As YAML would write it, every default spelled out: it repeats the run anywhere."""
        config = self.config.model_dump(mode="json")
        split = {"split": config["data"]["split"]}
        parts = {"data": self.dataset.plain() | split, "ensemble": self.ensemble.plain()}
        return config | parts


def load_experiment(path: Path, registry: Registry, overrides: Sequence[str] = ()) -> Experiment:
    """Read and check an experiment.

    Raises:
        ConfigError: With one line for each mistake in the file and what it includes.
    """
    source = _composed(path, overrides)
    config = validate(source, ExperimentConfig)
    dataset = part_at(source, ("data",), registry, DatasetSpec)
    ensemble = _ensemble(source, ("ensemble",), registry, config.ensemble if config else None)
    if config and ensemble:
        _check_search(source, config.search, ensemble)
    for i, name in enumerate(_at(source.data, ("observers",)) or []):
        _known(source, ("observers", i), registry, name)
    finish(source)
    assert config and dataset and ensemble  # finish() raised otherwise
    return Experiment(config, dataset, ensemble)


def load_ensemble(path: Path, registry: Registry, overrides: Sequence[str] = ()) -> Ensemble:
    """Read and check an ensemble.

    Raises:
        ConfigError: With one line for each mistake in the file and what it includes.
    """
    source = _composed(path, overrides)
    config = validate(source, EnsembleConfig)
    ensemble = _ensemble(source, (), registry, config)
    finish(source)
    assert ensemble  # finish() raised otherwise
    return ensemble


def _composed(path: Path, overrides: Sequence[str]) -> Source:
    """`compose`, ending at once where nothing could be read: every key would count as missing."""
    source = compose(path, overrides)
    if source.data is None:
        finish(source)
    return source


def _ensemble(
    source: Source, key: Key, registry: Registry, config: EnsembleConfig | None
) -> Ensemble | None:
    """Check the plugins below ``key``, from the raw data: the rest of the file may be wrong."""
    encoder = part_at(
        source, (*key, "text_encoder"), registry, TextEncoderSpec, default=TEXT_ENCODER
    )
    raw = _at(source.data, (*key, "members"))
    count = len(raw) if isinstance(raw, list) else 0
    parts = [part_at(source, (*key, "members", i), registry, PredictorSpec) for i in range(count)]
    if config is None or encoder is None or None in parts:
        return None
    pairs = zip(config.members, parts, strict=True)
    return Ensemble(
        config.name, encoder, tuple(_member(line, part) for line, part in pairs if part)
    )


def _check_search(source: Source, search: SearchConfig, ensemble: Ensemble) -> None:
    """Note members and options in the search block that the ensemble does not have."""
    members = {member.name: member for member in ensemble.members}
    for block in ("bounds", "space"):
        for name in getattr(search, block):
            if name not in members:
                near = did_you_mean(name, members)
                source.problem(("search", block, name), f"is no member of the ensemble{near}")
    for name, options in search.space.items():
        for option, values in options.items() if name in members else ():
            part = members[name].part
            for i, value in enumerate(values):
                key = ("search", "space", name, option, i)
                changed = variant_with(part.options, options, option, value)
                validate(source, part.spec.options, key, changed)


def _member(line: MemberConfig, part: Part) -> Member:
    artifact = line.artifact.path if line.artifact else None
    return Member(line.label, part, line.weight, artifact)


def part_at(
    source: Source, key: Key, registry: Registry, kind: type[S], *, default: str | None = None
) -> Part | None:
    """The plugin named at ``key`` with its options; ``default`` where nothing stands there.

    Returns:
        The part; None, with the reason among the source's problems, where something is wrong.
    """
    raw = _at(source.data, key)
    if raw is None and default:
        raw = {"plugin": default}
    name = raw.get("plugin") if isinstance(raw, Mapping) else None
    if not isinstance(name, str):
        return None  # the model has said so already
    try:
        spec = registry.spec(name, kind)
    except PluginError as error:
        source.problem((*key, "plugin"), str(error))
        return None
    options = raw.get("options", {})
    if not isinstance(options, dict):
        return None  # likewise
    checked = validate(source, spec.options, (*key, "options"), options)
    return None if checked is None else Part(spec, checked)


def _known(source: Source, key: Key, registry: Registry, name: Any) -> None:
    """Note an observer that is no plugin."""
    if isinstance(name, str):
        try:
            registry.claim(name)
        except PluginError as error:
            source.problem(key, str(error))


def _at(data: Any, key: Key) -> Any:
    """The value at ``key``, or None."""
    for step in key:
        if isinstance(data, Mapping):
            data = data.get(str(step))
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data
