"""open_clip's image and text towers as unit rows of one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unprompt.contracts import Need, Runtime
from unprompt.embeddings import unit
from unprompt.errors import MissingFileError, first_line
from unprompt.towers.config import BackboneConfig
from unprompt.towers.open_clip_files import Resolved, check_weights, identity, needs, resolve
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
        dim: C, the width of the shared space.
        context: Tokens that a text may have, start and end included; the rest is cut.
    """

    def __init__(self, config: BackboneConfig, runtime: Runtime, owner: str) -> None:
        """Load model, preprocess and tokenizer.

        Args:
            config: Which model.
            runtime: Device, precision, batch size and whether the network may be used.
            owner: Who needs it, for error lines.

        Raises:
            MissingFileError: Weights are neither here nor, without `offline`, on the hub.
            ConfigError: There is no such model or tag, or they do not belong together.
            DataError: A file of weights holds something else.
        """
        import open_clip

        found = resolve(config, runtime, owner)
        try:
            self._model, self._preprocess = _build(found, runtime)
            self._tokenizer: Any = open_clip.get_tokenizer(found.name)
        except Exception as error:
            if not runtime.rehearsal:
                check_weights(found, owner)  # a broken file can end in any error
            if not isinstance(error, (OSError, RuntimeError, ValueError)):
                raise
            raise MissingFileError(
                f"{owner}: cannot load {config.describe()}: {first_line(error)}"
            ) from error
        if config.preprocess is not None:
            self._preprocess = transform(config.preprocess)
        self._runtime, self._owner = runtime, owner
        self.dim = int(found.architecture["embed_dim"])
        self.context = int(getattr(self._tokenizer, "context_length", None) or 77)

    @classmethod
    def needs(cls, config: BackboneConfig) -> list[Need]:
        """The files that loading reads, here or not; touches no network."""
        return needs(config)

    @classmethod
    def identity(cls, config: BackboneConfig, runtime: Runtime, owner: str) -> dict[str, Json]:
        """What the model is, by content, for cache keys. Raises as `__init__` does."""
        return identity(config, runtime, owner)

    @classmethod
    def parameters(cls, config: BackboneConfig, owner: str) -> int:
        """How many numbers both towers hold, found without weights. Raises as `__init__` does."""
        import torch

        rehearsal = Runtime(device="meta", offline=True, rehearsal=True)
        with torch.device("meta"):
            model, _ = _build(resolve(config, rehearsal, owner), rehearsal)
        return sum(parameter.numel() for parameter in model.parameters())

    def preprocess(self, picture: Image) -> torch.Tensor:
        """One picture as float32 of shape (3, H, W)."""
        pixels: torch.Tensor = self._preprocess(picture)
        return pixels

    def images(self, pixels: torch.Tensor, views: tuple[View, ...] = IDENTITY) -> FloatArray:
        """Pixels (n, 3, H, W) -> unit rows (n, C), averaged over ``views``."""
        return averaged(self._image_rows, pixels, views)

    def texts(self, texts: Sequence[str], *, what: str = "encode the bank") -> FloatArray:
        """Texts -> unit rows (len(texts), C), in batches; text is cut at `context` tokens."""
        size = self._runtime.batch_size
        starts = range(0, len(texts), size)
        shown = self._runtime.progress(starts, what=what, total=len(starts))
        parts = [self.encode_tokens(self.tokens(texts[i : i + size])) for i in shown]
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


def _build(found: Resolved, runtime: Runtime) -> tuple[Any, Any]:
    """Model and preprocess; random weights in a rehearsal."""
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    model = open_clip.create_model(
        found.name,
        pretrained=None if found.weights is None else str(found.weights),
        load_weights=not runtime.rehearsal,
        device=runtime.device,
        weights_only=True,
        force_preprocess_cfg=found.preprocess,
    )
    preprocess = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    return model.eval(), preprocess
