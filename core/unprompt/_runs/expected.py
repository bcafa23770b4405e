"""``expected.json``: how a run's scores can be expected of single images, and how well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from unprompt._files.hashing import content_hash
from unprompt._files.reading import read_bytes
from unprompt._files.tensors import read_tensors
from unprompt._files.writing import replacing, write_json
from unprompt._runs import files
from unprompt._scoring.domain import Domain, DomainModel
from unprompt._scoring.estimate import Result
from unprompt._scoring.expected import ExpectedModel
from unprompt.errors import DataError
from unprompt.types import Json

if TYPE_CHECKING:
    from unprompt._registry.parts import Ensemble

Share = Annotated[float, Field(ge=0, le=1)]


class Bin(Result):
    """A tenth of the test images, in the order of their expected scores.

    Attributes:
        images: How many.
        expected: Their mean expected score.
        actual: Their mean cosine.
    """

    images: int
    expected: float
    actual: float


class Calibration(Result):
    """Expected scores against true cosines, on test images, which nothing was learned from.

    Attributes:
        images: Test images that are not flagged; the other numbers are theirs.
        flagged: Test images that are flagged as out of domain, although they are not.
        expected: Mean expected score.
        actual: Mean cosine.
        inside: Share of the cosines that lie in their intervals.
        correlation: Of expected scores and cosines; None where all expected scores are equal.
        bins: From the lowest expected scores to the highest.
    """

    images: int
    flagged: int
    expected: float
    actual: float
    inside: Share
    correlation: float | None
    bins: tuple[Bin, ...]


class ExpectedFile(Result):
    """The content of ``expected.json``.

    Attributes:
        ensemble: The `fingerprint` of the ensemble that it was learned for.
        coverage: The share of images whose cosine the interval should hold.
        edited: Whether prompts had been edited; readbacks of others are not of the same kind.
        model: Expected scores from features.
        domain: What is in the domain; its axes are in ``domain.safetensors``.
        test: How well it holds.
    """

    ensemble: str
    coverage: Share
    edited: bool
    model: ExpectedModel
    domain: DomainModel
    test: Calibration


EXPECTED = TypeAdapter(ExpectedFile)
"""Reads and writes ``expected.json``."""


@dataclass(frozen=True, slots=True, eq=False)
class LearnedExpectation:
    """What a run has learned to expect.

    Attributes:
        content: Numbers and how well they hold.
        domain: With its axes.
    """

    content: ExpectedFile
    domain: Domain

    def write(self, folder: Path) -> None:
        """Write both files into a run's folder."""
        from safetensors.numpy import save_file

        write_json(folder / files.EXPECTED, self.content.model_dump(mode="json"))
        tensors = {"centre": self.domain.centre, "axes": self.domain.axes}
        with replacing(folder / files.DOMAIN) as part:
            # In the order of C: safetensors writes memory as it lies, and would turn the axes.
            save_file({name: rows.astype(np.float32, "C") for name, rows in tensors.items()}, part)


def read_expectation(folder: Path) -> LearnedExpectation | None:
    """What a run's folder holds; None where it has no ``expected.json``.

    Raises:
        DataError: A file is missing beside the other, or damaged; names it.
    """
    if not (folder / files.EXPECTED).is_file():
        return None
    content = _content(folder / files.EXPECTED)
    path = folder / files.DOMAIN
    tensors = read_tensors(path, {"centre": ("D",), "axes": ("A", "D")})
    centre, axes = tensors["centre"], tensors["axes"]
    return LearnedExpectation(
        content, Domain(content.domain, centre.astype(np.float64), axes.astype(np.float64))
    )


def _content(path: Path) -> ExpectedFile:
    try:
        return EXPECTED.validate_json(read_bytes(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {f'{where}: ' if where else ''}{first['msg']}") from error


def fingerprint(ensemble: Ensemble, weights: Mapping[str, float]) -> str:
    """SHA-256 of what an ensemble's predictions follow from: members in use, options, weights.

    Where artifacts lie is not part of it, so that a run's folder can be moved.

    Args:
        ensemble: The ensemble.
        weights: Member -> weight.
    """
    used = [member for member in ensemble.members if weights[member.name] > 0]
    encoder = ensemble.text_encoder.keyed()
    content: Json = {
        "encoder": dict(encoder),
        "members": [[m.name, weights[m.name], dict(m.part.keyed())] for m in used],
    }
    return content_hash(content)
