"""What YAML may say about what a bank is searched with: images, or images and their captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from unprompt import Model, choice, choice_by_name
from unprompt_blip.sources import FolderCaptioner, HubCaptioner


class ImageQueries(Model):
    """The image's own embedding alone."""

    name: Literal["images"] = Field(
        default="images", description="images: the image's own embedding."
    )


def _source(raw: Mapping[str, Any]) -> str:
    if raw.get("model") == "none":
        raise PydanticCustomError("captioner", "`queries: captions` needs a captioner")
    if raw.get("folder") is None:
        return "`model`"
    if raw.get("model") is not None:
        raise PydanticCustomError("captioner", "should have either `model` or `folder`")
    return "`folder`"


_Captioner = Annotated[
    HubCaptioner | FolderCaptioner,
    choice({"`model`": HubCaptioner, "`folder`": FolderCaptioner}, _source),
]


class CaptionQueries(Model):
    """The image's embedding together with its caption's.

    Source: the 33rd-place solution of the competition (discussion/410610), which wrote 20 captions
    of each image with BLIP-2 and added them to queries and neighbours: its kNN went from 0.5718
    to 0.5882 on the public board. One caption is written here, the captioner's best.
    """

    name: Literal["captions"] = Field(
        default="captions",
        description="captions: that, and CLIP's embedding of a caption that is written for the "
        "image.",
    )
    captioner: Annotated[
        _Captioner,
        BeforeValidator(
            lambda raw: {"model": raw} if isinstance(raw, str) else raw,
            json_schema_input_type=str | _Captioner,
        ),
    ] = Field(default=HubCaptioner(model="blip-large"), description="Of captions: writes them.")
    part: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Of captions: how much of the query is the caption's embedding, the rest is "
        "the image's. Images and texts lie apart, so that 0.5 is half only with `center`.",
    )
    join: bool = Field(
        default=True,
        description="Of captions: whether the caption is a neighbour, too, beside the bank's.",
    )


_Queries = Annotated[
    ImageQueries | CaptionQueries,
    choice_by_name("name", "images", {"images": ImageQueries, "captions": CaptionQueries}),
]
Queries = Annotated[
    _Queries,
    BeforeValidator(
        lambda raw: {"name": raw} if isinstance(raw, str) else raw,
        json_schema_input_type=str | _Queries,
    ),
]
"""One of both; a name alone stands for its map."""
