"""open_clip's image and text towers as unit rows of one CLIP's dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unprompt.contracts import Need, Runtime
from unprompt.embeddings import unit
from unprompt.towers.sources import OpenClipSource
from unprompt.towers.files import loading
from unprompt.towers.open_clip_files import Resolved, check_checkpoint, identity, needs, resolve
from unprompt.towers.precision import finite, inference
from unprompt.towers.preprocess import transform
from unprompt.towers.views import IDENTITY, View, averaged
from unprompt.types import FloatArray, Json

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class ClipTowers:
    """An open_clip model in evaluation mode.

    Attributes:
        dim: C, the width that images and texts share.
        context: Tokens that a text may have, start and end included; the rest is cut.
    """

    def __init__(self, config: OpenClipSource, runtime: Runtime, owner: str) -> None:
        """Load model, preprocess and tokenizer.

        Args:
            config: Which model.
            runtime: Device, precision, batch size and whether the network may be used.
            owner: Who needs it, for error lines.

        Raises:
            MissingFileError: A file is neither here nor, without `offline`, on the hub.
            ConfigError: There is no such model or tag, or they do not belong together.
            DataError: A file is damaged or holds something else.
        """
        import open_clip

        resolved = resolve(config, runtime, owner)
        with loading(config.describe(), owner):
            try:
                self._model, self._preprocess = _build(resolved, runtime)
                self._tokenizer: Any = open_clip.get_tokenizer(resolved.name)
            except Exception:
                if not runtime.dry_run:
                    check_checkpoint(resolved, owner)  # a damaged file can end in any error
                raise
        if config.preprocess is not None:
            self._preprocess = transform(config.preprocess)
        self._runtime, self._owner = runtime, owner
        self.dim = int(resolved.architecture["embed_dim"])
        self.context = int(getattr(self._tokenizer, "context_length", None) or 77)

    @classmethod
    def needs(cls, config: OpenClipSource) -> list[Need]:
        """The files that loading reads, here or not; touches no network."""
        return needs(config)

    @classmethod
    def identity(cls, config: OpenClipSource, runtime: Runtime, owner: str) -> dict[str, Json]:
        """What the model is, by content, for cache keys. Raises as `__init__` does."""
        return identity(config, runtime, owner)

    @classmethod
    def parameters(cls, config: OpenClipSource, owner: str) -> int:
        """How many numbers both towers hold, found without their files. Raises as `__init__` does."""
        import torch

        dry_run = Runtime(device="meta", offline=True, dry_run=True)
        with torch.device("meta"):
            model, _ = _build(resolve(config, dry_run, owner), dry_run)
        return sum(parameter.numel() for parameter in model.parameters())

    def preprocess(self, image: Image) -> torch.Tensor:
        """One image as float32 of shape (3, H, W)."""
        pixels: torch.Tensor = self._preprocess(image)
        return pixels

    def images(self, pixels: torch.Tensor, views: tuple[View, ...] = IDENTITY) -> FloatArray:
        """Pixels (n, 3, H, W) -> unit rows (n, C), averaged over ``views``."""
        return averaged(self._image_rows, pixels, views)

    def texts(self, texts: Sequence[str], *, what: str = "encode the bank") -> FloatArray:
        """Texts -> unit rows (len(texts), C), in batches; text is cut at `context` tokens."""
        size = self._runtime.batch_size
        starts = range(0, len(texts), size)
        batches = self._runtime.progress(starts, what=what, total=len(starts))
        parts = [self.encode_tokens(self.tokens(texts[i : i + size])) for i in batches]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """Token ids, int64 of shape (len(texts), context), cut and padded."""
        tokens: torch.Tensor = self._tokenizer(list(texts))
        return tokens

    def encode_tokens(self, tokens: torch.Tensor) -> FloatArray:
        """Token ids (n, context) -> unit rows (n, C), in one forward pass."""
        return self._rows(self._model.encode_text, tokens)

    def fits(self, text: str) -> bool:
        """Whether nothing of the text is cut."""
        inner = getattr(self._tokenizer, "tokenizer", None)  # a transformers tokenizer, wrapped
        if inner is not None:
            return len(inner(text, truncation=False).input_ids) <= self.context
        start_and_end = 2
        return len(self._tokenizer.encode(text)) + start_and_end <= self.context

    def _image_rows(self, pixels: torch.Tensor) -> FloatArray:
        return self._rows(self._model.encode_image, pixels)

    def _rows(self, encode: Callable[[torch.Tensor], torch.Tensor], inputs: Any) -> FloatArray:
        with inference(self._runtime):
            rows = encode(inputs.to(self._runtime.device))
        return unit(finite(rows, self._owner))


def _build(resolved: Resolved, runtime: Runtime) -> tuple[Any, Any]:
    """Model and preprocess; random parameters in a dry run."""
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    model = open_clip.create_model(
        resolved.name,
        pretrained=None if resolved.checkpoint is None else str(resolved.checkpoint),
        load_weights=not runtime.dry_run,
        device=runtime.device,
        weights_only=True,
        force_preprocess_cfg=resolved.preprocess,
    )
    preprocess = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    return model.eval(), preprocess
