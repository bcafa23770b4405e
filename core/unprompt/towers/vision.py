"""transformers' CLIP vision tower as pooled features."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError, MissingFileError, first_line, named
from unprompt.towers.architectures import CLIP_MEAN, CLIP_STD, CLIP_VISION
from unprompt.towers.config import BackboneConfig, PreprocessConfig
from unprompt.towers.files import WEIGHTS, folder_needs, hub_folder, hub_need, read_state
from unprompt.towers.preprocess import transform
from unprompt.towers.tower import ImageTower, checked_files

if TYPE_CHECKING:
    import torch

CONFIG, PREPROCESSOR = ("config.json",), ("preprocessor_config.json",)


class VisionTower(ImageTower):
    """A transformers ``CLIPVisionModel``; its features are ``pooler_output``.

    A file in ``weights`` may hold the tower alone or, like the seed's, ``vision.*`` with a head
    as ``fc.weight`` and ``fc.bias`` (DESIGN section 7, item 2).
    """

    @classmethod
    def needs(cls, config: BackboneConfig) -> list[Need]:
        """Configuration, preprocess and weights."""
        if config.folder is not None:
            return folder_needs(config.folder.path, CONFIG, PREPROCESSOR, WEIGHTS)
        if config.weights is not None:
            path = config.weights.path
            # A model that is not known here has its architecture on the hub.
            around = () if str(config.model) in CLIP_VISION else (CONFIG, PREPROCESSOR)
            said = [hub_need(str(config.model), names) for names in around]
            return [Need(path.name, str(path), path.is_file()), *said]
        return [hub_need(str(config.model), names) for names in (CONFIG, PREPROCESSOR, WEIGHTS)]

    @classmethod
    def parameters(cls, config: BackboneConfig, owner: str) -> int:
        """Of the architecture in the folder, or of the hub id's."""
        import torch

        with torch.device("meta"):
            model = _random(config, Runtime(offline=True), owner)
        return sum(parameter.numel() for parameter in model.parameters())

    @classmethod
    def files(cls, config: BackboneConfig, runtime: Runtime, owner: str) -> list[Path]:
        """The folder's files; or the one of ``weights``, and what the hub says around it."""
        if config.weights is None:
            folder = _folder(config, runtime, owner, weights=not runtime.rehearsal)
            return [] if folder is None else checked_files(folder, owner, ())
        if not config.weights.path.is_file():
            raise MissingFileError(f"{owner}: no file {config.weights.path}")
        around = _folder(config, runtime, owner, weights=False)
        names = (*CONFIG, *PREPROCESSOR)
        return [config.weights.path, *([] if around is None else [around / n for n in names])]

    def _load(self, config: BackboneConfig, runtime: Runtime, owner: str) -> tuple[Any, Any]:
        if runtime.offline:
            os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
        if runtime.rehearsal:
            model = _random(config, runtime, owner)
        elif config.weights is not None:
            model = self._from_state(config, runtime, owner)
        else:
            model = _from_folder(config, runtime, owner)
        self.dim = int(model.config.hidden_size)
        return model.to(runtime.device).eval(), _processor(config, runtime, owner)

    def _pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self._model(pixel_values=pixels).pooler_output
        return pooled

    def _from_state(self, config: BackboneConfig, runtime: Runtime, owner: str) -> Any:
        assert config.weights is not None
        path = config.weights.path
        state = read_state(path, owner)
        self._take_head(state, "fc.weight", "fc.bias")
        model = _random(config, runtime, owner)
        own = set(model.state_dict())
        state = {_own_name(name, own): value for name, value in state.items()}
        found = model.load_state_dict(state, strict=False)
        optional = [name for name in found.unexpected_keys if name.endswith("position_ids")]
        wrong = found.missing_keys or len(found.unexpected_keys) > len(optional)
        if wrong:
            lacks = named([*found.missing_keys, *(f"+{name}" for name in found.unexpected_keys)])
            raise ConfigError(f"{owner}: {path}: not the weights of {config.model}: {lacks}")
        return model


def _own_name(name: str, own: set[str]) -> str:
    """The seed wrote ``vision.*``, older transformers ``vision_model.*``; today's has neither."""
    for prefix in ("vision.vision_model.", "vision.", "vision_model."):
        for ours in ("", "vision_model."):
            if name.startswith(prefix) and ours + name.removeprefix(prefix) in own:
                return ours + name.removeprefix(prefix)
    return name if name in own or f"vision_model.{name}" not in own else f"vision_model.{name}"


def _folder(config: BackboneConfig, runtime: Runtime, owner: str, *, weights: bool) -> Path | None:
    """Where configuration and weights lie; None in a rehearsal without configuration."""
    if config.folder is not None:
        needed = [CONFIG, PREPROCESSOR] + [WEIGHTS] * weights
        checked_files(config.folder.path, owner, needed)
        return config.folder.path
    needed = [CONFIG, PREPROCESSOR] + [WEIGHTS] * weights
    known = str(config.model) in CLIP_VISION
    if not weights and known and not all(hub_need(str(config.model), n).here for n in needed):
        return None
    return hub_folder(str(config.model), needed, runtime, owner)


def _random(config: BackboneConfig, runtime: Runtime, owner: str) -> Any:
    """The architecture with random weights."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    folder = _folder(config, runtime, owner, weights=False)
    architecture = (
        CLIPVisionConfig(**CLIP_VISION[str(config.model)], hidden_act="quick_gelu")
        if folder is None
        else CLIPVisionConfig.from_pretrained(folder, local_files_only=True)
    )
    return CLIPVisionModel(architecture)


def _from_folder(config: BackboneConfig, runtime: Runtime, owner: str) -> Any:
    import torch
    from transformers import CLIPVisionModel

    folder = _folder(config, runtime, owner, weights=True)
    try:
        loaded: Any = CLIPVisionModel.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, RuntimeError) as error:
        raise MissingFileError(f"{owner}: cannot load {folder}: {first_line(error)}") from error
    model, found = loaded
    if found["missing_keys"]:  # transformers would make them up at random
        lacks = named(sorted(found["missing_keys"]))
        raise MissingFileError(f"{owner}: {config.describe()} lacks {lacks}")
    return model


def _processor(config: BackboneConfig, runtime: Runtime, owner: str) -> Any:
    """Picture -> pixels, as the folder says, or as OpenAI's CLIPs want it."""
    from transformers import CLIPImageProcessor

    folder = _folder(config, runtime, owner, weights=False)
    if folder is None:
        size = CLIP_VISION[str(config.model)].get("image_size", 224)
        return transform(PreprocessConfig(size=size, mean=CLIP_MEAN, std=CLIP_STD))
    processor = CLIPImageProcessor.from_pretrained(str(folder), local_files_only=True)
    return lambda picture: processor(picture, return_tensors="pt").pixel_values[0]
