"""What an image tower with an optional head gives, whichever library it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._files.hashing import content_hash
from unprompt.contracts import Need, Runtime
from unprompt.towers.config import BackboneConfig
from unprompt.towers.files import check_folder, folder_files, weights_hash
from unprompt.towers.precision import finite, inference
from unprompt.towers.preprocess import transform
from unprompt.types import FloatArray, Json

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class ImageTower(ABC):
    """A vision model in evaluation mode.

    Attributes:
        dim: Width of the features.
        head: The linear head that came with the weights: ``weight`` (D, dim) and ``bias`` (D,),
            float32; None where the weights are a tower alone.
    """

    dim: int
    head: tuple[FloatArray, FloatArray] | None = None

    def __init__(self, config: BackboneConfig, runtime: Runtime, owner: str) -> None:
        """Load tower and preprocess.

        Args:
            config: Which tower.
            runtime: Device, precision and whether the network may be used.
            owner: Who needs it, for error lines.

        Raises:
            MissingFileError: Weights are neither here nor, without `offline`, on the hub.
            ConfigError: There is no such model, or nothing says how pictures become pixels.
            DataError: A file of weights holds something else.
        """
        self._runtime, self._owner = runtime, owner
        self._model, self._preprocess = self._load(config, runtime, owner)
        if config.preprocess is not None:
            self._preprocess = transform(config.preprocess)

    def preprocess(self, picture: Image) -> torch.Tensor:
        """One picture as float32 of shape (3, H, W)."""
        pixels: torch.Tensor = self._preprocess(picture)
        return pixels

    def features(self, pixels: torch.Tensor) -> FloatArray:
        """Pixels (n, 3, H, W) -> pooled features, float32 of shape (n, dim). Raises as `finite`."""
        with inference(self._runtime):
            pooled = self._pooled(pixels.to(self._runtime.device))
        return finite(pooled, self._owner)

    @classmethod
    @abstractmethod
    def needs(cls, config: BackboneConfig) -> list[Need]:
        """The files that loading reads, here or not; touches no network."""

    @classmethod
    @abstractmethod
    def parameters(cls, config: BackboneConfig, owner: str) -> int:
        """How many numbers the tower holds, found without weights. Raises as `__init__` does."""

    @classmethod
    @abstractmethod
    def files(cls, config: BackboneConfig, runtime: Runtime, owner: str) -> list[Path]:
        """Everything that the tower depends on, downloaded where it may be; see `__init__`."""

    @classmethod
    def identity(cls, config: BackboneConfig, runtime: Runtime, owner: str) -> dict[str, Json]:
        """What the tower is, by content, for cache keys. Raises as `__init__` does."""
        files = cls.files(config, runtime, owner)
        explicit = config.preprocess.model_dump(mode="json") if config.preprocess else None
        return {
            "files": content_hash([(path.suffix, weights_hash(path)) for path in files]),
            "model": config.model if config.weights else None,
            "preprocess": explicit,
        }

    @abstractmethod
    def _load(self, config: BackboneConfig, runtime: Runtime, owner: str) -> tuple[Any, Any]:
        """Model and preprocess; sets `dim`, and `head` where there is one."""

    @abstractmethod
    def _pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (n, 3, H, W) -> (n, dim)."""

    def _take_head(self, state: dict[str, torch.Tensor], weight: str, bias: str) -> None:
        """Move a head out of a state dict, where it is there."""
        if weight in state:
            rows, offsets = state.pop(weight), state.pop(bias)
            self.head = (rows.float().numpy(), offsets.float().numpy())


def checked_files(folder: Path, owner: str, needed: Sequence[Sequence[str]]) -> list[Path]:
    """Configuration and weights of a folder that holds what is needed. See `check_folder`."""
    check_folder(folder, owner, *needed)
    return folder_files(folder)
