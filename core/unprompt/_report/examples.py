"""The contact sheet: test images with what was predicted of them, and why."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from unprompt._files.checksums import check_files
from unprompt._runs.examples import Example, ExampleEvidence
from unprompt._runs.run import Run

_TITLES = {"best": "Predicted best", "worst": "Predicted worst"}
_UNITS = {
    "neighbour": "neighbours, share of the sum",
    "nearest": "nearest prompts, cosine",
    "phrase": "phrases, cosine with the image",
}
_MAGIC = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
"""First bytes of the images that every browser shows; SVG is left out, for it is a program."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """A member's evidence of one kind, best first."""

    member: str
    unit: str
    pieces: tuple[ExampleEvidence, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """An example as it is shown.

    Attributes:
        example: What the run says of it.
        image: A ``data:`` URI; None where the file is not there or is no image.
        reasons: Member by member.
    """

    example: Example
    image: str | None
    reasons: tuple[Reasons, ...]


def contact_sheet(run: Run) -> dict[str, tuple[Card, ...]]:
    """The examples by title, best before worst; a single test image is among the best.

    Raises:
        DataError: The file of examples is missing or broken.
    """
    kinds = {example.kind for example in run.examples}
    return {
        title: tuple(_card(example, run.folder) for example in run.examples if example.kind == kind)
        for kind, title in _TITLES.items()
        if kind in kinds
    }


def _card(example: Example, folder: Path) -> Card:
    reasons = [
        reason
        for member, evidence in example.evidence.items()
        for reason in _reasons(member, evidence)
    ]
    return Card(example, data_uri(folder, example.image), tuple(reasons))


def _reasons(member: str, evidence: Sequence[ExampleEvidence]) -> list[Reasons]:
    """A member's evidence, split where the unit of the scores changes."""
    return [
        Reasons(member, _UNITS.get(kind, kind), tuple(pieces))
        for kind, pieces in groupby(evidence, key=lambda piece: piece.kind)
    ]


def data_uri(folder: Path, name: str) -> str | None:
    """An image of the run's folder as text.

    Returns:
        None where the file is not there, is no image, or lies outside the folder: a run's folder
        may come from somebody else, and must not choose files of this machine to show.
    """
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            return None
        check_files(folder, [name])
        content = path.read_bytes()
    except (OSError, ValueError):  # too long a name, a null byte in it, or no right to read it
        return None
    kinds = [kind for magic, kind in _MAGIC.items() if content.startswith(magic)]
    return f"data:{kinds[0]};base64,{base64.b64encode(content).decode()}" if kinds else None
