"""What families need of a bank, wherever its rows lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from unprompt.contracts import Evidence

if TYPE_CHECKING:
    from unprompt.types import DoubleArray, FloatArray


class BankRows(Protocol):
    """Rows of a bank by their numbers."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(B, columns)."""

    def __getitem__(self, rows: npt.NDArray[np.int64], /) -> FloatArray:
        """Unit rows of the shape of ``rows`` and then the columns."""


class BankCounts(Protocol):
    """How often the prompts of a bank occurred, by their numbers."""

    def __len__(self) -> int:
        """B."""

    def __getitem__(self, rows: npt.NDArray[np.int64], /) -> DoubleArray:
        """Counts, float64 of the shape of ``rows``."""


class BankTexts(Protocol):
    """Prompts of a bank by their numbers."""

    def __len__(self) -> int:
        """B."""

    def __getitem__(self, row: int, /) -> str:
        """One prompt."""

    def __iter__(self) -> Iterator[str]:
        """All of them, in order."""


class Bank(Protocol):
    """What families that retrieve need of a bank, wherever it lies."""

    @property
    def prompts(self) -> BankTexts:
        """B prompts."""

    @property
    def targets(self) -> BankRows:
        """Their embeddings in the target space, unit rows (B, D)."""

    @property
    def keys(self) -> BankRows:
        """Their CLIP text embeddings, unit rows (B, C)."""

    def __len__(self) -> int:
        """B."""

    def save(self, folder: Path) -> None:
        """Write it, or which one it is, into an artifact."""

    def check(self, folder: Path, *, target_dim: int | None, key_dim: int | None) -> None:
        """Refuse it where its rows are not as wide as the text encoder's and the CLIP's."""

    def search_keys(
        self, queries: FloatArray, count: int
    ) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        """The rows with the highest CLIP cosine: cosines and rows, both (n, K), highest first."""

    def nearest(self, embeddings: FloatArray, count: int) -> list[tuple[Evidence, ...]]:
        """The prompts whose targets are nearest to rows (n, D), best first."""
