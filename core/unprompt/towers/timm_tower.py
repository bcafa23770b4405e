"""A timm model as pooled features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._config.check import did_you_mean
from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError, MissingFileError, first_line, named
from unprompt.towers.config import BackboneConfig
from unprompt.towers.files import folder_needs, hub_folder, hub_need, read_state
from unprompt.towers.tower import ImageTower, checked_files

if TYPE_CHECKING:
    import torch

CONFIG, WEIGHTS = ("config.json",), ("model.safetensors",)


class TimmTower(ImageTower):
    """A timm model without its classifier.

    A file in ``weights`` may hold a classifier as wide as the target space: it becomes the
    `head` (the seed's ViT-L/16-384, DESIGN section 7, item 3).
    """

    @classmethod
    def needs(cls, config: BackboneConfig) -> list[Need]:
        """The folder's files, the one of ``weights``, or the hub's."""
        if config.folder is not None:
            return folder_needs(config.folder.path, CONFIG, WEIGHTS)
        if config.weights is not None:
            path = config.weights.path
            return [Need(path.name, str(path), path.is_file())]
        return [hub_need(_repository(config, "timm"), WEIGHTS)]

    @classmethod
    def parameters(cls, config: BackboneConfig, owner: str) -> int:
        """Of the architecture, without a classifier."""
        import torch

        with torch.device("meta"):
            model = _create(config, owner)
        return sum(parameter.numel() for parameter in model.parameters())

    @classmethod
    def files(cls, config: BackboneConfig, runtime: Runtime, owner: str) -> list[Path]:
        """The folder's files, the one of ``weights``, or the hub's."""
        if runtime.rehearsal:
            return []
        if config.folder is not None:
            return checked_files(config.folder.path, owner, (CONFIG, WEIGHTS))
        if config.weights is not None:
            if not config.weights.path.is_file():
                raise MissingFileError(f"{owner}: no file {config.weights.path}")
            return [config.weights.path]
        repository = _repository(config, owner)
        return checked_files(hub_folder(repository, [WEIGHTS], runtime, owner), owner, ())

    def _load(self, config: BackboneConfig, runtime: Runtime, owner: str) -> tuple[Any, Any]:
        if config.weights is not None and config.preprocess is None:
            raise ConfigError(
                f"{owner}: {config.weights.text}: nothing says how pictures become pixels for "
                "these weights: give `preprocess`, as they were trained"
            )
        model = _create(config, owner)
        if not runtime.rehearsal:
            self._read(model, config, runtime, owner)
        self.dim = int(model.num_features)
        return model.to(runtime.device).eval(), _transform(model)

    def _pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self._model(pixels)
        return pooled

    def _read(self, model: Any, config: BackboneConfig, runtime: Runtime, owner: str) -> None:
        """Fill the model with weights; a classifier among them becomes the head."""
        files = self.files(config, runtime, owner)
        path = next(path for path in files if path.suffix != ".json")
        state = read_state(path, owner)
        if config.weights is not None:
            self._take_head(state, "head.weight", "head.bias")
        own = set(model.state_dict())
        classifier = str(model.pretrained_cfg.get("classifier") or "head")
        state = {n: v for n, v in state.items() if n in own or not n.startswith(classifier + ".")}
        try:
            found = model.load_state_dict(state, strict=False)
        except RuntimeError as error:
            raise ConfigError(f"{owner}: {path}: {first_line(error)}") from error
        if found.missing_keys or found.unexpected_keys:
            lacks = named([*found.missing_keys, *(f"+{name}" for name in found.unexpected_keys)])
            raise ConfigError(f"{owner}: {path}: not the weights of {config.describe()}: {lacks}")


def _name(config: BackboneConfig) -> str:
    return f"{config.model}.{config.pretrained}" if config.pretrained else str(config.model)


def _check_name(config: BackboneConfig, owner: str) -> None:
    import timm

    architecture, _, tag = _name(config).partition(".")
    if architecture not in timm.list_models():
        near = did_you_mean(architecture, timm.list_models())
        raise ConfigError(f"{owner}: timm has no model {architecture!r}{near}")
    named = timm.list_models(f"{architecture}.*", pretrained=True)
    tags = [name.partition(".")[2] for name in named]
    if tag and tag not in tags:
        near = did_you_mean(tag, tags) or f": {', '.join(tags) or 'it has none'}"
        raise ConfigError(f"{owner}: {architecture} has no weights {tag!r}{near}")


def _repository(config: BackboneConfig, owner: str) -> str:
    """The hub repository of a named model's weights."""
    import timm

    _check_name(config, owner)
    entry = timm.get_pretrained_cfg(_name(config), allow_unregistered=True)
    if entry is None or not entry.hf_hub_id:
        raise ConfigError(f"{owner}: timm has no weights for {_name(config)!r}")
    return str(entry.hf_hub_id)


def _create(config: BackboneConfig, owner: str) -> Any:
    """The architecture with random weights, its classifier left out."""
    import timm

    if config.folder is None:
        _check_name(config, owner)
        return timm.create_model(_name(config), pretrained=False, num_classes=0)
    path = config.folder.path / "config.json"
    checked_files(config.folder.path, owner, (CONFIG,))
    try:
        return timm.create_model(f"local-dir:{config.folder.path}", pretrained=False, num_classes=0)
    except (KeyError, RuntimeError, TypeError) as error:
        raise MissingFileError(f"{owner}: {path}: {first_line(error)}") from error


def _transform(model: Any) -> Any:
    """Picture -> pixels, as the model's configuration says."""
    from timm.data.config import resolve_data_config
    from timm.data.transforms_factory import create_transform

    data = resolve_data_config({}, pretrained_cfg=model.pretrained_cfg)  # type: ignore[no-untyped-call]  # timm
    return create_transform(**data)
