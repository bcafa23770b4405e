"""transformers' CLIP vision tower as pooled features."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt.contracts import Need, Runtime
from unprompt.towers.architectures import CLIP_MEAN, CLIP_STD, CLIP_VISION
from unprompt.towers.sources import (
    CheckpointSource,
    FolderSource,
    PreprocessConfig,
    TransformersSource,
)
from unprompt.towers.files import (
    CHECKPOINT,
    check_complete,
    check_file,
    file_need,
    folder_needs,
    hub_folder,
    hub_need,
    loading,
)
from unprompt.towers.preprocess import transform
from unprompt.towers.state import read_state
from unprompt.towers.tower import ImageTower, check_keys, checked_files

if TYPE_CHECKING:
    import torch

CONFIG, PREPROCESSOR = ("config.json",), ("preprocessor_config.json",)


class VisionTower(ImageTower[TransformersSource]):
    """A transformers ``CLIPVisionModel``; its features are ``pooler_output``.

    A checkpoint may hold the tower alone or, as the 68th-place solution's does, ``vision.*`` with a
    head as ``fc.weight`` and ``fc.bias`` (plugins/kaggle-68th.md).
    """

    @classmethod
    def needs(cls, config: TransformersSource) -> list[Need]:
        """Configuration, preprocess and parameters."""
        if isinstance(config, FolderSource):
            return folder_needs(config.folder.path, CONFIG, PREPROCESSOR, CHECKPOINT)
        if not isinstance(config, CheckpointSource):
            return [hub_need(config.model, names) for names in (CONFIG, PREPROCESSOR, CHECKPOINT)]
        # A model that is not known here has its architecture on the hub.
        around = () if config.model in CLIP_VISION else (CONFIG, PREPROCESSOR)
        hub_needs = [hub_need(config.model, names) for names in around]
        return [file_need(config.checkpoint.path), *hub_needs]

    @classmethod
    def parameters(cls, config: TransformersSource, owner: str) -> int:
        """Of the architecture in the folder, or of the hub id's."""
        import torch

        with torch.device("meta"):
            model = _random(config, Runtime(offline=True), owner)
        return sum(parameter.numel() for parameter in model.parameters())

    @classmethod
    def files(cls, config: TransformersSource, runtime: Runtime, owner: str) -> list[Path]:
        """The folder's files; or the checkpoint, and what the hub says around it."""
        if not isinstance(config, CheckpointSource):
            folder = _folder(config, runtime, owner, checkpoint=not runtime.dry_run)
            return [] if folder is None else checked_files(folder, owner, ())
        path = check_file(config.checkpoint.path, owner)
        around = _folder(config, runtime, owner, checkpoint=False)
        names = (*CONFIG, *PREPROCESSOR)
        return [path, *([] if around is None else [around / name for name in names])]

    def _load(self, config: TransformersSource, runtime: Runtime, owner: str) -> tuple[Any, Any]:
        if runtime.offline:
            os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
        if runtime.dry_run:
            model = _random(config, runtime, owner)
        elif isinstance(config, CheckpointSource):
            model = self._from_checkpoint(config, runtime, owner)
        else:
            model = _from_folder(config, runtime, owner)
        self.dim = int(model.config.hidden_size)
        return model.to(runtime.device).eval(), _processor(config, runtime, owner)

    def _pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self._model(pixel_values=pixels).pooler_output
        return pooled

    def _from_checkpoint(self, config: CheckpointSource, runtime: Runtime, owner: str) -> Any:
        path = config.checkpoint.path
        state = read_state(path, owner)
        self._take_head(state, "fc.weight", "fc.bias")
        model = _random(config, runtime, owner)
        own = set(model.state_dict())
        state = {_own_name(name, own): value for name, value in state.items()}
        keys = model.load_state_dict(state, strict=False)
        # Older transformers wrote positions, which are no parameters.
        unexpected = [name for name in keys.unexpected_keys if not name.endswith("position_ids")]
        check_keys(keys.missing_keys, unexpected, config, f"{owner}: {path}")
        return model


def _own_name(name: str, own: set[str]) -> str:
    """A parameter's name today.

    The 68th-place solution wrote ``vision.*``, older transformers ``vision_model.*``; today's has
    neither.
    """
    for prefix in ("vision.vision_model.", "vision.", "vision_model."):
        for ours in ("", "vision_model."):
            if name.startswith(prefix) and ours + name.removeprefix(prefix) in own:
                return ours + name.removeprefix(prefix)
    return name if name in own or f"vision_model.{name}" not in own else f"vision_model.{name}"


def _folder(
    config: TransformersSource, runtime: Runtime, owner: str, *, checkpoint: bool
) -> Path | None:
    """Where the files lie; None where the architecture is known and its files are not here."""
    needed = [CONFIG, PREPROCESSOR] + [CHECKPOINT] * checkpoint
    if isinstance(config, FolderSource):
        checked_files(config.folder.path, owner, needed)
        return config.folder.path
    known = not checkpoint and config.model in CLIP_VISION
    if known and not all(hub_need(config.model, names).here for names in needed):
        return None
    return hub_folder(config.model, needed, runtime, owner)


def _random(config: TransformersSource, runtime: Runtime, owner: str) -> Any:
    """The architecture with random parameters."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    folder = _folder(config, runtime, owner, checkpoint=False)
    if folder is None:
        assert not isinstance(config, FolderSource)  # it is there, or `_folder` raised
        known = CLIP_VISION[config.model]
        return CLIPVisionModel(CLIPVisionConfig(**known, hidden_act="quick_gelu"))
    with loading(folder, owner):
        return CLIPVisionModel(CLIPVisionConfig.from_pretrained(folder, local_files_only=True))


def _from_folder(config: TransformersSource, runtime: Runtime, owner: str) -> Any:
    import torch
    from transformers import CLIPVisionModel

    folder = _folder(config, runtime, owner, checkpoint=True)
    with loading(folder, owner):
        loaded: Any = CLIPVisionModel.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    model, report = loaded
    check_complete(report["missing_keys"], config.describe(), owner)
    return model


def _processor(config: TransformersSource, runtime: Runtime, owner: str) -> Any:
    """Image -> pixels, as the folder says, or as OpenAI's CLIPs want it."""
    from transformers import CLIPImageProcessor

    folder = _folder(config, runtime, owner, checkpoint=False)
    if folder is None:
        assert not isinstance(config, FolderSource)  # as in `_random`
        size = CLIP_VISION[config.model].get("image_size", 224)
        return transform(PreprocessConfig(size=size, mean=CLIP_MEAN, std=CLIP_STD))
    with loading(folder, owner):
        processor = CLIPImageProcessor.from_pretrained(str(folder), local_files_only=True)
    return lambda image: processor(image, return_tensors="pt").pixel_values[0]
