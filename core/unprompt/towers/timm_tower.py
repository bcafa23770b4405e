"""A timm model as pooled features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._config.check import did_you_mean
from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError
from unprompt.towers.files import (
    check_file,
    file_need,
    find_folder,
    folder_files,
    origin_needs,
)
from unprompt.towers.messages import check_size, loading
from unprompt.towers.sources import FolderSource, NamedSource, TimmCheckpoint, TimmSource
from unprompt.towers.state import read_state
from unprompt.towers.tower import ImageTower, check_keys

if TYPE_CHECKING:
    import torch

CONFIG, CHECKPOINT = ("config.json",), ("model.safetensors",)


class TimmTower(ImageTower[TimmSource]):
    """A timm model without its classifier.

    A checkpoint may hold a classifier as wide as the target space, as the 68th-place solution's
    does (plugins/kaggle-68th.md): it becomes the `head`.
    """

    @classmethod
    def needs(cls, source: TimmSource) -> list[Need]:
        """The folder's files, the checkpoint, or the hub's file."""
        if isinstance(source, FolderSource):
            return origin_needs(source.origin, (CONFIG, CHECKPOINT))
        if isinstance(source, TimmCheckpoint):
            return [file_need(source.checkpoint.path)]
        return origin_needs(_repository(source, "timm"), (CHECKPOINT,))

    @classmethod
    def _files(cls, source: TimmSource, runtime: Runtime, owner: str) -> list[Path]:
        """The folder's files, the checkpoint, or the hub's file."""
        if runtime.dry_run:
            return []
        if isinstance(source, TimmCheckpoint):
            return [check_file(source.checkpoint.path, owner)]
        if isinstance(source, FolderSource):
            folder = find_folder(source.origin, (CONFIG, CHECKPOINT), runtime, owner)
        else:
            folder = find_folder(_repository(source, owner), (CHECKPOINT,), runtime, owner)
        return folder_files(folder)

    @classmethod
    def _random(cls, source: TimmSource, runtime: Runtime, owner: str) -> Any:
        import timm

        if not isinstance(source, FolderSource):
            return timm.create_model(_known_name(source, owner), pretrained=False, num_classes=0)
        folder = find_folder(source.origin, (CONFIG,), runtime, owner)
        with loading(folder / CONFIG[0], owner):
            return timm.create_model(f"local-dir:{folder}", pretrained=False, num_classes=0)

    def _load(self, source: TimmSource, runtime: Runtime, owner: str) -> tuple[Any, Any]:
        if isinstance(source, FolderSource) and not runtime.dry_run:
            self._check_size(source, runtime, owner)
        model = self._random(source, runtime, owner)
        if not runtime.dry_run:
            self._read(model, source, runtime, owner)
        self.dim = int(model.num_features)
        return model.to(runtime.device).eval(), _transform(model)

    def _check_size(self, source: FolderSource, runtime: Runtime, owner: str) -> None:
        """Refuse a configuration that its checkpoint could never fill."""
        import torch

        files = self._files(source, runtime, owner)
        with loading(source.describe(), owner), torch.device("meta"):
            check_size(self._random(source, runtime, owner), files)

    @staticmethod
    def pool(network: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Without the classifier, see `ImageTower.pool`."""
        pooled: torch.Tensor = network(pixels)
        return pooled

    @staticmethod
    def layers(network: Any) -> dict[str, int]:
        """As timm groups an architecture's parameters; see `ImageTower.layers`."""
        from timm.models import group_parameters

        groups: dict[str, int] = group_parameters(network, network.group_matcher(), reverse=True)
        return groups

    @staticmethod
    def recompute(network: Any) -> None:
        """As timm does it; see `ImageTower.recompute`."""
        try:
            network.set_grad_checkpointing(True)
        except (AssertionError, AttributeError) as error:  # timm's own refusal, and none at all
            kind = type(network).__name__
            raise ConfigError(f"gradient_checkpointing: timm's {kind} cannot do that") from error

    def _read(self, model: Any, source: TimmSource, runtime: Runtime, owner: str) -> None:
        """Fill the model with parameters; a checkpoint's classifier becomes the head."""
        files = self._files(source, runtime, owner)
        path = next(path for path in files if path.suffix != ".json")
        state = read_state(path, owner)
        if isinstance(source, TimmCheckpoint):
            self._take_head(state, "head.weight", "head.bias")
        own = model.state_dict()
        classifier = str(model.pretrained_cfg.get("classifier") or "head")
        state = {n: v for n, v in state.items() if n in own or not n.startswith(classifier + ".")}
        check_keys(own, state, source, f"{owner}: {path}")
        model.load_state_dict(state)


def _known_name(source: NamedSource | TimmCheckpoint, owner: str) -> str:
    """The model's name with its tag.

    Raises:
        ConfigError: timm does not know it.
    """
    import timm

    tag = source.pretrained if isinstance(source, NamedSource) else None
    name = f"{source.model}.{tag}" if tag else source.model
    architecture, _, tag = name.partition(".")
    if architecture not in timm.list_models():
        near = did_you_mean(architecture, timm.list_models())
        raise ConfigError(f"{owner}: timm has no model {architecture!r}{near}")
    names = timm.list_models(f"{architecture}.*", pretrained=True)
    tags = [known.partition(".")[2] for known in names]
    if tag and tag not in tags:
        near = did_you_mean(tag, tags) or f": {', '.join(tags) or 'it has none'}"
        raise ConfigError(f"{owner}: {architecture} has no tag {tag!r}{near}")
    return name


def _repository(source: NamedSource, owner: str) -> str:
    """The hub repository of a named model."""
    import timm

    name = _known_name(source, owner)
    entry = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if entry is None or not entry.hf_hub_id:
        raise ConfigError(f"{owner}: timm has no checkpoint of {name!r}")
    return str(entry.hf_hub_id)


def _transform(model: Any) -> Any:
    """Image -> pixels, as the model's configuration says."""
    from timm.data.config import resolve_data_config
    from timm.data.transforms_factory import create_transform

    data = resolve_data_config({}, pretrained_cfg=model.pretrained_cfg)  # type: ignore[no-untyped-call]  # timm
    return create_transform(**data)
