"""How and where to compute: runtime, progress, needed files, and the text encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from unprompt.types import FloatArray

T = TypeVar("T")


class Progress(Protocol):
    """Wraps an iterable and shows its progress; the default, `silent`, shows nothing."""

    def __call__(self, items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
        """Yield ``items`` unchanged; ``total`` is their number, if it is known."""
        ...


def silent(items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
    """The `Progress` that shows nothing."""
    return iter(items)


@dataclass(frozen=True, slots=True)
class Need:
    """A file that a member needs.

    Attributes:
        what: What the file is, and which part needs it.
        where: The path of the file, or the folder in which it was looked for.
        here: Whether it exists.
        fetch: The command that downloads it; None where there is no such command.
    """

    what: str
    where: str
    here: bool
    fetch: str | None = None


class TextEncoder(ABC):
    """Embeds prompts; defines the target space."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """A name of the space: library, model and checkpoint hash. Part of every cache key."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """D, the number of dimensions."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts.

        Args:
            texts: Any number of texts; one may occur more than once.

        Returns:
            Unit rows, float32 of shape (len(texts), D), in the order of ``texts``. A text's row
            does not depend on the other texts (to 1e-5).
        """

    def fast(self) -> TextEncoder | None:
        """A faster encoder of the same space; None: there is none.

        Each of its rows has a cosine of at least 0.9995 with the one of `encode`, and its identity
        is another one, so that caches never mix the two. It serves where a row's error is far
        below the error of what is made of the rows; the truth is never encoded with it.
        """
        return None

    def fastest(self) -> TextEncoder:
        """The fast encoder; the encoder itself where there is none."""
        return self.fast() or self

    def count_tokens(self, text: str) -> int | None:
        """Tokens of a text, those around it included, before any is cut; None: unknown."""
        return None


@dataclass(frozen=True, slots=True)
class Runtime:
    """How and where to compute. Only `precision` may change a result.

    Attributes:
        device: A torch device, such as ``cpu`` or ``cuda:0``.
        precision: ``float32`` or ``bfloat16`` (autocast inside the towers).
        batch_size: Images or texts in one forward pass.
        workers: Threads that open and preprocess images while the tower runs.
        offline: Do not use the network, even where a library could download a file.
        dry_run: This is a dry run of ``unprompt check``: towers are built at their full
            architecture with random parameters, and files that do not exist are not needed.
        text_encoder: The text encoder of the target space, for families that predict by writing
            text.
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
