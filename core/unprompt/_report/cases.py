"""The contact sheet: test pictures with what was predicted of them, and why."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from unprompt._report.numbers import mapping, number
from unprompt._report.source import Run
from unprompt.types import Json

KINDS = {"best": "Predicted best", "worst": "Predicted worst"}
REASONS = {
    "neighbour": "neighbours, share of the sum",
    "nearest": "nearest prompts, cosine",
    "phrase": "phrases, cosine with the picture",
}
MAGIC = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
"""First bytes of the pictures that every browser shows; SVG is left out, for it is a program."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """A member's evidence of one kind: texts with their weights, best first."""

    member: str
    kind: str
    lines: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A picture of the contact sheet.

    Attributes:
        image_id: Its id.
        picture: A ``data:`` URI; None where the file is not there or is no picture.
        prompt: The true one.
        predicted: The readable guess; None where there is none.
        cosine: Of the blend's prediction with the true prompt.
        members: Each member's name and cosine.
        evidence: Member by member.
    """

    image_id: str
    picture: str | None
    prompt: str
    predicted: str | None
    cosine: float | None
    members: tuple[tuple[str, float | None], ...]
    evidence: tuple[Reasons, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Pictures of one kind, such as those that were predicted worst."""

    title: str
    cases: tuple[Case, ...]


def sheets(run: Run) -> tuple[Sheet, ...]:
    """The contact sheet, kind by kind in the order of the file; empty where there is none."""
    kinds = dict.fromkeys(str(case.get("kind", "pictures")) for case in run.cases)
    return tuple(
        Sheet(
            KINDS.get(kind, kind.capitalize()),
            tuple(
                _case(case, run.folder)
                for case in run.cases
                if str(case.get("kind", "pictures")) == kind
            ),
        )
        for kind in kinds
    )


def _case(case: Mapping[str, Json], folder: Path) -> Case:
    predicted = case.get("predicted")
    return Case(
        image_id=str(case.get("image_id", "")),
        picture=data_uri(folder, case.get("picture")),
        prompt=str(case.get("prompt", "")),
        predicted=str(predicted) if predicted else None,
        cosine=number(case.get("cosine")),
        members=tuple((name, number(one)) for name, one in mapping(case.get("members")).items()),
        evidence=tuple(
            reasons
            for member, lines in mapping(case.get("evidence")).items()
            for reasons in _reasons(member, lines or ())
        ),
    )


def _reasons(member: str, lines: Sequence[Json]) -> list[Reasons]:
    """A member's evidence, split where the unit of the weights changes."""
    said = [mapping(line) for line in lines]
    return [
        Reasons(
            member,
            REASONS.get(kind, kind),
            tuple((str(line.get("text", "")), number(line.get("weight"))) for line in group),
        )
        for kind, group in groupby(said, key=lambda line: str(line.get("kind", "evidence")))
    ]


def data_uri(folder: Path, name: Json) -> str | None:
    """A picture of the run's folder as text.

    Returns:
        None where the file is not there, is no picture, or lies outside the folder: a run's
        folder may come from somebody else, and must not choose files of this machine to show.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        return None
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            return None
        content = path.read_bytes()
    except OSError:  # too long a name, or no right to read it
        return None
    kinds = [kind for magic, kind in MAGIC.items() if content.startswith(magic)]
    return f"data:{kinds[0]};base64,{base64.b64encode(content).decode()}" if kinds else None
