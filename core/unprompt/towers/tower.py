"""What every tower gives, whichever library it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from unprompt._files.paths import shown
from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError, DataError, named
from unprompt.towers.files import files_hash
from unprompt.towers.precision import finite, inference, parameter_count
from unprompt.towers.sources import CheckpointSource, TowerSource
from unprompt.towers.state import misfit, no_numbers
from unprompt.types import FloatArray, PlainData

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

S = TypeVar("S", bound=TowerSource)


class Tower(ABC, Generic[S]):
    """A pretrained model in evaluation mode; ``S`` is what YAML may say of where it comes from."""

    def __init__(self, source: S, runtime: Runtime, owner: str) -> None:
        """Load model and preprocess.

        Args:
            source: Which model.
            runtime: Device, precision, batch size and whether the network may be used.
            owner: Who needs it, for error lines.

        Raises:
            MissingFileError: A file is neither here nor, without `offline`, on the hub.
            ConfigError: There is no such model or tag, or the checkpoint is of another one.
            DataError: A file is damaged or holds something else.
        """
        self._runtime, self._owner = runtime, owner
        self._model, self._preprocess = self._load(source, runtime, owner)
        if source.preprocess is not None:
            self._preprocess = source.preprocess.transform()

    def preprocess(self, image: Image) -> torch.Tensor:
        """One image as float32 of shape (3, H, W)."""
        pixels: torch.Tensor = self._preprocess(image)
        return pixels

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return parameter_count(self._model)

    @property
    def transform(self) -> Callable[[Image], torch.Tensor]:
        """`preprocess` without the model, which worker processes can be given."""
        transform: Callable[[Image], torch.Tensor] = self._preprocess
        return transform

    @classmethod
    @abstractmethod
    def needs(cls, source: S) -> list[Need]:
        """The files that loading reads, here or not; touches no network."""

    @classmethod
    @abstractmethod
    def identity(cls, source: S, runtime: Runtime, owner: str) -> dict[str, PlainData]:
        """What the tower is, by content, for cache keys. Raises as `__init__` does."""

    @classmethod
    def parameters(cls, source: S, owner: str) -> int:
        """How many numbers it holds, found without its checkpoint. Raises as `__init__` does."""
        import torch

        with torch.device("meta"):
            model = cls._random(source, Runtime(device="meta", offline=True, dry_run=True), owner)
        return parameter_count(model)

    @classmethod
    @abstractmethod
    def _random(cls, source: S, runtime: Runtime, owner: str) -> Any:
        """The architecture with random parameters."""

    @abstractmethod
    def _load(self, source: S, runtime: Runtime, owner: str) -> tuple[Any, Any]:
        """Model and preprocess; random parameters in a dry run."""

    def _rows(self, forward: Callable[[Any], torch.Tensor], inputs: torch.Tensor) -> FloatArray:
        """What a forward pass gives, float32 of shape (n, C). Raises as `finite` does."""
        with inference(self._runtime, self._model):
            rows = forward(inputs.to(self._runtime.device))
        return finite(rows, self._owner)


class ImageTower(Tower[S]):
    """A vision model that may have a head.

    Attributes:
        dim: Width of the features.
        head: The linear head that came in the checkpoint: ``weight`` (D, dim) and ``bias`` (D,),
            float32; None where the checkpoint is a tower alone.
    """

    dim: int
    head: tuple[FloatArray, FloatArray] | None = None

    def features(self, pixels: torch.Tensor) -> FloatArray:
        """Pixels (n, 3, H, W) -> pooled features, float32 of shape (n, dim). Raises as `finite`."""
        return self._rows(lambda seen: self.pool(self._model, seen), pixels)

    @property
    def network(self) -> torch.nn.Module:
        """The model itself, for training: what is changed in it is what predicts."""
        network: torch.nn.Module = self._model
        return network

    @staticmethod
    @abstractmethod
    def pool(network: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (n, 3, H, W) -> features (n, dim), with gradients.

        Args:
            network: A tower's `network`, or a copy of one.
            pixels: On the network's device.
        """

    @staticmethod
    @abstractmethod
    def layers(network: Any) -> dict[str, int]:
        """Which layer each parameter belongs to: 0 is the embedding of patches, blocks follow.

        Args:
            network: A tower's `network`; it may have adapters.
        """

    @staticmethod
    @abstractmethod
    def recompute(network: Any) -> None:
        """Gradient checkpointing: activations are computed again instead of kept.

        Raises:
            ConfigError: The architecture cannot do that.
        """

    def fill(self, state: Mapping[str, torch.Tensor], path: Path) -> None:
        """Replace parameters by trained ones.

        Args:
            state: Some or all of the `network`'s state dict.
            path: Where they were read, for error lines.

        Raises:
            DataError: One is no parameter of this tower, of another shape, or not finite.
        """
        import torch

        own = self._model.state_dict()
        merged = {**own, **state}
        wrong = [name for name, value in state.items() if not torch.isfinite(value).all()]
        problem = misfit(own, merged) or (f"not finite: {named(wrong)}" if wrong else None)
        if problem:
            raise DataError(f"{shown(path)}: not the parameters of this tower: {problem}")
        self._model.load_state_dict(merged)

    @classmethod
    def identity(cls, source: S, runtime: Runtime, owner: str) -> dict[str, PlainData]:
        """Files, preprocess, and the architecture where a checkpoint does not say it."""
        explicit = source.preprocess.model_dump(mode="json") if source.preprocess else None
        return {
            "files": files_hash(cls._files(source, runtime, owner)),
            "model": source.model if isinstance(source, CheckpointSource) else None,
            "preprocess": explicit,
        }

    @classmethod
    @abstractmethod
    def _files(cls, source: S, runtime: Runtime, owner: str) -> list[Path]:
        """Everything that the tower depends on, downloaded where it may be; see `__init__`."""

    def _take_head(self, state: dict[str, torch.Tensor], weight: str, bias: str) -> None:
        """Move a head out of a state dict, where it is there."""
        if weight in state:
            rows, offsets = state.pop(weight), state.pop(bias)
            self.head = (rows.float().numpy(), offsets.float().numpy())


def check_keys(
    own: Mapping[str, torch.Tensor],
    state: Mapping[str, torch.Tensor],
    source: TowerSource,
    owner: str,
) -> None:
    """Refuse a state dict that is not the architecture's.

    Args:
        own: The model's state dict.
        state: The checkpoint's.
        source: What it should be a checkpoint of.
        owner: Who needs it, and its file.

    Raises:
        ConfigError: A parameter is missing, of another architecture or of another shape; the line
            names the first of each and counts them.
        DataError: It holds integers where parameters belong, or only zeros.
    """
    if problem := misfit(own, state):
        raise ConfigError(f"{owner}: not a checkpoint of {source.describe()}: {problem}")
    if problem := no_numbers(own, state):
        raise DataError(f"{owner}: not a checkpoint: {problem}")
