"""From a YAML ``backbone`` to an open_clip model's architecture, preprocess and weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unprompt._config.check import did_you_mean
from unprompt._files.hashing import content_hash
from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError, MissingFileError, first_line
from unprompt.towers.config import BackboneConfig
from unprompt.towers.files import (
    OPEN_CLIP_WEIGHTS,
    check_folder,
    folder_files,
    folder_needs,
    hub_folder,
    hub_need,
    missing_line,
    read_state,
    weights_hash,
)
from unprompt.types import Json

CONFIG = "open_clip_config.json"
HUB = "hf-hub:"
_PREPROCESS = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What open_clip is to build.

    Attributes:
        name: Its model name; a folder is ``local-dir:PATH``.
        architecture: The model's configuration.
        preprocess: What the tag says of it; None: the folder or open_clip's default says.
        weights: A file; None where the folder holds them, or where they are not wanted.
    """

    name: str
    architecture: dict[str, Any]
    preprocess: dict[str, Any] | None
    weights: Path | None


def resolve(config: BackboneConfig, runtime: Runtime, owner: str) -> Resolved:
    """Find everything that the model needs, and check that it belongs together.

    Args:
        config: Which model.
        runtime: Whether the network may be used; in a rehearsal no weights are looked for.
        owner: Who needs it, for error lines.

    Raises:
        MissingFileError: A file is neither here nor, without `offline`, on the hub.
        ConfigError: There is no such model or tag, or they do not belong together.
    """
    folder = _folder(config, runtime, owner)
    if folder is None:
        return _named(config, runtime, owner)
    needed = [(CONFIG,)] if runtime.rehearsal else [(CONFIG,), OPEN_CLIP_WEIGHTS]
    check_folder(folder, owner, *needed)
    architecture = json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("model_cfg")
    if not isinstance(architecture, dict):
        raise MissingFileError(f"{owner}: {folder / CONFIG}: has no `model_cfg`")
    return Resolved(f"local-dir:{folder}", architecture, None, None)


def check_weights(found: Resolved, owner: str) -> None:
    """Say what is wrong with weights that open_clip could not load, if it is the file.

    Only then: reading gigabytes a second time before each load would double its time. A folder's
    safetensors were opened with the rest of it.

    Raises:
        DataError: See `read_state`.
    """
    safetensors, pickled = OPEN_CLIP_WEIGHTS
    folder = Path(found.name.removeprefix("local-dir:"))
    if found.weights is not None:
        read_state(found.weights, owner)
    elif not (folder / safetensors).is_file():
        read_state(folder / pickled, owner)


def needs(config: BackboneConfig) -> list[Need]:
    """The files that `resolve` will look for; touches no network."""
    if config.folder is not None:
        return folder_needs(config.folder.path, (CONFIG,), OPEN_CLIP_WEIGHTS)
    if str(config.model).startswith(HUB):
        repository = str(config.model).removeprefix(HUB)
        return [hub_need(repository, names) for names in ((CONFIG,), OPEN_CLIP_WEIGHTS)]
    return [_weights_need(config)]


def identity(config: BackboneConfig, runtime: Runtime, owner: str) -> dict[str, Json]:
    """What the backbone is, by content, for cache keys: weights, preprocess and activation.

    Raises:
        MissingFileError: See `resolve`.
        ConfigError: See `resolve`.
    """
    found = resolve(config, runtime, owner)
    folder = _folder(config, runtime, owner)
    files = folder_files(folder) if folder else [found.weights] if found.weights else []
    explicit = config.preprocess.model_dump(mode="json") if config.preprocess else None
    return {
        "files": content_hash([(path.suffix, weights_hash(path)) for path in files]),
        "architecture": found.architecture,
        "preprocess": explicit or found.preprocess,
    }


def _folder(config: BackboneConfig, runtime: Runtime, owner: str) -> Path | None:
    if config.folder is not None:
        return config.folder.path
    if not str(config.model).startswith(HUB):
        return None
    needed = [(CONFIG,)] if runtime.rehearsal else [(CONFIG,), OPEN_CLIP_WEIGHTS]
    return hub_folder(str(config.model).removeprefix(HUB), needed, runtime, owner)


