"""From where an open_clip model comes to its architecture, preprocess and checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unprompt._config.check import did_you_mean
from unprompt._files.reading import read_json
from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError, DataError, MissingFileError, first_line
from unprompt.towers.files import (
    file_need,
    files_hash,
    find_folder,
    folder_files,
    hub_need,
    missing_line,
)
from unprompt.towers.messages import owned
from unprompt.towers.sources import LOCAL, NamedSource, OpenClipCheckpoint, OpenClipSource
from unprompt.towers.state import read_state
from unprompt.types import PlainData

CONFIG = ("open_clip_config.json",)
CHECKPOINT = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_PREPROCESS = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True, slots=True)
class OpenClipModel:
    """What open_clip is to build.

    Attributes:
        name: Its model name; a folder is ``local-dir:PATH``.
        folder: Where the configuration lies; None for a named model.
        architecture: The model's configuration.
        preprocess: What the tag says of it; None: the folder or open_clip's default says.
        checkpoint: A file; None where it is not wanted.
    """

    name: str
    architecture: dict[str, Any]
    folder: Path | None = None
    preprocess: dict[str, Any] | None = None
    checkpoint: Path | None = None

    def identity(self, source: OpenClipSource) -> dict[str, PlainData]:
        """What the model is, by content, for cache keys."""
        checkpoint = [self.checkpoint] if self.checkpoint else []
        explicit = source.preprocess.model_dump(mode="json") if source.preprocess else None
        return {
            "files": files_hash(folder_files(self.folder) if self.folder else checkpoint),
            "architecture": self.architecture,
            "preprocess": explicit or self.preprocess,
        }


def resolve(source: OpenClipSource, runtime: Runtime, owner: str) -> OpenClipModel:
    """Find everything that the model needs, and check that it belongs together.

    In a dry run no checkpoint is looked for. Raises as `Tower` does.
    """
    if isinstance(source, NamedSource | OpenClipCheckpoint):
        return _named(source, runtime, owner)
    files = [CONFIG] if runtime.dry_run else [CONFIG, CHECKPOINT]
    folder = find_folder(source.origin, files, runtime, owner)
    path = folder / CONFIG[0]
    with owned(owner):
        architecture = read_json(path, dict).get("model_cfg")
    if not isinstance(architecture, dict):
        raise DataError(f"{owner}: {path}: has no `model_cfg`")
    names = () if runtime.dry_run else CHECKPOINT
    file = next((folder / name for name in names if (folder / name).is_file()), None)
    return OpenClipModel(f"{LOCAL}{folder}", architecture, folder, checkpoint=file)


def check_checkpoint(model: OpenClipModel, owner: str) -> None:
    """Say what is wrong with a checkpoint that open_clip could not load, if it is the file.

    Only then: reading gigabytes a second time before each load would double its time.

    Raises:
        DataError: See `read_state`.
    """
    if model.checkpoint is not None:
        read_state(model.checkpoint, owner)


def _named(source: NamedSource | OpenClipCheckpoint, runtime: Runtime, owner: str) -> OpenClipModel:
    """A model that open_clip knows by name."""
    import open_clip

    name, tag = source.model, source.pretrained
    if name not in open_clip.list_models():
        near = did_you_mean(name, open_clip.list_models())
        raise ConfigError(f"{owner}: open_clip has no model {name!r}{near}")
    architecture: dict[str, Any] = open_clip.get_model_config(name)
    if tag is None and isinstance(source, NamedSource):
        raise ConfigError(f"{owner}: {name} needs `pretrained`: {_tags(name)}")
    if tag is None and source.preprocess is None:
        raise ConfigError(
            f"{owner}: {source.describe()}: nothing says how images become pixels for this "
            f"checkpoint: name its tag with `pretrained` ({_tags(name)}) or give `preprocess`"
        )
    entry = _tag_entry(name, tag, architecture, owner) if tag else {}
    return OpenClipModel(
        name,
        architecture,
        preprocess={key: entry[key] for key in _PREPROCESS if key in entry} or None,
        checkpoint=None if runtime.dry_run else _checkpoint(source, runtime, owner),
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
        raise ConfigError(f"{owner}: {name} has no tag {tag!r}{near or f': {_tags(name)}'}")
    # The other way round is no mistake: a tag need not repeat what its architecture says.
    if architecture.get("quick_gelu") or not entry.get("quick_gelu"):
        return entry
    other = f"{name}-quickgelu"
    right = f": use model {other!r}" if other in open_clip.list_models() else ""
    raise ConfigError(
        f"{owner}: {name} is built with GELU, and {tag!r} was trained with QuickGELU{right}"
    )


def checkpoint_need(source: NamedSource | OpenClipCheckpoint) -> Need:
    """The checkpoint of a named model: the user's, or a tag's."""
    import open_clip

    if isinstance(source, OpenClipCheckpoint):
        return file_need(source.checkpoint.path)
    entry = open_clip.get_pretrained_cfg(source.model, str(source.pretrained))
    hub, url = str(entry.get("hf_hub") or ""), str(entry.get("url") or "")
    if hub:
        repository, _, file = hub.rpartition("/")  # open_clip writes "owner/name/" or ".../file"
        return hub_need(repository, (file,) if file else CHECKPOINT)
    path = Path("~/.cache/clip").expanduser() / Path(url).name
    return Need(path.name, str(path), path.is_file(), f"curl -L --create-dirs -o {path} {url}")


def _checkpoint(source: NamedSource | OpenClipCheckpoint, runtime: Runtime, owner: str) -> Path:
    """The file of `checkpoint_need`, downloaded where it may be."""
    import open_clip

    need, reason = checkpoint_need(source), ""
    if need.here:
        return Path(need.where)
    if isinstance(source, NamedSource) and not runtime.offline:
        entry = open_clip.get_pretrained_cfg(source.model, str(source.pretrained))
        try:
            return Path(open_clip.download_pretrained(entry))
        except Exception as error:  # noqa: BLE001  # the hub's, urllib's, open_clip's own
            reason = f" ({first_line(error)})"
    raise MissingFileError(f"{owner}: {missing_line(need)}{reason}")
