"""open_clip's image and text towers as unit rows of one space."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unprompt.backbones.config import BackboneConfig, check_folder
from unprompt.config.check import did_you_mean
from unprompt.contracts import Runtime
from unprompt.embeddings import unit
from unprompt.errors import MissingFileError, first_line
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class ClipTowers:
    """An open_clip model in evaluation mode.

    Attributes:
        dim: C, the width of the shared space.
    """

    def __init__(self, config: BackboneConfig, runtime: Runtime, owner: str) -> None:
        """Load model, preprocess and tokenizer.

        Args:
            config: Which model.
            runtime: Device, precision, batch size and whether the network may be used.
            owner: Who needs it, for error lines.

        Raises:
            MissingFileError: Weights are neither here nor, without `offline`, on the hub.
        """
        if runtime.offline:
            os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
        import open_clip

        name = f"local-dir:{config.folder.path}" if config.folder else str(config.model)
        if config.model and ":" not in config.model and config.model not in open_clip.list_models():
            near = did_you_mean(config.model, open_clip.list_models())
            raise MissingFileError(f"{owner}: open_clip has no model {config.model!r}{near}")
        if config.folder:
            check_folder(config.folder.path, owner, "open_clip_config.json")
        try:
            model, _, self._preprocess = open_clip.create_model_and_transforms(
                name, pretrained=config.pretrained, device=runtime.device
            )
            self._tokenizer = open_clip.get_tokenizer(name)
        except (OSError, RuntimeError, ValueError) as error:
            what = config.folder.path if config.folder else f"{config.model} / {config.pretrained}"
            raise MissingFileError(f"{owner}: cannot load {what}: {first_line(error)}") from error
        self._model = model.eval()
        self._runtime = runtime
        self.dim = int(open_clip.get_model_config(name)["embed_dim"])

    def preprocess(self, picture: Image) -> torch.Tensor:
        """One picture as float32 of shape (3, H, W)."""
        pixels: torch.Tensor = self._preprocess(picture)
        return pixels

    def images(self, pixels: torch.Tensor) -> FloatArray:
        """Pixels (n, 3, H, W) -> unit rows (n, C)."""
        return self._rows(self._model.encode_image, pixels)

    def texts(self, texts: Sequence[str]) -> FloatArray:
        """Texts -> unit rows (len(texts), C), in batches; text is cut at the context's length."""
        size = self._runtime.batch_size
        starts = range(0, len(texts), size)
        shown = self._runtime.progress(starts, what="encode the bank", total=len(starts))
        parts = [
            self._rows(self._model.encode_text, self._tokenizer(list(texts[i : i + size])))
            for i in shown
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    def _rows(self, encode: torch.nn.Module, inputs: torch.Tensor) -> FloatArray:
        import torch

        device = self._runtime.device
        half = self._runtime.precision == "bfloat16"
        with (
            torch.inference_mode(),
            torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half),
        ):
            rows = encode(inputs.to(device))
        return unit(rows.float().cpu().numpy())
