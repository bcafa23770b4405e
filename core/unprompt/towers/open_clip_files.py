"""From a YAML ``backbone`` to an open_clip model's architecture, preprocess and checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unprompt._config.check import did_you_mean
from unprompt._files.hashing import content_hash
from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError, DataError, MissingFileError, first_line
from unprompt.towers.sources import (
    HUB,
    LOCAL,
    FolderSource,
    NamedSource,
    OpenClipSource,
    OpenClipCheckpoint,
    OpenClipHub,
)
from unprompt.towers.files import (
    OPEN_CLIP_CHECKPOINT,
    check_folder,
    file_need,
    folder_files,
    folder_needs,
    hub_file_hash,
    hub_folder,
    hub_need,
    missing_line,
)
from unprompt.towers.state import read_state
from unprompt.types import Json

CONFIG = "open_clip_config.json"
_PREPROCESS = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What open_clip is to build.

    Attributes:
        name: Its model name; a folder is ``local-dir:PATH``.
        folder: Where configuration and parameters lie; None for a named model.
        architecture: The model's configuration.
        preprocess: What the tag says of it; None: the folder or open_clip's default says.
        checkpoint: A file; None where the folder holds it, or where it is not wanted.
    """

    name: str
    folder: Path | None
    architecture: dict[str, Any]
    preprocess: dict[str, Any] | None
    checkpoint: Path | None


def resolve(config: OpenClipSource, runtime: Runtime, owner: str) -> Resolved:
    """Find everything that the model needs, and check that it belongs together.

    Args:
        config: Which model.
        runtime: Whether the network may be used; in a dry run no checkpoint is looked for.
        owner: Who needs it, for error lines.

    Raises:
        MissingFileError: A file is neither here nor, without `offline`, on the hub.
        ConfigError: There is no such model or tag, or they do not belong together.
        DataError: A file is damaged or holds something else.
    """
    if isinstance(config, NamedSource | OpenClipCheckpoint):
        return _named(config, runtime, owner)
    needed = [(CONFIG,)] if runtime.dry_run else [(CONFIG,), OPEN_CLIP_CHECKPOINT]
    folder = (
        config.folder.path
        if isinstance(config, FolderSource)
        else hub_folder(config.model.removeprefix(HUB), needed, runtime, owner)
    )
    check_folder(folder, owner, *needed)
    architecture = json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("model_cfg")
    if not isinstance(architecture, dict):
        raise DataError(f"{owner}: {folder / CONFIG}: has no `model_cfg`")
    return Resolved(f"{LOCAL}{folder}", folder, architecture, None, None)


def check_checkpoint(resolved: Resolved, owner: str) -> None:
    """Say what is wrong with a checkpoint that open_clip could not load, if it is the file.

    Only then: reading gigabytes a second time before each load would double its time. A folder's
    safetensors were opened with the rest of it.

    Raises:
        DataError: See `read_state`.
    """
    safetensors, pickled = OPEN_CLIP_CHECKPOINT
    if resolved.checkpoint is not None:
        read_state(resolved.checkpoint, owner)
    elif resolved.folder is not None and not (resolved.folder / safetensors).is_file():
        read_state(resolved.folder / pickled, owner)


def needs(config: OpenClipSource) -> list[Need]:
    """The files that `resolve` will look for; touches no network."""
    if isinstance(config, FolderSource):
        return folder_needs(config.folder.path, (CONFIG,), OPEN_CLIP_CHECKPOINT)
    if isinstance(config, OpenClipHub):
        repository = config.model.removeprefix(HUB)
        return [hub_need(repository, names) for names in ((CONFIG,), OPEN_CLIP_CHECKPOINT)]
    return [_checkpoint_need(config)]


