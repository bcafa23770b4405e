"""transformers' CLIP vision tower as pooled features."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt.contracts import Need, Runtime
from unprompt.towers.architectures import CLIP_MEAN, CLIP_STD, CLIP_VISION
from unprompt.towers.files import (
    CHECKPOINT,
    Origin,
    check_file,
    file_need,
    find_folder,
    folder_files,
    origin_needs,
)
from unprompt.towers.messages import loading
from unprompt.towers.pretrained import load_pretrained
from unprompt.towers.sources import CheckpointSource, PreprocessConfig, TransformersSource
from unprompt.towers.state import read_state
from unprompt.towers.tower import ImageTower, check_keys

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

AROUND = (("config.json",), ("preprocessor_config.json",))
"""The files around a checkpoint."""


class VisionTower(ImageTower[TransformersSource]):
    """A transformers ``CLIPVisionModel``; its features are ``pooler_output``.

    A checkpoint may hold the tower alone or, as the 68th-place solution's does, ``vision.*`` with a
    head as ``fc.weight`` and ``fc.bias`` (plugins/kaggle-68th.md).
    """

    @classmethod
    def needs(cls, source: TransformersSource) -> list[Need]:
        """Configuration, preprocess and parameters."""
        origin = _origin(source)
        if not isinstance(source, CheckpointSource):
            return origin_needs(origin, (*AROUND, CHECKPOINT))
        # A model that is not known here has its architecture on the hub.
        around = () if origin in CLIP_VISION else AROUND
        return [file_need(source.checkpoint.path), *origin_needs(origin, around)]

    @classmethod
    def _files(cls, source: TransformersSource, runtime: Runtime, owner: str) -> list[Path]:
        """The folder's files; or the checkpoint, and what the hub says around it."""
        if isinstance(source, CheckpointSource):
            path = check_file(source.checkpoint.path, owner)
            around = _around(source, runtime, owner)
            return [path, *(around / name for (name,) in AROUND if around is not None)]
        if not runtime.dry_run:
            return folder_files(find_folder(_origin(source), (*AROUND, CHECKPOINT), runtime, owner))
        folder = _around(source, runtime, owner)
        return [] if folder is None else folder_files(folder)

    @classmethod
    def _random(cls, source: TransformersSource, runtime: Runtime, owner: str) -> Any:
        from transformers import CLIPVisionConfig, CLIPVisionModel

        folder = _around(source, runtime, owner)
        if folder is None:
            known = CLIP_VISION[str(_origin(source))]
            return CLIPVisionModel(CLIPVisionConfig(**known, hidden_act="quick_gelu"))
        with loading(folder, owner):
            return CLIPVisionModel(CLIPVisionConfig.from_pretrained(folder, local_files_only=True))

    def _load(self, source: TransformersSource, runtime: Runtime, owner: str) -> tuple[Any, Any]:
        if runtime.offline:
            os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
        from transformers import CLIPVisionModel

        if runtime.dry_run:
            model = self._random(source, runtime, owner)
        elif isinstance(source, CheckpointSource):
            model = self._from_checkpoint(source, runtime, owner)
        else:
            folder = find_folder(_origin(source), (*AROUND, CHECKPOINT), runtime, owner)
            model = load_pretrained(CLIPVisionModel, folder, source.describe(), owner)
        self.dim = int(model.config.hidden_size)
        return model.to(runtime.device).eval(), _processor(source, runtime, owner)

    @staticmethod
    def pool(network: Any, pixels: torch.Tensor) -> torch.Tensor:
        """``pooler_output``, see `ImageTower.pool`."""
        pooled: torch.Tensor = network(pixel_values=pixels).pooler_output
        return pooled

    @staticmethod
    def layers(network: Any) -> dict[str, int]:
        """Embeddings, then blocks; what is behind the last block belongs to it."""
        last = int(network.config.num_hidden_layers)
        return {name: _layer(name, last) for name, _ in network.named_parameters()}

    @staticmethod
    def recompute(network: Any) -> None:
        """Of each block, see `ImageTower.recompute`."""
        enable = getattr(network, "activation_checkpointing_enable", None)  # its name since 5.24
        (enable or network.gradient_checkpointing_enable)({"use_reentrant": False})

    def _from_checkpoint(self, source: CheckpointSource, runtime: Runtime, owner: str) -> Any:
        path = source.checkpoint.path
        state = read_state(path, owner)
        self._take_head(state, "fc.weight", "fc.bias")
        model = self._random(source, runtime, owner)
        own = model.state_dict()
        state = {_own_name(name, set(own)): value for name, value in state.items()}
        # Older transformers wrote positions, which are no parameters.
        extra = [name for name in state if name not in own and name.endswith("position_ids")]
        state = {name: value for name, value in state.items() if name not in extra}
        check_keys(own, state, source, f"{owner}: {path}")
        model.load_state_dict(state)
        return model


def _layer(name: str, last: int) -> int:
    """The layer of a parameter; those of adapters stand below their linear layer's name."""
    block = re.search(r"(?:^|\.)layers\.(\d+)\.", name)
    if block:
        return int(block[1]) + 1
    return last if "post_layernorm" in name else 0


def _own_name(name: str, own: set[str]) -> str:
    """A parameter's name today.

    The 68th-place solution wrote ``vision.*``, older transformers ``vision_model.*``; today's has
    neither.
    """
    bare = name.removeprefix("vision.").removeprefix("vision_model.")
    return next((ours for ours in (bare, f"vision_model.{bare}") if ours in own), name)


def _origin(source: TransformersSource) -> Origin:
    """Where the architecture is: a checkpoint's model is a repository, too."""
    return source.model if isinstance(source, CheckpointSource) else source.origin


def _around(source: TransformersSource, runtime: Runtime, owner: str) -> Path | None:
    """The folder of `AROUND`; None where the architecture is known and the hub's is not here."""
    origin = _origin(source)
    if origin in CLIP_VISION and not all(need.here for need in origin_needs(origin, AROUND)):
        return None
    return find_folder(origin, AROUND, runtime, owner)


def _processor(source: TransformersSource, runtime: Runtime, owner: str) -> Any:
    """Image -> pixels, as the folder says, or as OpenAI's CLIPs want it."""
    from transformers import CLIPImageProcessor

    folder = _around(source, runtime, owner)
    if folder is None:
        size = CLIP_VISION[str(_origin(source))].get("image_size", 224)
        return PreprocessConfig(size=size, mean=CLIP_MEAN, std=CLIP_STD).transform()
    with loading(folder, owner):
        processor = CLIPImageProcessor.from_pretrained(str(folder), local_files_only=True)
    return _Processed(processor)


@dataclass(frozen=True, slots=True)
class _Processed:
    """Image -> pixels, as a processor of transformers makes them; can be sent to a process."""

    processor: Any

    def __call__(self, image: Image) -> torch.Tensor:
        pixels: torch.Tensor = self.processor(image, return_tensors="pt").pixel_values[0]
        return pixels
