"""A timm model as pooled features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._config.check import did_you_mean
from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError, first_line
from unprompt.towers.sources import FolderSource, NamedSource, TimmSource, TimmCheckpoint
from unprompt.towers.files import (
    check_file,
    file_need,
    folder_needs,
    hub_folder,
    hub_need,
    loading,
)
from unprompt.towers.state import read_state
from unprompt.towers.tower import ImageTower, check_keys, checked_files

if TYPE_CHECKING:
    import torch

CONFIG, CHECKPOINT = ("config.json",), ("model.safetensors",)


class TimmTower(ImageTower[TimmSource]):
    """A timm model without its classifier.

    A checkpoint may hold a classifier as wide as the target space, as the 68th-place solution's
    does (plugins/kaggle-68th.md): it becomes the `head`.
    """

    @classmethod
    def needs(cls, config: TimmSource) -> list[Need]:
        """The folder's files, the checkpoint, or the hub's file."""
        if isinstance(config, FolderSource):
            return folder_needs(config.folder.path, CONFIG, CHECKPOINT)
        if isinstance(config, TimmCheckpoint):
            return [file_need(config.checkpoint.path)]
        return [hub_need(_repository(config, "timm"), CHECKPOINT)]

    @classmethod
    def parameters(cls, config: TimmSource, owner: str) -> int:
        """Of the architecture, without a classifier."""
        import torch

        with torch.device("meta"):
            model = _create(config, owner)
        return sum(parameter.numel() for parameter in model.parameters())

    @classmethod
    def files(cls, config: TimmSource, runtime: Runtime, owner: str) -> list[Path]:
        """The folder's files, the checkpoint, or the hub's file."""
        if runtime.dry_run:
            return []
        if isinstance(config, FolderSource):
            return checked_files(config.folder.path, owner, (CONFIG, CHECKPOINT))
        if isinstance(config, TimmCheckpoint):
            return [check_file(config.checkpoint.path, owner)]
        repository = _repository(config, owner)
        return checked_files(hub_folder(repository, [CHECKPOINT], runtime, owner), owner, ())

    def _load(self, config: TimmSource, runtime: Runtime, owner: str) -> tuple[Any, Any]:
        model = _create(config, owner)
        if not runtime.dry_run:
            self._read(model, config, runtime, owner)
        self.dim = int(model.num_features)
        return model.to(runtime.device).eval(), _transform(model)

    def _pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self._model(pixels)
        return pooled

    def _read(self, model: Any, config: TimmSource, runtime: Runtime, owner: str) -> None:
        """Fill the model with parameters; a checkpoint's classifier becomes the head."""
        files = self.files(config, runtime, owner)
        path = next(path for path in files if path.suffix != ".json")
        state = read_state(path, owner)
        if isinstance(config, TimmCheckpoint):
            self._take_head(state, "head.weight", "head.bias")
        own = set(model.state_dict())
        classifier = str(model.pretrained_cfg.get("classifier") or "head")
        state = {n: v for n, v in state.items() if n in own or not n.startswith(classifier + ".")}
        try:
            keys = model.load_state_dict(state, strict=False)
        except RuntimeError as error:
            raise ConfigError(f"{owner}: {path}: {first_line(error)}") from error
        check_keys(keys.missing_keys, keys.unexpected_keys, config, f"{owner}: {path}")


def _name(config: NamedSource | TimmCheckpoint) -> str:
    tag = config.pretrained if isinstance(config, NamedSource) else None
    return f"{config.model}.{tag}" if tag else config.model


def _check_name(name: str, owner: str) -> None:
    import timm

    architecture, _, tag = name.partition(".")
    if architecture not in timm.list_models():
        near = did_you_mean(architecture, timm.list_models())
        raise ConfigError(f"{owner}: timm has no model {architecture!r}{near}")
    names = timm.list_models(f"{architecture}.*", pretrained=True)
    tags = [known.partition(".")[2] for known in names]
    if tag and tag not in tags:
        near = did_you_mean(tag, tags) or f": {', '.join(tags) or 'it has none'}"
        raise ConfigError(f"{owner}: {architecture} has no tag {tag!r}{near}")


def _repository(config: NamedSource, owner: str) -> str:
    """The hub repository of a named model."""
    import timm

    name = _name(config)
    _check_name(name, owner)
    entry = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if entry is None or not entry.hf_hub_id:
        raise ConfigError(f"{owner}: timm has no checkpoint of {name!r}")
    return str(entry.hf_hub_id)


def _create(config: TimmSource, owner: str) -> Any:
    """The architecture with random parameters, its classifier left out."""
    import timm

    if not isinstance(config, FolderSource):
        name = _name(config)
        _check_name(name, owner)
        return timm.create_model(name, pretrained=False, num_classes=0)
    folder = config.folder.path
    checked_files(folder, owner, (CONFIG,))
    with loading(folder / "config.json", owner):
        return timm.create_model(f"local-dir:{folder}", pretrained=False, num_classes=0)


def _transform(model: Any) -> Any:
    """Image -> pixels, as the model's configuration says."""
    from timm.data.config import resolve_data_config
    from timm.data.transforms_factory import create_transform

    data = resolve_data_config({}, pretrained_cfg=model.pretrained_cfg)  # type: ignore[no-untyped-call]  # timm
    return create_transform(**data)
