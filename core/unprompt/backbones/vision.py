"""transformers' CLIP vision tower as pooled features."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from unprompt.backbones.config import BackboneConfig, check_folder
from unprompt.contracts import Runtime
from unprompt.errors import MissingFileError, first_line, named
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class VisionTower:
    """A transformers ``CLIPVisionModel`` in evaluation mode, with its image processor.

    Attributes:
        dim: Width of the pooled features.
    """

    def __init__(self, config: BackboneConfig, runtime: Runtime, owner: str) -> None:
        """Load tower and processor.

        Args:
            config: A hub id as `model`, or a folder.
            runtime: Device, precision and whether the network may be used.
            owner: Who needs it, for error lines.

        Raises:
            MissingFileError: Weights are neither here nor, without `offline`, on the hub.
        """
        if runtime.offline:
            os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
        import torch
        from transformers import CLIPImageProcessor, CLIPVisionModel

        name = str(config.folder.path) if config.folder else str(config.model)
        if config.folder:
            needed = ("config.json", "preprocessor_config.json")
            check_folder(config.folder.path, owner, *needed)
        local = runtime.offline or config.folder is not None
        try:
            self._processor = CLIPImageProcessor.from_pretrained(name, local_files_only=local)
            loaded: Any = CLIPVisionModel.from_pretrained(
                name,
                local_files_only=local,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except (OSError, RuntimeError) as error:
            raise MissingFileError(f"{owner}: cannot load {name}: {first_line(error)}") from error
        model, found = loaded
        if found["missing_keys"]:  # transformers would make them up at random
            raise MissingFileError(f"{owner}: {name} lacks {named(sorted(found['missing_keys']))}")
        self._model = model.to(torch.device(runtime.device)).eval()
        self._runtime = runtime
        self.dim = int(model.config.hidden_size)

    def preprocess(self, picture: Image) -> torch.Tensor:
        """One picture as float32 of shape (3, H, W)."""
        pixels: torch.Tensor = self._processor(picture, return_tensors="pt").pixel_values[0]
        return pixels

    def features(self, pixels: torch.Tensor) -> FloatArray:
        """Pixels (n, 3, H, W) -> ``pooler_output``, float32 of shape (n, dim)."""
        import torch

        device = self._runtime.device
        half = self._runtime.precision == "bfloat16"
        with (
            torch.inference_mode(),
            torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half),
        ):
            pooled = self._model(pixel_values=pixels.to(device)).pooler_output
        rows: FloatArray = pooled.float().cpu().numpy()
        return rows
