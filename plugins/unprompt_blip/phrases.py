"""Phrases with their CLIP embeddings, and which of them lie nearest to images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from unprompt import DataError, Runtime, unit
from unprompt.artifacts import read_json, read_tensors
from unprompt.towers import ClipTowers

if TYPE_CHECKING:
    import torch

ROWS, TEXTS = "phrases.safetensors", "phrases.json"
HALF_ABOVE = 20_000
"""Phrases above which rows are kept in float16: half of 458 MB for clip-interrogator's lists."""

Numbers = npt.NDArray[np.int64]


class _Written(BaseModel):
    """The content of ``phrases.json``."""

    model_config = ConfigDict(frozen=True, strict=True)

    phrases: tuple[str, ...]
    tables: dict[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Phrases:
    """P distinct phrases, read-only.

    Attributes:
        texts: P phrases; no two have the same tokens.
        rows: Their CLIP text embeddings, unit rows of shape (P, C).
        tables: Each table's phrases as numbers, in the order of the table.
    """

    texts: tuple[str, ...]
    rows: npt.NDArray[np.float32]
    tables: Mapping[str, Numbers]

    @classmethod
    def of(
        cls, tables: Mapping[str, Sequence[str]], towers: ClipTowers, runtime: Runtime
    ) -> Phrases:
        """Embed the phrases of all tables.

        Phrases with equal tokens ("4K", "4k") are one, spelled as it comes first: they would tie
        in every ranking, and rounding would choose.
        """
        spelled = list(dict.fromkeys(text for texts in tables.values() for text in texts))
        number: dict[str, int] = {}
        first: dict[bytes, int] = {}
        kept: list[str] = []
        rows: list[npt.NDArray[np.float32]] = []
        starts = range(0, len(spelled), runtime.batch_size)
        for start in runtime.progress(starts, what="embed phrases", total=len(starts)):
            batch = spelled[start : start + runtime.batch_size]
            tokens = towers.tokens(batch)
            new = []
            for i, text in enumerate(batch):
                key = tokens[i].numpy().tobytes()
                if key not in first:
                    first[key] = len(kept)
                    kept.append(text)
                    new.append(i)
                number[text] = first[key]
            if new:
                rows.append(towers.encode_tokens(tokens[new]))
        stacked = np.concatenate(rows) if rows else np.empty((0, towers.dim), np.float32)
        return cls(tuple(kept), stacked, {name: _distinct(number, tables[name]) for name in tables})

    def __len__(self) -> int:
        """P."""
        return len(self.texts)

    def save(self, folder: Path) -> None:
        """Write ``phrases.safetensors`` and ``phrases.json`` into an existing folder."""
        from safetensors.numpy import save_file

        kind = np.float16 if len(self) > HALF_ABOVE else np.float32
        save_file({"embeds": self.rows.astype(kind)}, folder / ROWS)
        tables = {name: numbers.tolist() for name, numbers in self.tables.items()}
        text = json.dumps({"phrases": self.texts, "tables": tables}, ensure_ascii=False)
        (folder / TEXTS).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Phrases:
        """Read what `save` wrote.

        Raises:
            DataError: A file is missing or damaged, holds something else, or does not fit the
                other; names the file.
        """
        rows = unit(read_tensors(folder / ROWS, {"embeds": ("P", "C")})["embeds"])
        written: _Written = read_json(folder / TEXTS, _Written)
        texts, count = written.phrases, len(rows)
        if len(texts) != count:
            raise DataError(
                f"{folder / TEXTS}: {len(texts)} phrases; {folder / ROWS} has {count} rows"
            )
        for name, numbers in written.tables.items():
            if numbers and not 0 <= min(numbers) <= max(numbers) < count:
                raise DataError(f"{folder / TEXTS}: {name!r} names a phrase that is not there")
        tables = {name: np.array(line, np.int64) for name, line in written.tables.items()}
        return cls(texts, rows, tables)

    def check(self, folder: Path, dim: int) -> None:
        """Check that the phrases were embedded by a CLIP of C = ``dim`` numbers.

        Args:
            folder: Where they were read, for error lines.
            dim: C of the CLIP.

        Raises:
            DataError: It was another one.
        """
        if self.rows.shape[1] != dim:
            raise DataError(
                f"{folder / ROWS}: its rows have {self.rows.shape[1]} numbers, not {dim}: "
                "it was made with another tower"
            )

    def cosines(self, images: npt.NDArray[np.float32], device: str) -> torch.Tensor:
        """Each image's cosine with each phrase: one product for a whole batch.

        Args:
            images: Unit rows of shape (n, C).
            device: Where to compute.

        Returns:
            float32 of shape (n, P), on ``device``.
        """
        import torch

        if device not in self._columns:
            self._columns[device] = torch.from_numpy(self.rows).to(device).T
        return torch.from_numpy(images).to(device) @ self._columns[device]

    def top(
        self, cosines: torch.Tensor, tables: Sequence[str], count: int, *, lowest: bool = False
    ) -> Numbers:
        """The phrases nearest to each image, exactly.

        Args:
            cosines: Of shape (n, P); see `cosines`.
            tables: Where to look; those that are not here count as empty.
            count: K; fewer where the tables hold fewer.
            lowest: The farthest instead.

        Returns:
            Numbers of phrases, of shape (n, K), the best first; of equal ones the first.
        """
        import torch

        numbers = self._members(tuple(tables))  # (T,)
        everything = len(numbers) == len(self)
        part = cosines if everything else cosines[:, torch.from_numpy(numbers).to(cosines.device)]
        values, positions = part.topk(min(count, len(numbers)), dim=1, largest=not lowest)
        nearest: Numbers = numbers[positions.cpu().numpy()]  # (n, K)
        key = values.cpu().numpy() if lowest else -values.cpu().numpy()
        order = np.lexsort((nearest, key))  # topk gives equal values in any order
        return np.take_along_axis(nearest, order, axis=1)

    def _members(self, tables: tuple[str, ...]) -> Numbers:
        """Phrases of several tables, each once, in the order of `texts`."""
        if tables not in self._known:
            parts = [self.tables[name] for name in tables if name in self.tables]
            empty = np.empty(0, np.int64)
            self._known[tables] = np.unique(np.concatenate(parts)) if parts else empty
        return self._known[tables]

    @cached_property
    def _known(self) -> dict[tuple[str, ...], Numbers]:
        return {}

    @cached_property
    def _columns(self) -> dict[str, torch.Tensor]:
        """The rows as columns, by device."""
        return {}


def _distinct(number: Mapping[str, int], texts: Sequence[str]) -> Numbers:
    return np.array(list(dict.fromkeys(number[text] for text in texts)), np.int64)
