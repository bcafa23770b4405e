"""A prompt bank in memory and on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unprompt.artifacts import read_json, read_tensors
from unprompt.contracts import Evidence
from unprompt.errors import DataError
from unprompt.types import FloatArray

if TYPE_CHECKING:
    from unprompt.bank.search import PreparedRows

ROWS, TEXTS = "bank.safetensors", "prompts.json"


@dataclass(frozen=True, eq=False)
class PromptBank:
    """Known prompts, read-only.

    Attributes:
        prompts: B prompts; one may occur more than once.
        targets: Their embeddings in the target space, unit rows of shape (B, D).
        keys: Their CLIP text embeddings, unit rows of shape (B, C); C = 0 where the family does
            not search by CLIP.
    """

    prompts: tuple[str, ...]
    targets: FloatArray
    keys: FloatArray

    def __post_init__(self) -> None:
        """Check that there is one target row and one key row per prompt."""
        if not len(self.prompts) == len(self.targets) == len(self.keys):
            raise DataError(
                f"a bank of {len(self.prompts)} prompts has {len(self.targets)} target rows "
                f"and {len(self.keys)} key rows"
            )

    @classmethod
    def of(
        cls, prompts: Sequence[str], targets: FloatArray, keys: FloatArray | None = None
    ) -> PromptBank:
        """Make a bank; without ``keys`` it can only be searched with `nearest`."""
        empty = np.empty((len(prompts), 0), np.float32)
        return cls(tuple(prompts), targets, empty if keys is None else keys)

    def __len__(self) -> int:
        """B."""
        return len(self.prompts)

    def save(self, folder: Path) -> None:
        """Write ``bank.safetensors`` and ``prompts.json`` into an existing folder."""
        from safetensors.numpy import save_file

        save_file({"targets": self.targets, "keys": self.keys}, folder / ROWS)
        text = json.dumps(self.prompts, ensure_ascii=False)
        (folder / TEXTS).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> PromptBank:
        """Read what `save` wrote.

        Raises:
            DataError: A file is missing or damaged, holds something else or numbers that are not
                finite, or the files do not belong together; names the file.
        """
        shapes = {"targets": ("B", "D"), "keys": ("B", "C")}
        rows = read_tensors(folder / ROWS, shapes)
        prompts: tuple[str, ...] = read_json(folder / TEXTS, tuple[str, ...])
        if len(prompts) != len(rows["targets"]):
            raise DataError(
                f"{folder / TEXTS}: {len(prompts)} prompts; {folder / ROWS} has "
                f"{len(rows['targets'])} rows"
            )
        targets, keys = (rows[name].astype(np.float32, copy=False) for name in shapes)
        return cls(prompts, targets, keys)

    def check(self, folder: Path, *, target_dim: int | None, key_dim: int | None) -> None:
        """Check that a bank belongs to a text encoder and a CLIP.

        Args:
            folder: Where it was read, for error lines.
            target_dim: D of the text encoder; None: it is not known.
            key_dim: C of the CLIP that searches; None: none does.

        Raises:
            DataError: Its rows are of another width, or there is nothing to search.
        """
        if key_dim is not None and not len(self):
            raise DataError(f"{folder / TEXTS}: holds no prompts")
        widths = {"target": (self.targets, target_dim), "key": (self.keys, key_dim)}
        for what, (rows, dim) in widths.items():
            if len(self) and dim is not None and rows.shape[1] != dim:
                raise DataError(
                    f"{folder / ROWS}: its {what} rows have {rows.shape[1]} numbers, not {dim}: "
                    "it was made with another tower or text encoder"
                )

    def search_keys(
        self, queries: FloatArray, count: int
    ) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        """Exact search for the ``count`` rows with the highest CLIP cosine.

        Args:
            queries: Unit rows of shape (n, C).
            count: K; a smaller bank gives fewer.

        Returns:
            Cosines of shape (n, K), highest first, and the indices of the rows, of shape (n, K).
        """
        from unprompt.bank.search import search_exact

        near = search_exact(queries, self._prepared_keys, count)
        return near.cosines, near.rows

    def nearest(self, embeddings: FloatArray, count: int) -> list[tuple[Evidence, ...]]:
        """The prompts whose targets are nearest to predicted embeddings.

        Args:
            embeddings: Unit rows of shape (n, D).
            count: The number of prompts for each embedding.

        Returns:
            n lists of evidence of kind ``nearest``, best first; empty lists for an empty bank.
        """
        if not len(self):
            return [()] * len(embeddings)
        from unprompt.bank.search import search_exact

        near = search_exact(embeddings, self._prepared_targets, count)
        return [
            tuple(
                Evidence(self.prompts[row], float(cosine), "nearest")
                for cosine, row in zip(row_cosines, rows, strict=True)
            )
            for row_cosines, rows in zip(near.cosines, near.rows, strict=True)
        ]

    @cached_property
    def _prepared_keys(self) -> PreparedRows:
        return _prepared(self.keys)

    @cached_property
    def _prepared_targets(self) -> PreparedRows:
        return _prepared(self.targets)


def _prepared(rows: FloatArray) -> PreparedRows:
    """Rows for many searches: converted once."""
    from unprompt.bank.search import PreparedRows

    return PreparedRows([rows])
