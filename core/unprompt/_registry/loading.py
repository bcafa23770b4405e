"""Load ensembles and experiments from YAML, with every plugin and option checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, TypeVar

from unprompt._config.check import finish, validate
from unprompt._config.compose import compose
from unprompt._config.environment import STORAGE, FromEnv, references, shown_reference
from unprompt._config.models import EnsembleConfig, ExperimentConfig, MemberConfig
from unprompt._config.secrets import remember_options
from unprompt._config.source import Key, Source
from unprompt._files.paths import is_file, shown
from unprompt._masking import remember
from unprompt._registry.allowed import matches
from unprompt._registry.boundary import calling
from unprompt._registry.installs import recorded
from unprompt._registry.options import check_written
from unprompt._registry.parts import Ensemble, Experiment, Member, Part
from unprompt._registry.plugins import Registry
from unprompt._registry.space import check_search
from unprompt.contracts.specs import DatasetSpec, ObserverSpec, PredictorSpec, TextEncoderSpec
from unprompt.errors import PluginError

S = TypeVar("S", PredictorSpec, DatasetSpec, TextEncoderSpec, ObserverSpec)

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
    raw = _at(source.data, ("observers",))
    count = len(raw) if isinstance(raw, list) else 0
    observers = [_observer_at(source, ("observers", i), registry) for i in range(count)]
    finish(source)
    assert config and dataset and ensemble  # finish() raised otherwise
    storage = _storage(source, config)
    return Experiment(config, dataset, ensemble, tuple(filter(None, observers)), storage)


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

    Args:
        source: Where the part is written; mistakes are added to its problems.
        key: Of a map with ``plugin`` and ``options``; an observer may be its plugin's name alone.
        registry: The plugins.
        kind: What the plugin has to offer.
        default: A plugin of ours.

    Returns:
        The part; None where something is wrong, with the reason in the source's problems.
    """
    raw = _at(source.data, key)
    if raw is None and default:
        raw = {"plugin": registry.own(default)}
    if isinstance(raw, str) and kind is ObserverSpec:
        raw = {"plugin": raw}
    name = raw.get("plugin") if isinstance(raw, Mapping) else None
    if not isinstance(name, str):
        return None  # the model of the configuration reports it
    try:
        spec = registry.spec(name, kind)
    except PluginError as error:
        at = (*key, "plugin")
        hint = _install_hint(name, source.folder(at), registry)
        source.problem(at, f"{error}{hint}", error)
        return None
    options = raw.get("options", {})
    if not isinstance(options, dict):
        return None  # as above
    try:
        with calling(registry.claim(name), "options"):  # their validators are the plugin's code
            checked = validate(source, spec.options, (*key, "options"), options)
            if checked is not None:
                check_written(checked)
    except PluginError as error:
        source.problem((*key, "options"), str(error), error)
        return None
    if checked is None:
        return None
    given = references(source, (*key, "options"), checked)
    remember_options(checked, given)
    return Part(spec, checked, given)


def _install_hint(name: str, folder: Path, registry: Registry) -> str:
    """For a plugin that is not installed: which one the run had whose file names it."""
    install = recorded(folder).get(name)
    if install is None or any(matches(name, c) for c in (*registry.claims, *registry.excluded)):
        return ""
    if install.how == "file" and is_file(Path(install.url)):
        plugins = quote(str(Path(install.url).parent))
        return f"; the run had it from {shown(install.url)}: unprompt --plugins-dir {plugins}"
    if install.requirement is None:
        return f"; the run had it from {install.shown}"
    return f"; the run had it from {install.shown}: pip install {quote(install.requirement)}"


def _observer_at(source: Source, key: Key, registry: Registry) -> Part | str | None:
    """An observer with its options, or the name of a plugin that has lifecycle hooks only.

    Returns:
        None where something is wrong, with the reason in the source's problems.
    """
    raw = _at(source.data, key)
    alone = isinstance(raw, str)
    name = raw if alone else _at(raw, ("plugin",))
    if not isinstance(name, str):
        return None  # the model of the configuration reports it
    named = key if alone else (*key, "plugin")
    try:
        if registry.offered(name, ObserverSpec):
            return part_at(source, key, registry, ObserverSpec)
        if not registry.follows_runs(name):
            source.problem(named, str(registry.lack(name, ObserverSpec)))
    except PluginError as error:
        hint = _install_hint(name, source.folder(named), registry)
        source.problem(named, f"{error}{hint}", error)
        return None
    if _at(raw, ("options",)):
        what = f"{registry.claim(name).label} has lifecycle hooks only, which take no options"
        source.problem((*key, "options"), what)
    return name


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
