"""What sources give: prompts with how often they occur, some thousand at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

BATCH = 4096
"""Rows that are read before their prompts are handed on."""

Kind = Literal["lines", "csv", "tsv", "jsonl", "parquet", "diffusiondb", "dataset", "bank"]
"""What a source is; ``dataset`` is a folder that Hugging Face's `datasets` saved."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that a source holds.

    Attributes:
        text: Without white space around it; empty where the source has none, or one that cannot
            be seen.
        count: How often it occurs here; at least 1.
    """

    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A source: one file, or one folder that is read as a whole.

    Attributes:
        path: The file or the folder.
        column: The column of the prompts, in any case; None: ``prompt``, ``text`` or ``caption``.
            Text lines have none.
        count_column: The column with how often each row's prompt occurs; None: every row is one.
    """

    path: Path
    column: str | None = None
    count_column: str | None = None
