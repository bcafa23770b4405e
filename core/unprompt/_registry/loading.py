"""Load ensembles and experiments from YAML, with every plugin and option checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from unprompt._config.check import finish, validate
from unprompt._config.compose import compose
from unprompt._config.environment import STORAGE, FromEnv, references, shown_reference
from unprompt._config.models import EnsembleConfig, ExperimentConfig, MemberConfig
from unprompt._config.secrets import remember_options
from unprompt._config.source import Key, Source
from unprompt._masking import remember
from unprompt._registry.boundary import calling
from unprompt._registry.parts import Ensemble, Experiment, Member, Part
from unprompt._registry.plugins import Registry
from unprompt._registry.space import check_search
from unprompt.contracts.specs import DatasetSpec, PredictorSpec, TextEncoderSpec
from unprompt.errors import PluginError

S = TypeVar("S", PredictorSpec, DatasetSpec, TextEncoderSpec)

TEXT_ENCODER: str = EnsembleConfig.model_fields["text_encoder"].default.plugin
"""The plugin of the text encoder where an ensemble names none."""


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
        check_search(source, config.search, ensemble, registry)
    for i, name in enumerate(_at(source.data, ("observers",)) or []):
        _check_observer(source, ("observers", i), registry, name)
    finish(source)
    assert config and dataset and ensemble  # finish() raised otherwise
    return Experiment(config, dataset, ensemble, _storage(source, config))


def _storage(source: Source, config: ExperimentConfig) -> FromEnv | None:
    """The variable that names the study's storage; its value is not shown from now on."""
    name, storage = source.env.get(STORAGE), config.search.storage
    if name is None or storage is None:
        return None
    remember(storage, shown_reference(name))
    return FromEnv(STORAGE, name, storage, storage)


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
    """`compose`; raises where a file cannot be read: its keys would count as missing."""
    source = compose(path, overrides)
    if source.data is None or source.incomplete:
        finish(source)
    return source


def _ensemble(
    source: Source, key: Key, registry: Registry, config: EnsembleConfig | None
) -> Ensemble | None:
    """The ensemble at ``key``; checks every plugin, also where the rest of the file is wrong."""
    encoder = part_at(
        source, (*key, "text_encoder"), registry, TextEncoderSpec, default=TEXT_ENCODER
    )
    raw = _at(source.data, (*key, "members"))
    count = len(raw) if isinstance(raw, list) else 0
    parts = [part_at(source, (*key, "members", i), registry, PredictorSpec) for i in range(count)]
    if config is None or encoder is None or None in parts:
        return None
    pairs = zip(config.members, parts, strict=True)
    members = tuple(_member(line, part) for line, part in pairs if part)
    return Ensemble(config.name, encoder, members)


def _member(line: MemberConfig, part: Part) -> Member:
    artifact = line.artifact.path if line.artifact else None
    return Member(line.label, part, line.weight, artifact)


def part_at(
    source: Source, key: Key, registry: Registry, kind: type[S], *, default: str | None = None
) -> Part | None:
    """The plugin named at ``key`` with its options; ``default`` where the key is missing.

    Returns:
        The part; None where something is wrong, with the reason in the source's problems.
    """
    raw = _at(source.data, key)
    if raw is None and default:
        raw = {"plugin": default}
    name = raw.get("plugin") if isinstance(raw, Mapping) else None
    if not isinstance(name, str):
        return None  # the model of the configuration reports it
    try:
        spec = registry.spec(name, kind)
    except PluginError as error:
        source.problem((*key, "plugin"), str(error))
        return None
    options = raw.get("options", {})
    if not isinstance(options, dict):
        return None  # as above
    try:
        with calling(registry.claim(name), "options"):  # their validators are the plugin's code
            checked = validate(source, spec.options, (*key, "options"), options)
    except PluginError as error:
        source.problem((*key, "options"), str(error))
        return None
    if checked is None:
        return None
    given = references(source, (*key, "options"), checked)
    remember_options(checked, given)
    return Part(spec, checked, given)


def _check_observer(source: Source, key: Key, registry: Registry, name: Any) -> None:
    """Note a name among the observers that is no plugin."""
    if isinstance(name, str):
        try:
            registry.claim(name)
        except PluginError as error:
            source.problem(key, str(error))


def _at(data: Any, key: Key) -> Any:
    """The value at ``key``, or None where there is none."""
    for step in key:
        if isinstance(data, Mapping):
            data = data.get(str(step))
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data
