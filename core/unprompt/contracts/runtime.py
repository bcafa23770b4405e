"""How and where to compute, and the target space to compute in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from unprompt.types import FloatArray

T = TypeVar("T")


class Progress(Protocol):
    """Wraps an iterable to show how far it has come; the default shows nothing."""

    def __call__(self, items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
        """Yield ``items`` unchanged; ``total`` is their number where it is known."""
        ...


def silent(items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
    """The `Progress` that shows nothing."""
    return iter(items)


@dataclass(frozen=True, slots=True)
class Need:
    """A file that a member cannot do without.

    Attributes:
        what: The file, and whose it is.
        where: The path where it is, or the folder where it was looked for.
        here: Whether it is there.
        fetch: The command that would get it; None where nobody but the user can.
    """

    what: str
    where: str
    here: bool
    fetch: str | None = None


class TextEncoder(ABC):
    """Prompts -> embeddings; fixes the target space."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Names the space: library, model and weights hash. Part of every cache key."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """D, the number of dimensions."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows, float32 of shape (len(texts), D), in the order of ``texts``."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """How and where to compute; never what. Only `precision` may change a result.

    Attributes:
        device: A torch device, such as ``cpu`` or ``cuda:0``.
        precision: ``float32`` or ``bfloat16`` (autocast inside the towers).
        batch_size: Images or texts in one forward pass.
        workers: Threads that open and preprocess images while the tower runs.
        offline: Never touch the network, even where a library could download.
        dry_run: Build towers at their full architecture with random parameters, and do without
            files that are not here: for ``unprompt check``. Predictions then mean nothing.
        text_encoder: The target space, for families that predict by writing text.
        progress: Shows progress; see `Progress`.
    """

    device: str = "cpu"
    precision: str = "float32"
    batch_size: int = 64
    workers: int = 2
    offline: bool = False
    dry_run: bool = False
    text_encoder: TextEncoder | None = None
    progress: Progress = silent
