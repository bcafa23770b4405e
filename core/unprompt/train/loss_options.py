"""Losses as YAML says them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from unprompt._config.base import Model
from unprompt._config.choice import choice_by_name
from unprompt._config.location import Location
from unprompt._files.hashing import file_hash
from unprompt._files.paths import is_file, shown
from unprompt.contracts import Need
from unprompt.errors import MissingFileError
from unprompt.train.heads import by_name
from unprompt.types import PlainData


class _Term(Model):
    weight: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="Factor of the loss in the sum of a list of losses.",
    )

    def __str__(self) -> str:
        """As YAML would write it."""
        given = self.model_dump(mode="json", exclude_defaults=True)
        name = given.pop("name", "cosine")
        return json.dumps({"name": name, **given}) if given else str(name)


class Cosine(_Term):
    """Mean of ``1 - cos``."""

    name: Literal["cosine"] = Field(
        default="cosine",
        description="cosine: mean of 1 - cosine, 0 to 2. angular: mean angle over pi, 0 to 1. "
        "vocabulary: cosine, the prompt's words and a Huber loss (Croitoru et al. 2023). "
        "contrastive: finding the prompt among those of the batch. distillation: cosine to another "
        "member's predictions. A list of maps is a weighted sum.",
    )


class Angular(_Term):
    """Mean angle over pi."""

    name: Literal["angular"]


class Words(_Term):
    """``cosine + bce * BCE over words + huber * Huber``, of Croitoru et al., arXiv 2308.01472."""

    name: Literal["vocabulary"]
    words: int = Field(
        default=1000,
        ge=1,
        description="The most frequent words of the train prompts, without English stop words.",
        json_schema_extra={"unit": "words"},
    )
    bce: float = Field(
        default=0.1,
        ge=0,
        allow_inf_nan=False,
        description="Factor of the binary cross-entropy of the prompt's words, which a linear "
        "layer reads from the predicted row.",
    )
    huber: float = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="Factor of the Huber loss between predicted and target rows.",
    )


class Contrastive(_Term):
    """InfoNCE against the batch's prompts."""

    name: Literal["contrastive"]
    temperature: float = Field(
        default=0.05, gt=0, le=10, description="Divides the cosines of images with prompts."
    )


class Distillation(_Term):
    """``1 - cos`` with another member's predictions of the same images."""

    name: Literal["distillation"]
    teacher: Location = Field(
        description="Predictions of the train images by another member or ensemble, a file as "
        "`unprompt predict` writes it; joined by image id. Where it abstained an image does not "
        "count."
    )


Term = Cosine | Angular | Words | Contrastive | Distillation
_KINDS: dict[str, type[Model]] = {
    "cosine": Cosine,
    "angular": Angular,
    "vocabulary": Words,
    "contrastive": Contrastive,
    "distillation": Distillation,
}
_choose: Any = choice_by_name("name", "cosine", _KINDS).func


def _as_terms(raw: object, info: ValidationInfo) -> object:
    """One loss as a list of one; errors are at the keys that are written."""
    if isinstance(raw, str | dict | Model):
        return (_choose(by_name(raw), info),)
    return raw


def _check_terms(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Refuse two losses that are one with another weight."""
    seen = [term.name for term in terms if not isinstance(term, Distillation)]
    if len(seen) != len(set(seen)):
        twice = next(name for name in seen if seen.count(name) > 1)
        raise PydanticCustomError("loss", "names `{name}` twice", {"name": twice})
    return terms


_Term_ = Annotated[Term, BeforeValidator(_choose), BeforeValidator(by_name)]
_Names = Literal["cosine", "angular", "vocabulary", "contrastive"]
Loss = Annotated[
    tuple[_Term_, ...],
    Field(strict=False, min_length=1),
    BeforeValidator(_as_terms, json_schema_input_type=_Names | Term | list[_Names | Term]),
    AfterValidator(_check_terms),
]
"""``cosine``, ``{name: vocabulary, words: 500}``, or a list of such."""


def teacher_needs(terms: Sequence[Term]) -> list[Need]:
    """The files of teachers, here or not."""
    paths = [term.teacher.path for term in terms if isinstance(term, Distillation)]
    return [Need("predictions of a teacher", str(path), is_file(path)) for path in paths]


def teacher_identity(terms: Sequence[Term]) -> dict[str, PlainData]:
    """The content of teachers, for `Predictor.identity`; nothing without them.

    Raises:
        MissingFileError: One does not exist.
    """
    paths = [term.teacher.path for term in terms if isinstance(term, Distillation)]
    missing = [shown(path) for path in paths if not is_file(path)]
    if missing:
        raise MissingFileError([f"loss: no predictions of a teacher in {path}" for path in missing])
    return {"teachers": [file_hash(path) for path in paths]} if paths else {}