def _named(config: BackboneConfig, runtime: Runtime, owner: str) -> Resolved:
    """A model that open_clip knows by name."""
    import open_clip

    name, tag = str(config.model), config.pretrained
    if name not in open_clip.list_models():
        near = did_you_mean(name, open_clip.list_models())
        raise ConfigError(f"{owner}: open_clip has no model {name!r}{near}")
    architecture: dict[str, Any] = open_clip.get_model_config(name)
    if tag is None and config.preprocess is None:
        raise ConfigError(f"{owner}: {_unknown_preprocess(config)}")
    if tag is None and config.weights is None:
        raise ConfigError(f"{owner}: {name} needs `pretrained`: {_tags(name)}")
    entry = _tag_entry(name, tag, architecture, owner) if tag else {}
    preprocess = {key: entry[key] for key in _PREPROCESS if key in entry} or None
    weights = None if runtime.rehearsal else _weights(config, runtime, owner)
    return Resolved(name, architecture, preprocess, weights)


def _unknown_preprocess(config: BackboneConfig) -> str:
    if config.weights is None:
        return f"{config.model} needs `pretrained`: {_tags(str(config.model))}"
    return (
        f"{config.weights.text}: nothing says how pictures become pixels for these weights: name "
        f"the tag that they are with `pretrained` ({_tags(str(config.model))}) or give `preprocess`"
    )


def _tags(name: str) -> str:
    import open_clip

    return ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "it has none"


def _tag_entry(name: str, tag: str, architecture: dict[str, Any], owner: str) -> dict[str, Any]:
    """What open_clip knows of the tag. The activation has to be the one it was trained with."""
    import open_clip

    entry: dict[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    if not entry:
        near = did_you_mean(tag, open_clip.list_pretrained_tags_by_model(name))
        raise ConfigError(f"{owner}: {name} has no weights {tag!r}{near or f': {_tags(name)}'}")
    # The other way round is no mistake: a tag need not repeat what its architecture says.
    if architecture.get("quick_gelu") or not entry.get("quick_gelu"):
        return entry
    other = f"{name}-quickgelu"
    right = f": use model {other!r}" if other in open_clip.list_models() else ""
    raise ConfigError(
        f"{owner}: {name} is built with GELU, and {tag!r} was trained with QuickGELU{right}"
    )


def _weights_need(config: BackboneConfig) -> Need:
    """The weights of a named model: a file of the user's, or a tag's."""
    import open_clip

    if config.weights is not None:
        path = config.weights.path
        return Need(path.name, str(path), path.is_file())
    entry = open_clip.get_pretrained_cfg(str(config.model), str(config.pretrained))
    hub, url = str(entry.get("hf_hub") or ""), str(entry.get("url") or "")
    if hub:
        repository, _, file = hub.rpartition("/")  # open_clip writes "owner/name/" or ".../file"
        return hub_need(repository, (file,) if file else OPEN_CLIP_WEIGHTS)
    path = Path("~/.cache/clip").expanduser() / Path(url).name
    return Need(path.name, str(path), path.is_file(), f"curl -L --create-dirs -o {path} {url}")


def _weights(config: BackboneConfig, runtime: Runtime, owner: str) -> Path:
    """The file of `_weights_need`, downloaded where it may be."""
    import open_clip

    need = _weights_need(config)
    if not need.here and config.weights is None and not runtime.offline:
        entry = open_clip.get_pretrained_cfg(str(config.model), str(config.pretrained))
        try:
            return Path(open_clip.download_pretrained(entry))
        except Exception as error:  # open_clip passes on the hub's, urllib's and its own
            raise MissingFileError(f"{missing_line(owner, need)} ({first_line(error)})") from error
    if not need.here:
        raise MissingFileError(missing_line(owner, need))
    return Path(need.where)
