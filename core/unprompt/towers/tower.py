"""What an image tower with an optional head gives, whichever library it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from unprompt._files.hashing import content_hash
from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError, named
from unprompt.towers.sources import TowerSource, CheckpointSource
from unprompt.towers.files import check_folder, folder_files, hub_file_hash
from unprompt.towers.precision import finite, inference
from unprompt.towers.preprocess import transform
from unprompt.types import FloatArray, Json

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


C = TypeVar("C", bound=TowerSource)


class ImageTower(ABC, Generic[C]):
    """A vision model in evaluation mode; ``C`` is what YAML may say of it.

    Attributes:
        dim: Width of the features.
        head: The linear head that came in the checkpoint: ``weight`` (D, dim) and ``bias`` (D,),
            float32; None where the checkpoint is a tower alone.
    """

    dim: int
    head: tuple[FloatArray, FloatArray] | None = None

    def __init__(self, config: C, runtime: Runtime, owner: str) -> None:
        """Load tower and preprocess.

        Args:
            config: Which tower.
            runtime: Device, precision and whether the network may be used.
            owner: Who needs it, for error lines.

        Raises:
            MissingFileError: A file is neither here nor, without `offline`, on the hub.
            ConfigError: There is no such model or tag, or the checkpoint is of another one.
            DataError: A file is damaged or holds something else.
        """
        self._runtime, self._owner = runtime, owner
        self._model, self._preprocess = self._load(config, runtime, owner)
        if config.preprocess is not None:
            self._preprocess = transform(config.preprocess)

    def preprocess(self, image: Image) -> torch.Tensor:
        """One image as float32 of shape (3, H, W)."""
        pixels: torch.Tensor = self._preprocess(image)
        return pixels

    def features(self, pixels: torch.Tensor) -> FloatArray:
        """Pixels (n, 3, H, W) -> pooled features, float32 of shape (n, dim). Raises as `finite`."""
        with inference(self._runtime):
            pooled = self._pooled(pixels.to(self._runtime.device))
        return finite(pooled, self._owner)

    @classmethod
    @abstractmethod
    def needs(cls, config: C) -> list[Need]:
        """The files that loading reads, here or not; touches no network."""

    @classmethod
    @abstractmethod
    def parameters(cls, config: C, owner: str) -> int:
        """How many numbers the tower holds, found without its files. Raises as `__init__` does."""

    @classmethod
    @abstractmethod
    def files(cls, config: C, runtime: Runtime, owner: str) -> list[Path]:
        """Everything that the tower depends on, downloaded where it may be; see `__init__`."""

    @classmethod
    def identity(cls, config: C, runtime: Runtime, owner: str) -> dict[str, Json]:
        """What the tower is, by content, for cache keys. Raises as `__init__` does."""
        files = cls.files(config, runtime, owner)
        explicit = config.preprocess.model_dump(mode="json") if config.preprocess else None
        return {
            "files": content_hash([(path.suffix, hub_file_hash(path)) for path in files]),
            "model": config.model if isinstance(config, CheckpointSource) else None,
            "preprocess": explicit,
        }

    @abstractmethod
    def _load(self, config: C, runtime: Runtime, owner: str) -> tuple[Any, Any]:
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
    """Configuration and parameters of a folder that holds what is needed. See `check_folder`."""
    check_folder(folder, owner, *needed)
    return folder_files(folder)


def check_keys(
    missing: Sequence[str], unexpected: Sequence[str], config: TowerSource, owner: str
) -> None:
    """Refuse a state dict that is not the architecture's.

    Raises:
        ConfigError: A parameter is missing or of another architecture.
    """
    if missing or unexpected:
        keys = named([*missing, *(f"+{name}" for name in unexpected)])
        raise ConfigError(f"{owner}: not a checkpoint of {config.describe()}: {keys}")