def identity(config: OpenClipSource, runtime: Runtime, owner: str) -> dict[str, Json]:
    """What the backbone is, by content, for cache keys: files, preprocess and activation.

    Raises:
        MissingFileError: See `resolve`; likewise ConfigError and DataError.
    """
    resolved = resolve(config, runtime, owner)
    checkpoint = [resolved.checkpoint] if resolved.checkpoint else []
    files = folder_files(resolved.folder) if resolved.folder else checkpoint
    explicit = config.preprocess.model_dump(mode="json") if config.preprocess else None
    return {
        "files": content_hash([(path.suffix, hub_file_hash(path)) for path in files]),
        "architecture": resolved.architecture,
        "preprocess": explicit or resolved.preprocess,
    }


def _named(config: NamedSource | OpenClipCheckpoint, runtime: Runtime, owner: str) -> Resolved:
    """A model that open_clip knows by name."""
    import open_clip

    name, tag = config.model, config.pretrained
    if name not in open_clip.list_models():
        near = did_you_mean(name, open_clip.list_models())
        raise ConfigError(f"{owner}: open_clip has no model {name!r}{near}")
    architecture: dict[str, Any] = open_clip.get_model_config(name)
    if tag is None and isinstance(config, NamedSource):
        raise ConfigError(f"{owner}: {name} needs `pretrained`: {_tags(name)}")
    if tag is None and config.preprocess is None:
        raise ConfigError(
            f"{owner}: {config.describe()}: nothing says how images become pixels for this "
            f"checkpoint: name its tag with `pretrained` ({_tags(name)}) or give `preprocess`"
        )
    entry = _tag_entry(name, tag, architecture, owner) if tag else {}
    preprocess = {key: entry[key] for key in _PREPROCESS if key in entry} or None
    checkpoint = None if runtime.dry_run else _checkpoint(config, runtime, owner)
    return Resolved(name, None, architecture, preprocess, checkpoint)


def _tags(name: str) -> str:
    import open_clip

    return ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "it has none"


def _tag_entry(name: str, tag: str, architecture: dict[str, Any], owner: str) -> dict[str, Any]:
    """What open_clip knows of the tag. The activation has to be the one it was trained with."""
    import open_clip

    entry: dict[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    if not entry:
        near = did_you_mean(tag, open_clip.list_pretrained_tags_by_model(name))
        raise ConfigError(f"{owner}: {name} has no tag {tag!r}{near or f': {_tags(name)}'}")
    # The other way round is no mistake: a tag need not repeat what its architecture says.
    if architecture.get("quick_gelu") or not entry.get("quick_gelu"):
        return entry
    other = f"{name}-quickgelu"
    right = f": use model {other!r}" if other in open_clip.list_models() else ""
    raise ConfigError(
        f"{owner}: {name} is built with GELU, and {tag!r} was trained with QuickGELU{right}"
    )


def _checkpoint_need(config: NamedSource | OpenClipCheckpoint) -> Need:
    """The checkpoint of a named model: the user's, or a tag's."""
    import open_clip

    if isinstance(config, OpenClipCheckpoint):
        return file_need(config.checkpoint.path)
    entry = open_clip.get_pretrained_cfg(config.model, str(config.pretrained))
    hub, url = str(entry.get("hf_hub") or ""), str(entry.get("url") or "")
    if hub:
        repository, _, file = hub.rpartition("/")  # open_clip writes "owner/name/" or ".../file"
        return hub_need(repository, (file,) if file else OPEN_CLIP_CHECKPOINT)
    path = Path("~/.cache/clip").expanduser() / Path(url).name
    return Need(path.name, str(path), path.is_file(), f"curl -L --create-dirs -o {path} {url}")


def _checkpoint(config: NamedSource | OpenClipCheckpoint, runtime: Runtime, owner: str) -> Path:
    """The file of `_checkpoint_need`, downloaded where it may be."""
    import open_clip

    need = _checkpoint_need(config)
    if not need.here and isinstance(config, NamedSource) and not runtime.offline:
        entry = open_clip.get_pretrained_cfg(config.model, str(config.pretrained))
        try:
            return Path(open_clip.download_pretrained(entry))
        except Exception as error:  # open_clip passes on the hub's, urllib's and its own
            raise MissingFileError(f"{missing_line(owner, need)} ({first_line(error)})") from error
    if not need.here:
        raise MissingFileError(missing_line(owner, need))
    return Path(need.where)
